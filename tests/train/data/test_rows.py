"""Rows read where they lie: all of them, by number, and what is damaged is named."""

import json
import pickle
import shutil

import numpy as np
import pyarrow as pa
import pytest

from model.presets import regiongpt_7b
from schemas.errors import InputFileError, OtherSchemaError, UsageError
from train.data.build import Build
from train.data.costs import costs_of
from train.data.mix import JoinedRows, SomeRows
from train.data.rows import ShardRows


def second_reading(folder, config=None):
    """The rows as pyarrow reads them, without our code: by shard, in the manifest's order."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    rows = []
    for shard in manifest["shards"]:
        if config in (None, shard["config"]):
            with pa.ipc.open_stream((folder / shard["path"]).read_bytes()) as stream:
                rows += stream.read_all().to_pylist()
    return rows


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train"))


@pytest.fixture
def copied(proof_shards, tmp_path):
    return shutil.copytree(proof_shards, tmp_path / "shards")


def edit_manifest(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_all_rows_are_read_by_number(rows, proof_shards):
    expected = {row["id"]: row for row in second_reading(proof_shards)}
    assert len(rows) == len(expected) > 800
    assert len(rows._shards) > 4
    for number in [*range(0, len(rows), 97), len(rows) - 1]:
        assert rows[number] == expected[rows[number]["id"]]
    assert sorted(rows.ids()) == sorted(expected)


def test_columns_of_all_rows_agree_with_the_rows(rows):
    ids, configs, characters = rows.ids(), rows.configs(), rows.characters()
    pictured, categories = rows.with_picture(), rows.categories()
    columns = (ids, configs, characters, pictured, categories)
    assert {len(column) for column in columns} == {len(rows)}
    for number in range(0, len(rows), 131):
        row = rows[number]
        assert (row["id"], row["source"]) == (ids[number], configs[number])
        assert characters[number] == sum(len(message["content"]) for message in row["messages"])
        assert pictured[number] == (row["image"] is not None)
        named = [region["category"] for region in row["regions"]]
        assert categories[number] == [name for name in named if name is not None]


def test_a_config_alone_is_read(proof_shards):
    build = Build.open(proof_shards)
    rows = ShardRows(build, build.shards("train", ["vcr"]))
    assert rows.ids() == [row["id"] for row in second_reading(proof_shards, "vcr")]


def test_a_pickle_holds_no_rows(rows):
    content = pickle.dumps(rows)
    assert len(content) < 20_000
    again = pickle.loads(content)
    assert again.ids() == rows.ids()
    assert again[5] == rows[5]


@pytest.mark.parametrize(
    ("split", "configs", "message"),
    [
        ("train", ["coco"], "has no config 'coco', but llava, refcocog, v3det, vcr"),
        ("val", None, "has no split 'val', but train"),
        ("val", ["vcr"], "config 'vcr' of .* has no split 'val'"),
    ],
)
def test_what_is_not_there_is_named(proof_shards, split, configs, message):
    with pytest.raises(UsageError, match=message):
        Build.open(proof_shards).shards(split, configs)


def test_a_folder_without_a_build_is_named(tmp_path):
    with pytest.raises(InputFileError, match=r"manifest\.json: No such file.*finished"):
        Build.open(tmp_path)


def test_a_manifest_of_something_else_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(InputFileError, match=r"manifest\.json: identity: Field required"):
        Build.open(tmp_path)


def test_an_unknown_key_of_a_manifest_is_named(copied):
    edit_manifest(copied, lambda it: it["shards"][0].update(colour="red"))
    with pytest.raises(InputFileError, match=r"manifest\.json: shards\.0\.colour: Extra inputs"):
        Build.open(copied)


def test_another_schema_version_is_one_line(copied):
    edit_manifest(copied, lambda it: it["identity"].update(schema_version="1"))
    with pytest.raises(OtherSchemaError, match="schema 1, expected 2: build again; captions are"):
        Build.open(copied)


def test_a_missing_shard_and_one_that_is_cut_are_named(copied):
    build = Build.open(copied)
    path = copied / build.manifest.shards[0].path
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(
        InputFileError, match=rf"{path.name} has \d+ bytes, expected {len(content)}"
    ):
        build.shards("train")
    path.unlink()
    with pytest.raises(InputFileError, match=rf"{path.name}: No such file"):
        build.shards("train")


def test_a_shard_with_too_few_rows_is_named(copied):
    edit_manifest(copied, lambda it: it["shards"][0].update(rows=it["shards"][0]["rows"] + 1))
    build = Build.open(copied)
    with pytest.raises(InputFileError, match="rows, expected"):
        ShardRows(build, build.shards("train"))


def test_bytes_that_are_no_shard_are_named(copied):
    build = Build.open(copied)
    shard = build.manifest.shards[0]
    (copied / shard.path).write_bytes(b"x" * shard.bytes)
    with pytest.raises(InputFileError, match=f"cannot read the shard .*{shard.path}"):
        ShardRows(build, build.shards("train"))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda table: table.append_column("mood", table["id"]), "'mood' is unknown"),
        (lambda table: table.drop_columns(["messages"]), "'messages' is missing"),
        (
            lambda table: table.drop_columns(["id"]).append_column("id", table["id"]),
            "their order differs",
        ),
        (lambda table: table.set_column(0, "id", table["width"]), "'id' is of another type"),
    ],
)
def test_a_column_that_is_no_records_is_named(copied, change, fault):
    build = Build.open(copied)
    shard = build.manifest.shards[0]
    path = copied / shard.path
    with pa.ipc.open_stream(path.read_bytes()) as stream:
        table = change(stream.read_all())
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)
    changed = shard.model_copy(update={"bytes": path.stat().st_size})
    with pytest.raises(InputFileError, match=f"{shard.path}: its columns .*: {fault}"):
        ShardRows(build, [changed])


def test_a_row_that_breaks_a_rule_names_shard_and_id(copied):
    build = Build.open(copied)
    shard = build.manifest.shards[0]
    path = copied / shard.path
    content = path.read_bytes()
    begin = content.index(b"<region1>")
    path.write_bytes(content[:begin] + b"<region7>" + content[begin + 9 :])
    rows = ShardRows(build, build.shards("train"))
    faults = []
    for number in range(shard.rows):
        try:
            rows[number]
        except InputFileError as error:
            faults.append(str(error))
    (fault,) = faults
    assert fault.startswith(f"{path}: the record '{shard.config}/train/")
    assert "region7" in fault


def test_text_that_is_no_utf8_names_the_shard(copied):
    build = Build.open(copied)
    shard = build.manifest.shards[0]
    path = copied / shard.path
    content = path.read_bytes()
    begin = content.index(b"<region1>")
    path.write_bytes(content[:begin] + b"\xff" + content[begin + 1 :])
    rows = ShardRows(build, build.shards("train"))
    with pytest.raises(InputFileError, match=f"{path}: row "):
        list(rows)


def test_what_rows_cost_is_known_without_reading_them(rows):
    some = SomeRows(JoinedRows([rows, rows]), 50, seed=0)
    for each in (rows, some):
        whole = [each[number] for number in range(len(each))]
        assert each.regions().tolist() == [len(row["regions"]) for row in whole]
        assert each.with_picture().tolist() == [row["image"] is not None for row in whole]
    costs = costs_of(rows, regiongpt_7b(), "regiongpt_pretrain")
    longer = rows.characters() > 2 * np.median(rows.characters())
    assert costs[longer].min() > np.median(costs)


def test_characters_are_counted_in_sliced_batches(rows):
    assert rows.characters().dtype == np.int64
