"""VCR's real lines read a second time, by other means, against what was built of them.

The reader below knows the owner's format and the record, not the parser: it turns both the
owner's tokens and the record's words into letters and object numbers, and compares those. Faults
that such builds are known to have are put into the code one by one; each must be seen.

Length: the faults are held against the same reader as the sound build.
"""

import json
import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset
from msgspec.structs import replace
from pycocotools import mask as rle

from pipelines.datasets.vcr import questions as vcr_lines
from pipelines.datasets.vcr import stills as vcr_stills
from pipelines.datasets.vcr import text as vcr_text
from pipelines.verify import verify
from prompts import dialogue
from schemas.rejection import Reason, Rejected
from schemas.style import Style

PIXELS = 0.01
HELD_OUT = {"train-8", "train-33"}  # images that the tests put into the other split
VCR = {"name": "vcr"}


@pytest.fixture(scope="module")
def root(vcr_root) -> Path:
    """The real lines and metadata, some held out."""
    root: Path = vcr_root(lambda img_id: "val" if img_id in HELD_OUT else "train")
    return root


class SecondReader:
    """The owner's lines and metadata, by record id."""

    def __init__(self, root: Path) -> None:
        self.lines: dict[str, dict[str, Any]] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        for split in ("train", "val"):
            text = (root / "vcr" / f"{split}.jsonl").read_text(encoding="utf-8")
            by_image = defaultdict(list)
            for line in map(json.loads, text.splitlines()):
                by_image[line["img_id"]].append(line)
            for img_id, several in by_image.items():
                several.sort(key=lambda line: int(line["annot_id"].split("-")[1]))
                for ordinal, line in enumerate(several):
                    record = f"vcr/{split}/{img_id}/region_reasoning/{ordinal}"
                    self.lines[record] = line
                    path = root / "vcr" / "vcr1images" / line["metadata_fn"]
                    self.metadata[record] = json.loads(path.read_text(encoding="utf-8"))

    def texts(self, record: str) -> list[list[Any]]:
        line = self.lines[record]
        return [
            line["question"],
            line["answer_choices"][line["answer_label"]],
            line["rationale_choices"][line["rationale_label"]],
        ]

    def mentioned(self, record: str) -> set[int]:
        return {
            n for tokens in self.texts(record) for t in tokens if isinstance(t, list) for n in t
        }


def letters(text: str) -> str:
    """Letters, digits and marks <n>; a list of marks without what joins them."""
    plain = "".join(c for c in text.lower() if c.isalnum() or c in "<>")
    while (fewer := re.sub(r"><?and<", "><", plain)) != plain:
        plain = fewer
    return plain


def of_tokens(tokens: list[Any], classes: list[str]) -> str:
    """An owner's text; a class name written after its number is one word with it."""
    words = []
    for before, token in zip(["", *tokens], tokens, strict=False):
        if isinstance(token, list):
            words += [f"<{number}>" for number in token]
        elif not (isinstance(before, list) and len(before) == 1 and token == classes[before[0]]):
            words.append(token)
    return letters(" ".join(words))


def of_answer(text: str, row: dict[str, Any]) -> str:
    """A record's answer; `person at region1` must be what it is called, else it stays as it is."""

    def mark(match: re.Match[str]) -> str:
        region = row["regions"][int(match[2]) - 1]
        name = match[1].replace(" ", "").lower()
        if not name.endswith(region["category"]):
            return match[0]
        spaced = r" ?".join(region["category"])
        before = re.sub(f"{spaced}$", "", match[1], flags=re.IGNORECASE)
        return f"{before}<{region['region_id']}>"

    marked = letters(re.sub(r"([A-Za-z ]+) at (?:region|Region \[)(\d+)\]?", mark, text))
    return without_articles(marked)


def bare(counted: str) -> str:
    """A text without what may stand between its numbers, or before them."""
    return re.sub(r"the(?=\d)|and", "", counted)


def without_articles(marked: str) -> str:
    """A text without "the" before its marks, where it is ours in RegionGPT's style."""
    return letters(marked.replace("the<", "<"))


def of_question(text: str, row: dict[str, Any]) -> str:
    """A record's question, without the image and the list of regions before it."""

    def mark(match: re.Match[str]) -> str:
        return f"<{row['regions'][int(match[1]) - 1]['region_id']}>"

    if row["provenance"]["prompts"][0].startswith("region_reasoning_objects/"):
        text = re.split(r"<region\d+>\. ", text)[-1]
    text = text.split("\n")[-1]
    text = re.sub(r"(?:(?:region\d+|\[\d+\]) )?<region(\d+)>", r"region\1", text)
    return letters(re.sub(r"(?:region|Region \[)(\d+)\]?", mark, text))


def shown(row: dict[str, Any]) -> list[str]:
    """What a record asks, answers and explains."""
    question, answer, _, rationale = [message["content"] for message in row["messages"]]
    return [of_question(question, row), of_answer(answer, row), of_answer(rationale, row)]


def differences(reader: SecondReader, output) -> list[str]:
    """What the second reader finds wrong with a build."""
    rows = {row["id"]: row for row in output.rows()}
    faults = [f"{record} is missing" for record in reader.lines.keys() - rows.keys()]
    faults += [f"{record} is none of the owner's" for record in rows.keys() - reader.lines.keys()]
    for record in sorted(rows.keys() & reader.lines.keys()):
        row, classes = rows[record], reader.lines[record]["objects"]
        question, *answers = [of_tokens(tokens, classes) for tokens in reader.texts(record)]
        expected = [question, *map(without_articles, answers)]
        if shown(row) != expected:
            faults.append(f"{record}: {shown(row)}, expected {expected}")
        faults += [f"{record}: {wrong}" for wrong in wrong_regions(row, reader.metadata[record])]
        if listed := row["provenance"]["prompts"][0].startswith("region_reasoning_objects/"):
            ids = [int(region["region_id"]) for region in row["regions"]]
            if ids != list(range(len(classes))):
                faults.append(f"{record}: {ids} are listed of {len(classes)} objects")
        if not listed and len(row["regions"]) != len(reader.mentioned(record)):
            faults.append(f"{record}: {len(row['regions'])} regions")
    return faults


def wrong_regions(row: dict[str, Any], metadata: dict[str, Any]) -> list[str]:
    faults = []
    for region in row["regions"]:
        number = int(region["region_id"])
        *box, score = metadata["boxes"][number]
        if not np.allclose(region["bbox"], box, rtol=0, atol=PIXELS):
            faults.append(f"region {number} at {region['bbox']}, expected {box}")
        if region["category"] != metadata["names"][number]:
            faults.append(f"region {number} is a {region['category']}")
        if abs(region["score"] - score) > 1e-6:
            faults.append(f"region {number} scores {region['score']}, expected {score}")
    return faults


@pytest.fixture(scope="module")
def reader(root) -> SecondReader:
    return SecondReader(root)


@pytest.fixture(scope="module", params=Style)
def output(request, root, run_build):
    return run_build(root, request=VCR, style=request.param)


def test_the_second_reader_agrees(reader, output):
    assert len(reader.lines) == 60
    assert differences(reader, output) == []


def test_kept_and_rejected(reader, output):
    listed = {
        row["id"].rsplit("/", 1)[0]
        for row in output.rows()
        if row["provenance"]["prompts"][0].startswith("region_reasoning_objects/")
    }
    used: dict[str, set[int]] = defaultdict(set)
    objects: dict[str, int] = {}
    for record, line in reader.lines.items():
        image = record.rsplit("/", 1)[0]
        objects[image] = len(line["objects"])
        used[image] |= set(range(objects[image])) if image in listed else reader.mentioned(record)
    unused = sum(count - len(used[image]) for image, count in objects.items())
    assert unused > 0
    assert Counter((kind, reason) for kind, _, reason in output.rejected()) == {
        ("annotation", "not_used"): unused
    }
    assert output.repaired() == {}
    assert not output.sampled_out()
    written = output.ledger().sources["vcr"]
    assert sum(split["write"]["question"].kept for split in written.values()) == 60
    assert sum(split["read"]["annotation"].read for split in written.values()) == 211


def test_every_format_occurs(output):
    layouts = Counter(
        (row["provenance"]["prompts"][0] == "region_reasoning/as_asked", len(row["regions"]) == 1)
        for row in output.rows()
    )
    assert layouts[True, True] > 8  # one region, in the question
    assert layouts[True, False] > 8  # several
    assert layouts[False, False] > 20  # all objects first


def test_masks_are_the_owners_polygons(reader, output):
    for row in output.rows("vcr/val-*.arrow"):
        size = [row["height"], row["width"]]
        metadata = reader.metadata[row["id"]]
        for region in row["regions"]:
            polygons = metadata["segms"][int(region["region_id"])]
            flat = [[float(v) for corner in polygon for v in corner] for polygon in polygons]
            whole = rle.merge(rle.frPyObjects([p for p in flat if len(p) > 4], *size))
            stored = {"size": size, "counts": region["mask"]["counts"].encode()}
            assert np.array_equal(rle.decode(stored), rle.decode(whole))


def test_texts_are_those_of_the_original_strings(reader, output):
    """The owner's own strings count from 1; a few differ from the owner's own tokens."""
    agree = total = 0
    for row in output.rows():
        line = reader.lines[row["id"]]
        strings = [line[f"{part}_orig"] for part in ("question", "answer", "rationale")]
        for ours, theirs in zip(shown(row), strings, strict=True):
            counted = re.sub(r"<(\d+)>", lambda match: str(int(match[1]) + 1), ours)
            plain = re.sub(r"(person|tie)(?=\d)|(?<=\d)(person|tie)", "", theirs.lower())
            agree += bare(letters(plain)) == bare(counted)
            total += 1
    assert total == 180
    assert agree >= 0.98 * total


def test_texts_read_as_english(output):
    for row in output.rows():
        for message in row["messages"]:
            text = message["content"].replace("<image>\n", "")
            assert not re.search(r" [.,;:!?)']|' (s|t|re|ve|ll|d|m)\b|  |\( ", text)
            assert text[0].isupper()
            assert re.search(r"[.?!]$", text)


def test_it_verifies_and_loads(output, tmp_path):
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), "vcr", cache_dir=str(tmp_path))
    assert {split: len(loaded[split]) for split in loaded} == {"train": 54, "val": 6}
    assert loaded["val"][0]["image"].size == (1920, 1040)


def test_parts_change_nothing(root, run_build, in_parts):
    small = {"request": VCR, "shard_bytes": 200_000}
    one, several = run_build(root, **small), run_build(root, **small, launch_options=in_parts)
    assert len(one.digests()) > 2
    assert several.digests() == one.digests()
    assert several.rejected() == one.rejected()
    assert several.ledger() == one.ledger()


def test_the_order_of_lines_changes_nothing(root, run_build, tmp_path):
    (tmp_path / "vcr").mkdir()
    (tmp_path / "vcr" / "vcr1images").symlink_to(root / "vcr" / "vcr1images")
    for split in ("train", "val"):
        lines = (root / "vcr" / f"{split}.jsonl").read_bytes().splitlines()
        (tmp_path / "vcr" / f"{split}.jsonl").write_bytes(b"\r\n".join(lines[::-1]))
    turned, straight = (run_build(folder, request=VCR) for folder in (tmp_path, root))
    assert turned.digests() == straight.digests()


def test_a_limit(root, run_build):
    output = run_build(root, request=VCR, limit=2)
    assert len(set(output.images())) == 4
    read = output.ledger().sources["vcr"]["train"]["read"]
    assert (read["image"].read, read["image"].kept, read["image"].sampled_out) == (18, 2, 16)
    assert read["question"].read == read["question"].kept + read["question"].sampled_out == 54


def names_off_by_one(tokens, categories, *, right):
    """Look up the class by the number counted from 1, in a list counted from 0."""
    return right(tokens, [*categories[1:], categories[0]])


def counted_from_one(tokens, categories, *, right):
    last = len(categories) - 1
    shifted = [[min(n + 1, last) for n in t] if isinstance(t, list) else t for t in tokens]
    return right(shifted, categories)


def last_object_dropped(metadata, *, right):
    *taken, last = right(metadata)[0]
    return taken, [(last.region_id, Rejected(Reason.MALFORMED, "beyond the end of the list"))]


def digits_replaced_one_by_one(style, number, *, right):
    return "".join(right(style, int(digit)) for digit in str(number))


def name_with_a_blank(style, number, *, right):
    return right(style, number).replace("region", "region ")


def answer_for_reason(asked, *, right, **known):
    question = right(asked, **known)
    return replace(question, rationale=question.answer)


def last_word_dropped(tokens, categories, *, right):
    return right([*tokens[:-2], tokens[-1]], categories)


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (vcr_lines, "to_passage", names_off_by_one),
        (vcr_lines, "to_passage", counted_from_one),
        (vcr_stills, "regions", last_object_dropped),
        (dialogue, "named", digits_replaced_one_by_one),
        (dialogue, "named", name_with_a_blank),
        (vcr_stills, "read_question", answer_for_reason),
        (vcr_text, "_units", last_word_dropped),
    ],
)
def test_known_faults_are_seen(owner, name, fault, root, reader, run_build, monkeypatch):
    right = getattr(owner, name)
    wrong = partial(fault, right=right)
    monkeypatch.setattr(owner, name, lambda *given, **known: wrong(*given, **known))
    assert differences(reader, run_build(root, request=VCR, style=Style.GPT4ROI))
