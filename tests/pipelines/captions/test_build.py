"""RecapD in a build: what `recap` said of regions goes with their classes, word for word."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.sample import Task

CLASS, DETAIL = str(Task.REGION_CLASSIFICATION), str(Task.REGION_DETAILED_CAPTION)
PHRASE = {"kind": "phrase", "text": "a mug", "clip": None, "clip_min": None, "judge": 0.5}
FEW = ("--limit", 10)
REGION = re.compile(r"<region(\d+)>")


def sides(output: Any, source: str = "v3det") -> list[dict[str, Any]]:
    """The records of a source."""
    return [row for row in output.rows() if row["source"] == source]


def asked(row: dict[str, Any], task: str) -> dict[str, str]:
    """The answers of a task's turns that ask about one region each, by region id."""
    scored: dict[str, str] = {}
    for turn, each in enumerate(row["turn_tasks"]):
        if each == task:
            request, answer = (row["messages"][2 * turn + side]["content"] for side in (0, 1))
            (number,) = REGION.findall(request)
            scored[row["regions"][int(number) - 1]["region_id"]] = answer
    return scored


def name_of(row: dict[str, Any]) -> str:
    return str(row["image"]["path"].rpartition("/")[2])


@pytest.fixture(scope="module")
def mix(command_line, finetune_words, captioned_once, output_of, tmp_path_factory):
    """RegionGPT's mix, built; and what was said."""
    folder = tmp_path_factory.mktemp("mix") / "mix"
    done = command_line(*finetune_words, "--output", folder, "--recapd", captioned_once)
    assert done.returncode == 0, done.stderr
    return output_of(folder), " ".join((done.stdout + done.stderr).split())


def test_the_mix_is_whole(mix, captions_of, captioned_once):
    output, console = mix
    output.ledger()
    assert verify(str(output.folder)).problems == []
    loaded = datasets.load_dataset(str(output.folder), "regiongpt_finetune", split="train")
    assert len(loaded) == len(output.rows())
    number = sum(split == "train" for split, _, _ in captions_of(captioned_once))
    line = f"v3det/train: captions for {number} of {number} drawn regions"
    assert line in console
    card = (output.folder / "README.md").read_text(encoding="utf-8")
    assert f"\n- {line}\n" in card
    images = {name_of(row) for row in sides(output)}
    assert f"| v3det/train | {len(images)} | {number} |" in card
    (file,) = [item for item in output.manifest().identity.inputs if item.role == "recapd"]
    assert (file.source, file.split, file.name) == ("v3det", "train", "manifest.json")


def test_class_and_caption_are_asked_of_the_same_regions(mix, captions_of, captioned_once):
    output, _ = mix
    known = captions_of(captioned_once)
    met = set()
    classes_of: dict[str, set[str]] = defaultdict(set)
    captions_of_image: dict[str, set[str]] = defaultdict(set)
    kinds_of: dict[str, set[str]] = defaultdict(set)
    for row in sides(output):
        classes, captions = asked(row, CLASS), asked(row, DETAIL)
        assert len(row["turn_tasks"]) == len(classes) + len(captions)
        assert [region["region_id"] for region in row["regions"]] == list(classes or captions)
        if classes and captions:
            assert row["turn_tasks"] == sorted(row["turn_tasks"])  # classes come first
            assert classes.keys() == captions.keys()
        classes_of[name_of(row)] |= classes.keys()
        captions_of_image[name_of(row)] |= captions.keys()
        kinds_of[name_of(row)].add(row["task"])
        for region in row["regions"]:
            key = row["split"], name_of(row), region["region_id"]
            caption = known[key]
            met.add(key)
            assert captions.get(region["region_id"], caption.text) == caption.text
            assert region["caption"] == caption.text
            assert region["captions"] == caption.texts
            assert region["score"] is None
            by = row["provenance"]
            assert by["captioner_model"] == caption.model
            assert by["captioner_sampling"] == caption.sampling
            assert by["global_caption"] == caption.global_caption
    assert met == {key for key in known if key[0] == "train"}
    assert classes_of == captions_of_image
    # Of about half of the images, the captions stand in a conversation of their own.
    kinds = [frozenset(kinds) for kinds in kinds_of.values()]
    assert set(kinds) == {frozenset({"multi_task"}), frozenset({CLASS, DETAIL})}
    assert 0.2 < kinds.count(frozenset({"multi_task"})) / len(kinds) < 0.8
    others = [row for row in output.rows() if row["source"] != "v3det"]
    assert others
    for row in others:
        assert row["provenance"]["captioner_model"] is None
        assert row["provenance"]["scorer"] is None
        assert not any(region["caption"] or region["captions"] for region in row["regions"])


def test_scores_come_along(altered, commands, output_of, tmp_path):
    scores = iter(range(1, 1000))

    def score(rows):
        for row in rows:
            for region in row["regions"]:
                region["captions"][0]["clip"] = next(scores) / 1024
                region["captions"][0]["clip_min"] = -0.5
                region["captions"].append(PHRASE)
            row["provenance"] |= {"scorer": "hash", "judge_model": "judge"}
        return rows

    folder = altered(score)
    assert commands.build(tmp_path / "out", "--recapd", folder, "--merge")[0] == 0
    output = output_of(tmp_path / "out")
    rows = [row for row in sides(output) if row["split"] == "train" and asked(row, DETAIL)]
    texts = [text for row in rows for region in row["regions"] for text in region["captions"]]
    clips = [text["clip"] for text in texts if text["kind"] == "paragraph"]
    assert sorted(clips) == [number / 1024 for number in range(1, next(scores))]
    assert {text["clip_min"] for text in texts} == {-0.5, None}
    assert [text for text in texts if text["kind"] == "phrase"] == [PHRASE] * len(clips)
    by = {(row["provenance"]["scorer"], row["provenance"]["judge_model"]) for row in rows}
    assert by == {("hash", "judge")}
    assert verify(str(output.folder)).problems == []


def test_workers_and_parts_decide_nothing(
    mix, new_process, finetune_words, captioned_once, sample_world, in_parts, output_of, tmp_path
):
    output, _ = mix
    two = ["--output", tmp_path / "two", "--workers", 2]
    done = new_process(*finetune_words, *two, "--recapd", captioned_once)
    assert done.returncode == 0, done.stderr
    paths = {"recapd": str(captioned_once / "manifest.json")}
    alone = {}
    for name, launch_options in (("one", LaunchOptions()), ("three", in_parts)):
        source = SourceRequest(name="v3det", splits=("train",), paths=paths, per_category=10)
        recipe = Recipe(sources=(source,), merge=True)
        launch(make_plan(recipe, str(sample_world), str(tmp_path / name)), launch_options)
        alone[name] = output_of(tmp_path / name)
    for first, second in ((output, output_of(tmp_path / "two")), (alone["one"], alone["three"])):
        assert first.digests() == second.digests()
        assert first.rejected() == second.rejected()
        assert first.ledger() == second.ledger()
        for name in ("README.md", "manifest.json"):
            card = (second.folder / name).read_text(encoding="utf-8")
            expected = (first.folder / name).read_text(encoding="utf-8")
            assert card.replace(str(second.folder), "") == expected.replace(str(first.folder), "")


@pytest.mark.parametrize("source", ["coco", "lvis", "v3det"])
def test_any_source_with_classes(commands, output_of, tmp_path, source):
    folder = commands.recap(tmp_path / "recapd", *FEW, source=source)
    together, apart = tmp_path / "together", tmp_path / "apart"
    words = ["--recapd", folder, *FEW]
    status, console = commands.build(together, *words, "--merge", source=source)
    assert status == 0
    counts = re.findall(rf"{source}/\w+: captions for (\d+) of (\d+) drawn regions", console)
    assert counts
    assert all(number == regions != "0" for number, regions in counts)
    assert counts[0] in re.findall(
        r"captions for (\d+) of (\d+)", commands.build(apart, *words, source=source)[1]
    )
    for output in map(output_of, (together, apart)):
        output.ledger()
        assert verify(str(output.folder)).problems == []
        rows = output.rows()
        assert all(row["provenance"]["captioner_model"] for row in rows)
        records = Counter(
            row["id"].rsplit("/", 2)[0] for row in rows if DETAIL in row["turn_tasks"]
        )
        assert set(records.values()) == {1}
        # Kept apart, a region and its caption stand in two records, and count once.
        described = sum(len(asked(row, DETAIL)) for row in rows)
        assert described == sum(shard.captions for shard in output.manifest().shards)
        assert described == sum(int(number) for number, _ in counts)
    assert {row["task"] for row in output_of(together).rows()} == {"multi_task", CLASS, DETAIL}
    assert {row["task"] for row in output_of(apart).rows()} == {CLASS, DETAIL}


def test_the_other_style(commands, captioned, output_of, tmp_path):
    style = ["--style", "gpt4roi", "--recapd", captioned]
    assert commands.build(tmp_path / "out", *style, "--merge")[0] == 0
    output = output_of(tmp_path / "out")
    output.ledger()
    assert verify(str(output.folder)).problems == []
    assert {row["task"] for row in output.rows()} == {"multi_task", CLASS, DETAIL}


def test_a_filter_leaves_classes(altered, commands, output_of, captions_of, tmp_path):
    """What CLIP took for another region's has no caption, but its class is asked for."""
    left = set()

    def filtered(rows):
        for row in rows:
            del row["regions"][1:]
            left.add(row["regions"][0]["region_id"])
        return rows[1:]

    folder = altered(filtered)
    status, console = commands.finetune(tmp_path / "out", "--recapd", folder)
    assert status == 0
    output = output_of(tmp_path / "out")
    output.ledger()
    assert verify(str(output.folder)).problems == []
    captions = {key: text for row in sides(output) for key, text in asked(row, DETAIL).items()}
    classes = {key for row in sides(output) for key in asked(row, CLASS)}
    known = {
        key[2]: caption.text for key, caption in captions_of(folder).items() if key[0] == "train"
    }
    assert captions == known
    assert len(captions) == len(left) - 1
    assert captions.keys() < classes
    assert f"captions for {len(captions)} of {len(classes)} drawn regions" in console
    assert {row["task"] for row in sides(output)} == {"multi_task", CLASS, DETAIL}
    account = output.ledger().account("v3det", "train", Stage.WRITE, Kind.SENTENCE)
    assert account.kept == len(captions)


def test_a_dry_run_reads_captions(commands, captioned, tmp_path):
    status, console = commands.build(tmp_path / "out", "--recapd", captioned, "--dry-run")
    assert (status, "would write about" in console) == (0, True)
    assert not (tmp_path / "out").exists()


def test_a_build_goes_on_and_knows_other_captions(commands, captioned, altered, tmp_path):
    def words(rows):
        rows[0]["regions"][0]["caption"] += " Indeed."
        return rows

    out: Path = tmp_path / "out"
    assert commands.build(out, "--recapd", captioned)[0] == 0
    assert commands.build(out, "--recapd", captioned)[0] == 0
    status, console = commands.build(out, "--recapd", altered(words))
    assert (status, "differs in v3det: the input files (manifest.json)" in console) == (1, True)


def test_captions_are_not_replaced_by_the_build_that_reads_them(commands, captioned, tmp_path):
    (tmp_path / "link").symlink_to(captioned)
    before = {path: path.read_bytes() for path in captioned.rglob("*") if path.is_file()}
    status, console = commands.build(tmp_path / "link", "--recapd", captioned, "--rebuild")
    assert (status, "--recapd and --output are the same folder" in console) == (2, True)
    assert {path: path.read_bytes() for path in captioned.rglob("*") if path.is_file()} == before
