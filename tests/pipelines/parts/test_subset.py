"""`subset` takes exactly the records that are asked for, as they were."""

import json
import shutil
from collections import Counter

import pytest
from datasets import load_dataset

from pipelines.cli.parser import run
from schemas.ledger import Stage
from schemas.rejection import Kind


def by_id(rows):
    return {row["id"]: row for row in rows}


def picture(row):
    return row["id"].rsplit("/", 2)[0]


def test_splits_are_copied_byte_for_byte(mixed, made):
    cut = made("subset", mixed.folder, "--splits", "train")
    digests = {name: sha for name, sha in mixed.digests().items() if "/train-" in name}
    assert cut.digests() == digests
    assert len(digests) > 3
    whole = [line for line in mixed.rejected() if line in cut.rejected()]
    assert cut.rejected() == whole
    assert cut.ledger().sources.keys() == {"coco", "refcocog", "visual_genome"}
    identity = cut.manifest().identity
    assert identity.sources["refcocog"].settings["splits"] == ["train"]
    assert {item.split for item in identity.inputs} == {"train"}


def test_one_source_alone(mixed, made):
    cut = made("subset", mixed.folder, "--sources", "refcocog")
    assert {row["source"] for row in cut.rows()} == {"refcocog"}
    assert by_id(cut.rows()) == by_id(mixed.rows("refcocog/*.arrow"))
    assert list(cut.manifest().identity.sources) == ["refcocog"]
    card = (cut.folder / "README.md").read_text("utf-8")
    assert "`coco`" not in card.split("## Sources")[1].split("## Mix")[0]


def test_tasks(mixed, made):
    cut = made("subset", mixed.folder, "--tasks", "region_caption,region_classification")
    taken = {"region_caption", "region_classification"}
    expected = {row["id"]: row for row in mixed.rows() if taken.issuperset(row["turn_tasks"])}
    assert by_id(cut.rows()) == expected
    assert {row["task"] for row in mixed.rows()} > {row["task"] for row in cut.rows()}


def test_a_limit_takes_whole_pictures_and_the_same_ones_each_time(mixed, made):
    few = made("subset", mixed.folder, "--limit", "4")
    pictures = {picture(row) for row in few.rows()}
    numbers = Counter(tuple(name.split("/")[:2]) for name in pictures)
    assert set(numbers.values()) == {4}
    expected = {row["id"]: row for row in mixed.rows() if picture(row) in pictures}
    assert by_id(few.rows()) == expected
    fewer = made("subset", mixed.folder, "--limit", "2", name="fewer")
    assert {picture(row) for row in fewer.rows()} < pictures
    again = made("subset", few.folder, "--limit", "2", name="again")
    assert by_id(again.rows()) == by_id(fewer.rows())
    assert len(few.manifest().shards) < len(mixed.manifest().shards)


def test_the_books_say_what_was_left_out(mixed, made):
    cut = made("subset", mixed.folder, "--sources", "refcocog", "--splits", "val", "--limit", "2")
    ledger, rows = cut.ledger(), cut.rows()
    regions = {(picture(row), each["region_id"]) for row in rows for each in row["regions"]}
    for kind, number in (
        (Kind.IMAGE, 2), (Kind.CONVERSATION, len(rows)), (Kind.ANNOTATION, len(regions)),
    ):  # fmt: skip
        account = ledger.account("refcocog", "val", Stage.SUBSET, kind)
        before = mixed.ledger().account("refcocog", "val", Stage.WRITE, kind).kept
        assert (account.read, account.kept, account.sampled_out) == (
            before,
            number,
            before - number,
        )
        assert number < before
    card = (cut.folder / "README.md").read_text("utf-8")
    assert (
        f"| `refcocog` (RefCOCOg) | val | 2 | {len(regions)} | {len(rows)} | not stated |" in card
    )
    assert "at most 2 images of a split" in card


def test_ids_of_a_list_or_of_a_difference(mixed, made, build_world, tmp_path):
    ids = [row["id"] for row in mixed.rows()[::50]]
    (tmp_path / "ids.txt").write_text("\n".join(ids) + "\n\n", encoding="utf-8")
    cut = made("subset", mixed.folder, "--ids", tmp_path / "ids.txt")
    assert by_id(cut.rows()).keys() == set(ids)
    lines = "".join(
        json.dumps({"id": name, "change": "added", "fields": []}) + "\n" for name in ids
    )
    (tmp_path / "list.jsonl").write_text(lines, encoding="utf-8")
    again = made("subset", mixed.folder, "--ids", tmp_path / "list.jsonl", name="again")
    assert again.digests() == cut.digests()


def test_nothing_that_is_not_there(mixed, refusal, tmp_path):
    ids = tmp_path / "ids.txt"
    ids.write_text("coco/train/0/region_classification/0\n", encoding="utf-8")
    assert "1 of the ids are in no record" in refusal("subset", mixed.folder, "--ids", ids)
    assert "has no source 'cocoo'; did you mean coco?" in refusal(
        "subset", mixed.folder, "--sources", "cocoo"
    )
    assert "has no split 'dev'" in refusal("subset", mixed.folder, "--splits", "dev")
    assert "has no task" in refusal("subset", mixed.folder, "--tasks", "region_reasoning")
    assert "no such split" in refusal(
        "subset", mixed.folder, "--sources", "visual_genome", "--splits", "val"
    )
    nothing = refusal(
        *("subset", mixed.folder, "--sources", "coco", "--tasks", "region_caption"),
    )
    assert "no record" in nothing
    assert "--limit 0" in refusal("subset", mixed.folder, "--limit", "0")
    assert "subset needs one of --sources" in refusal("subset", mixed.folder)
    absent = refusal("subset", mixed.folder, "--ids", tmp_path / "absent")
    assert "there is no such file" in absent


@pytest.mark.parametrize("content", ["", "{\n", '{"name": 3}\n'])
def test_a_file_that_holds_no_ids(mixed, tmp_path, content, capsys):
    ids = tmp_path / "ids.txt"
    ids.write_text(content, encoding="utf-8")
    target = str(tmp_path / "out")
    assert run(["subset", str(mixed.folder), "--ids", str(ids), "--output", target]) == 1
    assert f"{ids}: " in capsys.readouterr().err


def test_an_output_that_is_not_empty_is_left_alone(mixed, tmp_path, capsys):
    target = tmp_path / "there"
    target.mkdir()
    (target / "mine.txt").write_text("mine", encoding="utf-8")
    words = ["subset", str(mixed.folder), "--limit", "1", "--output", str(target)]
    assert run(words) == 2
    assert "holds files, such as mine.txt" in capsys.readouterr().err
    assert [path.name for path in target.iterdir()] == ["mine.txt"]


def test_a_build_does_not_go_on_in_a_subset(mixed, made, sample_world, capsys):
    cut = made("subset", mixed.folder, "--sources", "coco", "--limit", "3")
    words = ["build", "--sources", "coco", "--label-set", "Shapes-15", "--shard-size", "300KB"]
    words += ["--data-root", str(sample_world), "--output", str(cut.folder)]
    before = cut.digests()
    assert run(words) == 1
    assert "subset" in capsys.readouterr().err
    assert cut.digests() == before


def test_a_damaged_shard_is_no_part_of_an_output(mixed, tmp_path, capsys, output_of):
    damaged = shutil.copytree(mixed.folder, tmp_path / "damaged")
    shard = next(damaged.glob("coco/train-*.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1  # in the bytes of a picture
    shard.write_bytes(content)
    target = tmp_path / "cut"
    assert run(["subset", str(damaged), "--sources", "coco", "--output", str(target)]) == 1
    assert "is not what the manifest says" in capsys.readouterr().err
    assert [path for path in target.rglob("*") if path.is_file()] == []


def test_load_dataset_opens_it(mixed, made, tmp_path):
    cut = made("subset", mixed.folder, "--limit", "2")
    opened = load_dataset(str(cut.folder), cache_dir=str(tmp_path / "cache"))
    rows = Counter(row["split"] for row in cut.rows())
    assert opened.num_rows == rows
    assert opened["train"][0]["image"].size == (
        opened["train"][0]["width"],
        opened["train"][0]["height"],
    )


def test_captions_keep_their_origin(captions, made):
    cut = made("subset", captions.folder, "--limit", "3")
    card = (cut.folder / "README.md").read_text("utf-8")
    assert "## How regions were captioned" in card
    assert "`recapd` (V3Det)" in card
    number = sum(len(row["regions"]) for row in cut.rows("recapd/train*"))
    assert f"| recapd/train | 3 | {number} |" in card
