"""`diff` names exactly the records that differ, however many shards hold them."""

import json

import pyarrow as pa
import pytest

from pipelines.cli.parser import run
from pipelines.diff.fields import changed_fields
from schemas.shard import SCHEMA

STAMP = {"builder", "recipe", "seed"}


@pytest.fixture
def compared(tmp_path, capsys):
    """Compares two outputs; returns the document, and the change and fields of each record."""

    def call(before, now):
        capsys.readouterr()
        target = tmp_path / "changes.jsonl"
        words = ["diff", str(before.folder), str(now.folder), "--json", "--list", str(target)]
        assert run(words) == 0
        lines = map(json.loads, target.read_text("utf-8").splitlines())
        changes = {line["id"]: (line["change"], line["fields"]) for line in lines}
        return json.loads(capsys.readouterr().out), changes

    return call


def expected_changes(before, now):
    """Returns the kind of change of each record that differs, from all records in memory."""
    olds, news = ({row["id"]: row for row in output.rows()} for output in (before, now))
    for row in (*olds.values(), *news.values()):
        row["provenance"] = {k: v for k, v in row["provenance"].items() if k not in STAMP}
    kinds = dict.fromkeys(olds.keys() - news.keys(), "removed")
    kinds |= dict.fromkeys(news.keys() - olds.keys(), "added")
    both = olds.keys() & news.keys()
    return kinds | {each: "changed" for each in both if olds[each] != news[each]}


@pytest.fixture(scope="module")
def several(sample_world, tmp_path_factory, output_of):
    """Builds coco and refcocog with some flags."""

    def build(*flags):
        folder = tmp_path_factory.mktemp("built") / "output"
        words = ["--sources", "coco,refcocog", "--label-set", "coco=Shapes-15"]
        words += ["--data-root", str(sample_world), "--output", str(folder), *flags]
        assert run(["build", *words]) == 0
        return output_of(folder)

    return build


@pytest.fixture(scope="module")
def plain(several):
    return several()


def test_a_build_does_not_differ_from_itself(plain, several, compared, capsys):
    shown, changes = compared(plain, plain)
    assert (shown["same"], shown["settings"], changes) == (True, [], {})
    again = several()
    capsys.readouterr()
    assert run(["diff", str(plain.folder), str(again.folder)]) == 0
    assert capsys.readouterr().out == "no difference\n"


def test_one_cap_changes_the_records_that_it_affects(plain, several, compared):
    capped = several("--per-category", "coco=5")
    shown, changes = compared(plain, capped)
    assert shown["settings"] == ["coco: per_category (none, now 5)"]
    expected = expected_changes(plain, capped)
    assert {record: kind for record, (kind, _) in changes.items()} == expected
    assert {record.split("/")[0] for record in changes} == {"coco"}
    train = shown["splits"][0]
    assert (train["source"], train["split"], train["changed"]) == ("coco", "train", 20)
    assert train["fields"]["regions"] == 20
    assert "provenance.seed" not in train["fields"]
    assert train["categories"]["star"] == [13, 5]
    assert len(shown["examples"]) == 5


def test_a_limit_removes_records_and_its_absence_adds_them(plain, several, compared):
    few = several("--limit", "3")
    _, gone = compared(plain, few)
    _, back = compared(few, plain)
    assert {kind for kind, _ in gone.values()} == {"removed"}
    assert gone.keys() == back.keys() == expected_changes(plain, few).keys()
    assert {kind for kind, _ in back.values()} == {"added"}


def test_the_number_of_shards_does_not_matter(plain, several, compared):
    shown, changes = compared(plain, several("--shard-size", "100KB", "--per-category", "coco=5"))
    assert "shard_bytes (524288000, now 100000)" in shown["settings"]
    assert len(changes) == 29
    assert not any(split["changed"] for split in shown["splits"] if split["source"] != "coco")


def test_the_name_of_the_recipe_is_compared_once(coco_file, run_build, compared):
    coco = coco_file().good(1, 2).save()
    shown, changes = compared(run_build(coco, name="a"), run_build(coco, name="b"))
    assert (shown["settings"], changes) == (["name ('a', now 'b')"], {})


def test_a_source_of_one_build_alone(several, sample_world, run_build, plain, compared):
    coco = run_build(sample_world, request={"label_set": "Shapes-15"})
    shown, changes = compared(plain, coco)
    assert "refcocog (left out now)" in shown["settings"]
    assert {kind for kind, _ in changes.values()} == {"removed"}
    assert len(changes) == sum(s["before"] for s in shown["splits"] if s["source"] == "refcocog")


def test_what_is_said(coco_file, run_build, capsys):
    coco = coco_file().good(1, 2, 3).save()
    before = run_build(coco)
    coco.data["annotations"][0]["category_id"] = 1
    coco.data["images"].pop()
    coco.data["annotations"] = [a for a in coco.data["annotations"] if a["image_id"] != 3]
    now = run_build(coco.save())
    assert run(["diff", str(before.folder), str(now.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "setting coco: the input files (annotations.json)"
    assert lines[2].split() == ["coco", "train", "3", "2", "0", "1", "1"]
    assert lines[3].startswith("coco/train fields ")
    assert lines[4] == "coco/train categories dog 3 → 1"
    assert sorted(lines[5:]) == [
        "changed coco/train/1/region_classification/0 regions.category, messages.content",
        "removed coco/train/3/region_classification/0",
    ]


def test_fields_by_their_full_names():
    def batch(row):
        return pa.RecordBatch.from_pylist([row], schema=SCHEMA)

    region = {"region_id": "1", "bbox": [0, 0, 1, 1], "captions": [], "attributes": []}
    row = {"id": "a", "regions": [region], "messages": [], "image": {"bytes": b"x", "path": "p"}}
    row |= {"provenance": {"builder": "b", "recipe": "r", "seed": 0, "prompts": ["p"]}}
    same = row | {"provenance": {"builder": "c", "recipe": "s", "seed": 1, "prompts": ["p"]}}
    other = row | {"regions": [region | {"area": 2.0}], "image": {"bytes": b"y", "path": "p"}}
    longer = row | {"regions": [region, region]}
    assert changed_fields(batch(row), batch(row)) == []
    assert changed_fields(batch(row), batch(same)) == []
    assert changed_fields(batch(row), batch(other)) == ["image.bytes", "regions.area"]
    assert changed_fields(batch(row), batch(longer)) == ["regions"]
    assert changed_fields(batch(row), batch(row | {"image": None})) == ["image"]


def test_shards_in_another_order_are_refused(coco_file, run_build, capsys):
    before = run_build(coco_file().good(1, 2, 3).save())
    now = run_build(coco_file().good(1, 2, 3, 4).save())
    (shard,) = now.folder.glob("coco/*.arrow")
    with pa.ipc.open_stream(shard.read_bytes()) as stream:
        table = stream.read_all()
    with pa.OSFile(str(shard), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table.take([3, 2, 1, 0]))
    assert run(["diff", str(before.folder), str(now.folder)]) == 1
    assert "is out of order" in capsys.readouterr().err
    with pa.OSFile(str(shard), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table.take([0, 0, 2, 3]))
    assert run(["diff", str(before.folder), str(now.folder)]) == 1
    assert "two records have the id" in capsys.readouterr().err
