"""`merge` holds the records of all builds as they were, or says why they do not go together."""

import json

import pytest
from datasets import load_dataset

from pipelines.cli.parser import run
from pipelines.verify import verify


def by_id(*outputs):
    return {row["id"]: row for output in outputs for row in output.rows()}


def test_builds_of_several_sources(mixed, captions, made, tmp_path):
    both = made("merge", mixed.folder, captions.folder)
    assert both.digests() == mixed.digests() | captions.digests()
    assert both.rejected() == sorted(mixed.rejected() + captions.rejected())
    sources = mixed.ledger().sources | captions.ledger().sources
    assert both.ledger().sources == sources
    opened = load_dataset(str(both.folder), cache_dir=str(tmp_path / "cache"))
    assert sum(opened.num_rows.values()) == len(by_id(mixed, captions))
    captioned = load_dataset(str(both.folder), "recapd", cache_dir=str(tmp_path / "cache"))
    assert sum(captioned.num_rows.values()) == len(captions.rows())
    card = (both.folder / "README.md").read_text("utf-8")
    assert "United from 2 builds" in card
    assert "- `recapd`: recipe `recapd`, seed 0" in card
    assert "## How regions were captioned" in card


def test_builds_by_other_recipes_keep_what_their_records_say(
    coco_file, run_build, build_world, made
):
    one = run_build(coco_file().good(1, 2).save(), name="mine", seed=7)
    other = build_world("build", "--sources", "refcocog", "--limit", "2")
    both = made("merge", one.folder, other.folder)
    stamps = {row["source"]: row["provenance"] for row in both.rows()}
    assert (stamps["coco"]["recipe"], stamps["coco"]["seed"]) == ("mine", 7)
    assert (stamps["refcocog"]["recipe"], stamps["refcocog"]["seed"]) == ("all", 0)
    thrice = made(
        "merge", both.folder, build_world("build", "--sources", "vcr").folder, name="more"
    )
    assert thrice.manifest().identity.recipe_of("coco") == {"name": "mine", "seed": 7}


def test_what_was_cut_is_united_again(mixed, made):
    cuts = [
        made("subset", mixed.folder, "--splits", split, name=split).folder
        for split in ("train", "val", "test")
    ]
    united = made("merge", *cuts)
    assert united.digests() == mixed.digests()
    assert united.ledger().sources == mixed.ledger().sources
    assert united.rejected() == mixed.rejected()
    assert run(["diff", str(mixed.folder), str(united.folder)]) == 0


@pytest.fixture
def halves(coco_file, run_build):
    """Two builds of a user's own files with other pictures, in the same split."""
    left = run_build(coco_file().good(1, 4, 5).save(), shard_bytes=4_000)
    return left, run_build(coco_file().good(2, 3, 6).save(), shard_bytes=4_000)


def test_pictures_of_a_split_are_interleaved(halves, made):
    united = made("merge", *(half.folder for half in halves))
    assert by_id(united) == by_id(*halves)
    assert united.images() == list("123456")
    assert len(united.manifest().shards) == sum(len(half.manifest().shards) for half in halves)
    assert len(united.manifest().identity.inputs) == 2
    backwards = made("merge", *(half.folder for half in reversed(halves)), name="backwards")
    assert backwards.digests() == united.digests()
    card = (united.folder / "README.md").read_text("utf-8")
    assert "| `coco` (a user's own file) | train | 6 | 12 | 6 |" in card


def test_the_same_picture_twice_is_refused(halves, coco_file, run_build, refusal):
    again = run_build(coco_file().good(5, 9).save(), shard_bytes=4_000)
    error = refusal("merge", halves[0].folder, again.folder)
    assert "two of the builds hold the picture 5 in coco/train" in error


def test_sources_that_were_made_differently_are_refused(coco_file, run_build, refusal):
    one = run_build(coco_file().good(1, 2).save())
    for options, text in (
        ({"per_category": 1}, "per_category (none, now 1)"),
        ({"seed": 5}, "seed (0, now 5)"),
        ({"name": "mine"}, "name ('all', now 'mine')"),
    ):
        other = run_build(coco_file().good(3, 4).save(), **options)
        error = refusal("merge", one.folder, other.folder)
        assert "coco was made differently" in error
        assert text in error


def test_pictures_inside_and_outside_do_not_mix(halves, coco_file, run_build, refusal):
    other = run_build(coco_file().good(8).save(), images="reference")
    error = refusal("merge", halves[0].folder, other.folder)
    assert "images ('embed', now 'reference')" in error


def test_a_guard_that_differs_is_not_claimed(coco_file, run_build, build_world, made):
    one = run_build(coco_file().good(1, 2).save())  # no list is below its data root
    other = build_world("build", "--sources", "refcocog", "--limit", "2")
    both = made("merge", one.folder, other.folder)
    card = (both.folder / "README.md").read_text("utf-8")
    assert "**not guarded**: its list is not the same in all parts" in card
    assert all(item.sha256 == "" for item in both.manifest().identity.guard)


def test_one_build_is_no_merge(mixed, refusal, capsys, tmp_path):
    assert "two or more builds" in refusal("merge", mixed.folder)
    assert "named twice" in refusal("merge", mixed.folder, f"{mixed.folder}/")


def test_a_document(mixed, captions, sample_world, tmp_path, capsys):
    capsys.readouterr()
    words = ["merge", str(mixed.folder), str(captions.folder), "--json"]
    assert run([*words, "--output", str(tmp_path / "both")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["command"], shown["config"]) == ("merge", "merged")
    assert shown["records"] == len(by_id(mixed, captions))
    assert {"source": "recapd", "split": "val", "records": 5} in shown["splits"]
    # The pictures are those of the owners.
    assert verify(str(tmp_path / "both"), data_root=str(sample_world)).problems == []
