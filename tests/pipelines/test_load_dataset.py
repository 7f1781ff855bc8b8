"""`datasets.load_dataset` opens what a build leaves, in all the ways a reader may ask for it."""

import shutil
from pathlib import Path

import fsspec
import pytest
import yaml
from datasets import Image, load_dataset
from datasets.exceptions import NonMatchingSplitsSizesError

from pipelines.card.summary import loading_line
from schemas.errors import UsageError

LABELS = {"label_set": "Shapes-15"}
SHARD_BYTES = 200_000


def counts_in_card(folder: Path) -> dict[str, dict[str, int]]:
    """Config to split to number of examples, as the card states them."""
    front = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---")[1])
    return {
        info["config_name"]: {split["name"]: split["num_examples"] for split in info["splits"]}
        for info in front["dataset_info"]
    }


@pytest.fixture(scope="module", params=["drawn world", "tinycoco"])
def output(request, run_build):
    if request.param == "drawn world":
        root = request.getfixturevalue("sample_world")
        return run_build(root, request=LABELS, shard_bytes=SHARD_BYTES)
    return run_build(request.getfixturevalue("tinycoco"), shard_bytes=3_000_000)


@pytest.fixture(params=["one config", "the default", "streaming", "streaming the default"])
def loaded(request, output, tmp_path):
    config = [] if "default" in request.param else ["coco"]
    streaming = "streaming" in request.param
    return load_dataset(str(output.folder), *config, streaming=streaming, cache_dir=str(tmp_path))


def test_counts_are_those_of_the_card_and_the_manifest(output, loaded):
    stated = counts_in_card(output.folder)["coco"]
    assert {split: sum(1 for _ in loaded[split]) for split in loaded} == stated
    assert {split: output.manifest().rows("coco", split) for split in stated} == stated


def test_every_image_decodes_to_its_size(loaded):
    for split in loaded.values():
        for row in split:
            row["image"].load()
            assert row["image"].size == (row["width"], row["height"])


def test_rows_are_those_of_the_shards(output, loaded):
    stored = {row["id"]: row for row in output.rows()}
    for split in loaded.values():
        for row in split.cast_column("image", Image(decode=False)):
            assert row == stored.pop(row["id"])
    assert stored == {}


def test_there_is_no_other_config(output):
    assert counts_in_card(output.folder).keys() == {"coco"}


@pytest.mark.parametrize("config", [["coco"], []])
def test_a_missing_shard_is_an_error(output, tmp_path, config):
    folder = shutil.copytree(output.folder, tmp_path / "output")
    next(path for path in sorted(folder.glob("coco/*.arrow")) if "00001" in path.name).unlink()
    with pytest.raises(NonMatchingSplitsSizesError):
        load_dataset(str(folder), *config, cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("name", ["with blanks", "größe", "a+b,c=d", "v1.0"])
def test_the_name_of_the_folder_does_not_matter(output, tmp_path, name):
    folder = shutil.copytree(output.folder, tmp_path / name)
    data = load_dataset(str(folder), "coco", cache_dir=str(tmp_path / "cache"))
    assert {split: len(data[split]) for split in data} == counts_in_card(folder)["coco"]


def test_shards_without_rows_are_no_obstacle(coco_file, run_build, tmp_path):
    output = run_build(coco_file().good().save(), shard_bytes=500)
    assert 0 in [shard.rows for shard in output.manifest().shards]
    data = load_dataset(str(output.folder), cache_dir=str(tmp_path))
    assert len(data["train"]) == 3
    streamed = load_dataset(str(output.folder), streaming=True, cache_dir=str(tmp_path))
    assert sum(1 for _ in streamed["train"]) == 3


def test_references_are_paths_below_the_data_root(sample_world, run_build, tmp_path):
    output = run_build(sample_world, request=LABELS, images="reference")
    data = load_dataset(str(output.folder), "coco", cache_dir=str(tmp_path))
    for split in data.values():
        for row in split.cast_column("image", Image(decode=False)):
            assert row["image"]["bytes"] is None
            assert (sample_world / row["image"]["path"]).is_file()


@pytest.mark.parametrize("name", ["warehouse_2024", "test.v2", "größe"])
def test_a_split_of_a_users_own_has_its_own_name(coco_file, run_build, tmp_path, name):
    output = run_build(coco_file().good().save(), request={"split": name})
    data = load_dataset(str(output.folder), "coco", cache_dir=str(tmp_path))
    assert {split: len(data[split]) for split in data} == {name: 3}


@pytest.mark.parametrize("name", ["all", "", "a b", "a-b", "a/b", "../up", "train[:1]", "a."])
def test_a_split_that_no_reader_could_name_is_refused(coco_file, run_build, name):
    with pytest.raises(UsageError, match="--coco-split"):
        run_build(coco_file().good().save(), request={"split": name})


@pytest.fixture
def in_a_store(output, monkeypatch):
    """A copy of the output in a store, of fsspec's own kind, in this process's memory."""
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)  # else it opens no store at all
    store = fsspec.filesystem("memory")
    for path in output.folder.rglob("*"):
        if path.is_file():
            store.pipe(f"/bucket/out/{path.relative_to(output.folder)}", path.read_bytes())
    yield "gs://bucket/out"
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize("config", ["coco", "all"])
def test_the_line_for_a_store_opens_its_shards(output, in_a_store, tmp_path, config):
    line = loading_line(in_a_store, config, output.manifest())
    data = eval(line.replace("gs://", "memory://")[:-1] + ", cache_dir=str(tmp_path))")
    assert {split: len(data[split]) for split in data} == counts_in_card(output.folder)["coco"]
    first = data["train"][0]
    assert first["image"].size == (first["width"], first["height"])


def test_the_line_for_a_folder_opens_it(output, tmp_path):
    line = loading_line(str(output.folder), "coco", output.manifest())
    data = eval(line[:-1] + ", cache_dir=str(tmp_path))")
    assert {split: len(data[split]) for split in data} == counts_in_card(output.folder)["coco"]
