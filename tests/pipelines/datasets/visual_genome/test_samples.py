"""Real annotations of Visual Genome, read a second time by code that shares nothing with ours.

It knows the three versions from their description and uses `json` alone.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from pipelines.verify import verify

PIXELS = 0.01  # boxes agree to so much

# All shouted phrases of the samples, as they are trained on.
LOWERED = {
    "KEYBOARD IS WHITE IN COLOUR": "keyboard is white in colour",
    "WOMAN HAS A DARK HAIR": "woman has a dark hair",
    "CHAIR IS PURPLE IN COLOUR": "chair is purple in colour",
    "some trees hAVE NO LEAVES": "some trees have no leaves",
}


class SecondReader:
    """What ought to become of the phrases in one version's files."""

    def __init__(self, folder: Path) -> None:
        self.sizes = {
            str(image["image_id"]): (image["width"], image["height"])
            for image in json.loads((folder / "image_data.json").read_text())
        }
        self.phrases: dict[str, tuple[str, list[float], str]] = {}
        self.rejected: Counter[tuple[str, str]] = Counter()
        for record in json.loads((folder / "region_descriptions.json").read_text()):
            self._phrases(str(record["id"]), record["regions"])

    def _phrases(self, image: str, regions: list[dict[str, Any]]) -> None:
        known = set()
        for region in sorted(regions, key=lambda item: int(item.get("region_id") or item["id"])):
            number = str(region.get("region_id", region.get("id")))
            box = self._box(image, *(region[key] for key in ("x", "y", "width", "height")))
            text = " ".join(region["phrase"].split())
            if (same := (tuple(box), text.lower())) in known:
                self.rejected["annotation", "duplicate"] += 1
                self.rejected["sentence", "duplicate"] += 1
            else:
                known.add(same)
                self.phrases[number] = image, box, text

    def _box(self, image: str, x: int, y: int, width: int, height: int) -> list[float]:
        right, bottom = self.sizes[image]
        return [max(0, x), max(0, y), min(right, x + width), min(bottom, y + height)]


@pytest.fixture
def case(real):
    """The second reader of a version, and what was built from it without a cap on boxes."""
    root, output = real
    return root, SecondReader(root / "visual_genome"), output


def test_every_phrase_stands_at_its_region(case, turns_in):
    _, reader, output = case
    read_back = {
        region["region_id"]: (image, region["bbox"], answer)
        for image, (region,), answer in turns_in(output, "region_caption")
    }
    assert read_back.keys() == reader.phrases.keys()
    for number, (image, box, text) in reader.phrases.items():
        assert read_back[number][0] == image
        assert read_back[number][1] == pytest.approx(box, abs=PIXELS)
        assert read_back[number][2] == LOWERED.get(text, text)


def test_no_text_is_tokenised(case, tokenised_in):
    assert tokenised_in(case[2]) == []


def test_what_is_left_out_and_why(case):
    _, reader, output = case
    assert not output.sampled_out()
    counts = Counter(
        (kind, reason)
        for kind, name, reason in output.rejected()
        if not name.startswith(("object/", "relationship/"))
    )
    assert counts == reader.rejected
    assert verify(str(output.folder)).problems == []


def test_counts_that_are_known(case):
    root, reader, output = case
    text = (root / "visual_genome" / "region_descriptions.json").read_text()
    phrases = [
        (record["id"], region["phrase"])
        for record in json.loads(text)
        for region in record["regions"]
    ]
    if "region_id" in text:
        assert len(phrases) == 1278
        assert sum(phrase != phrase.strip() for _, phrase in phrases) == 90
        assert sum("\n" in phrase for _, phrase in phrases) == 13
        plain = {(image, " ".join(phrase.lower().split())) for image, phrase in phrases}
        assert len(phrases) - len(plain) == 77
    else:
        assert len(phrases) == 1288
    assert len(reader.phrases) == len(phrases)  # what repeats is said of another box
    accounts = output.ledger().sources["visual_genome"]["train"]["read"]
    assert accounts["sentence"].kept == len(phrases)


def test_parts_decide_nothing(case, run_build, in_parts):
    root, _, output = case
    request = {"name": "visual_genome"}
    again = run_build(root, request=request, per_image=10_000, launch_options=in_parts, guard=False)
    assert again.digests() == output.digests()
    assert again.ledger() == output.ledger()


def test_the_paper_s_cap(case, run_build):
    root, _, _ = case
    output = run_build(root, request={"name": "visual_genome"}, guard=False)
    output.ledger()
    for task in ("region_caption", "region_relationship"):
        boxes: dict[str, set[str]] = {}
        for row in (row for row in output.rows() if row["task"] == task):
            boxes.setdefault(row["id"].split("/")[2], set()).update(
                region["region_id"] for region in row["regions"]
            )
        assert len(boxes) == 5
        assert all(0 < len(several) <= 10 for several in boxes.values())


def test_datasets_opens_it(case, tmp_path):
    _, reader, output = case
    loaded = load_dataset(str(output.folder), "visual_genome", cache_dir=str(tmp_path))
    assert loaded["train"].num_rows == len(output.rows())
    row = loaded["train"][0]
    assert row["image"].size == reader.sizes[row["id"].split("/")[2]]
