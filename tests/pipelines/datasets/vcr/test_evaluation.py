"""VCR's real choices read a second time, by other means, against what an evaluation holds of them.

The reader below knows the owner's format and the record, not the parser: it writes out each choice
from the owner's tokens. Faults that are likely are put into the code one by one; each must be seen.
"""

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_dataset
from msgspec.structs import replace

from pipelines.datasets.vcr import questions as vcr_lines
from pipelines.verify import verify
from prompts.evaluation import reasoning
from prompts.region_reasoning import ALL_OBJECTS, REASON

PIXELS = 0.01
SENTENCE_ENDS = {".", "!", "?"}
DETERMINERS = {"a", "an", "another", "each", "every", "her", "his", "its", "my", "our", "the"}
DETERMINERS |= {"their", "these", "this", "those", "your"}
SPACED = {
    "cellphone": "cell phone",
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "wineglass": "wine glass",
}
PLAIN = re.compile(r"[\w ]+|[.,?!]")  # tokens whose blanks a simple rule tells

Row = dict[str, Any]


@pytest.fixture(scope="module")
def root(vcr_root) -> Path:
    """The real lines and metadata, as if they were the owner's val split."""
    root: Path = vcr_root(lambda _: "val")
    return root


@pytest.fixture(scope="module")
def output(root, build_recipe):
    return build_recipe("eval_vcr", root)


class SecondReader:
    """The owner's lines and metadata, by question."""

    def __init__(self, root: Path) -> None:
        text = (root / "vcr" / "val.jsonl").read_text(encoding="utf-8")
        self.lines = {line["annot_id"]: line for line in map(json.loads, text.splitlines())}
        self.metadata = {
            name: json.loads((root / "vcr" / "vcr1images" / line["metadata_fn"]).read_bytes())
            for name, line in self.lines.items()
        }


@pytest.fixture(scope="module")
def reader(root) -> SecondReader:
    return SecondReader(root)


def told(tokens: list[Any], classes: list[str], row: Row, *, by_class: bool = True) -> list[str]:
    """A text in words, its objects by class and number: the person at Region [1]."""
    numbers = {int(region["region_id"]): k for k, region in enumerate(row["regions"], start=1)}
    words = []
    for before, token in zip([".", *tokens], tokens, strict=False):
        if isinstance(token, str):
            repeats = isinstance(before, list) and [token.lower()] == [classes[n] for n in before]
            words += [] if repeats else [token]
            continue
        group: list[str] = []
        for place in dict.fromkeys(token):
            name = SPACED.get(classes[place], classes[place]) if by_class else ""
            if by_class and (group or str(before).lower() not in DETERMINERS):
                name = f"the {name}"
            if not group and isinstance(before, str) and before in SENTENCE_ENDS:
                name = name.capitalize()
            group.append(f"{name} at Region [{numbers[place]}]".removeprefix(" at "))
        words.append(listed(group))
    return words


def listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def unspaced(text: str) -> str:
    return "".join(text.split())


def differences(reader: SecondReader, output) -> list[str]:
    """What the second reader finds wrong with a build."""
    rows = {row["evaluation"][0]["item_id"]: row for row in output.rows()}
    asked = {f"{name}/{part}" for name in reader.lines for part in ("answer", "rationale")}
    wrong_items = [f"{name} is on one side only" for name in asked ^ rows.keys()]
    for item_id in sorted(asked & rows.keys()):
        name, part = item_id.split("/")
        row, line = rows[item_id], reader.lines[name]
        wrong = [*wrong_regions(row, reader.metadata[name]), *wrong_choices(row, line, part)]
        wrong_items += [f"{item_id}: {each}" for each in (*wrong, *wrong_turns(row, line, part))]
    return wrong_items


def wrong_regions(row: Row, metadata: dict[str, Any]) -> list[str]:
    """All objects are listed, in the owner's order."""
    faults = []
    if [region["region_id"] for region in row["regions"]] != list(
        map(str, range(len(metadata["names"])))
    ):
        faults.append("other regions than the owner's objects")
    for number, region in enumerate(row["regions"]):
        *box, score = metadata["boxes"][number]
        if not np.allclose(region["bbox"], box, rtol=0, atol=PIXELS):
            faults.append(f"region {number} at {region['bbox']}, expected {box}")
        if region["category"] != metadata["names"][number] or abs(region["score"] - score) > 1e-6:
            faults.append(f"region {number} is a {region['category']} of {region['score']}")
    return faults


def wrong_choices(row: Row, line: dict[str, Any], part: str) -> list[str]:
    (evaluation,), label = row["evaluation"], line[f"{part}_label"]
    expected = [
        unspaced("".join(told(tokens, line["objects"], row))) for tokens in line[f"{part}_choices"]
    ]
    choices = evaluation["choices"]
    faults = []
    if [unspaced(choice) for choice in choices] != expected:
        faults.append(f"{choices}, expected {expected}")
    if evaluation["label"] != label or evaluation["references"] != [choices[label]]:
        faults.append(f"label {evaluation['label']}, {evaluation['references']}, expected {label}")
    if evaluation["group"] != line["annot_id"]:
        faults.append(f"group {evaluation['group']}")
    return faults


def wrong_turns(row: Row, line: dict[str, Any], part: str) -> list[str]:
    """The question, the right answer, and to a reason the request for it."""
    listing = listed([f"[{k}] <region{k}>" for k in range(1, len(row["regions"]) + 1)])
    opening = f"<image>\n{ALL_OBJECTS.wordings[0].replace('<region>', listing)} "
    asked, *rest = [message["content"] for message in row["messages"]]
    right = {
        name: "".join(told(line[f"{name}_choices"][line[f"{name}_label"]], line["objects"], row))
        for name in ("answer", "rationale")
    }
    expected = [right["answer"]]
    if part == "rationale":
        expected += [REASON.wordings[0], right["rationale"]]
    faults = [] if asked.startswith(opening) else [f"{asked!r} does not begin with {opening!r}"]
    question = "".join(told(line["question"], line["objects"], row, by_class=False))
    if unspaced(asked.removeprefix(opening)) != unspaced(question):
        faults.append(f"{asked!r}, expected to end with {question!r}")
    if [unspaced(text) for text in rest] != [unspaced(text) for text in expected]:
        faults.append(f"{rest}, expected {expected}")
    return faults


def test_the_second_reader_agrees(reader, output):
    assert len(reader.lines) == 60
    assert differences(reader, output) == []
    assert output.rejected() == []
    assert output.repaired() == {}


def test_blanks_stand_where_english_has_them(reader, output):
    compared = 0
    for row in output.rows():
        name, part = row["evaluation"][0]["item_id"].split("/")
        line = reader.lines[name]
        for ours, tokens in zip(
            row["evaluation"][0]["choices"], line[f"{part}_choices"], strict=True
        ):
            words = told(tokens, line["objects"], row)
            strings = [token for token in tokens if isinstance(token, str)]
            if all(map(PLAIN.fullmatch, strings)):
                assert ours == re.sub(r" (?=[.,?!])", "", " ".join(words))
                compared += 1
    assert compared > 400


def test_every_question_is_two_records_of_one_group(output):
    groups = Counter(row["evaluation"][0]["group"] for row in output.rows())
    assert len(groups) == 60
    assert set(groups.values()) == {2}
    written = output.ledger().sources["vcr"]["val"]["write"]
    assert written["question"].kept == 60
    assert written["conversation"].kept == 120


def test_a_reason_is_asked_for_with_the_right_answer_given(output):
    by_group: dict[str, dict[str, Row]] = {}
    for row in output.rows():
        group, part = row["evaluation"][0]["item_id"].split("/")
        by_group.setdefault(group, {})[part] = row
    for pair in by_group.values():
        answer, rationale = pair["answer"], pair["rationale"]
        assert rationale["messages"][:2] == answer["messages"]
        assert rationale["regions"] == answer["regions"]
        assert answer["evaluation"][0]["references"] == [answer["messages"][-1]["content"]]
        assert rationale["evaluation"][0]["references"] == [rationale["messages"][-1]["content"]]


def test_what_is_right_reads_as_in_training(root, run_build, output):
    """Wordings aside, where training too asks after the list of objects."""

    def said(row: Row) -> tuple[str, ...]:
        asked, answer, _, rationale = [message["content"] for message in row["messages"]]
        return row["id"].split("/")[2], asked.rsplit(">. ", 1)[-1], answer, rationale

    trained = run_build(root, request={"name": "vcr", "splits": ("val",)}).rows()
    ours = {said(row) for row in output.rows() if len(row["messages"]) == 4}
    theirs = {
        said(row)
        for row in trained
        if row["provenance"]["prompts"][0].startswith("region_reasoning_objects/")
    }
    assert len(theirs) > 25
    assert theirs <= ours


def test_it_verifies_and_loads(output, tmp_path):
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), "eval_vcr", split="val", cache_dir=str(tmp_path))
    assert len(loaded) == 120
    assert {len(evaluation["choices"]) for (evaluation,) in loaded["evaluation"]} == {4}


def test_parts_change_nothing(root, build_recipe, in_parts):
    small = {"shard_bytes": 200_000}
    one, several = (
        build_recipe("eval_vcr", root, **small),
        build_recipe("eval_vcr", root, **small, launch_options=in_parts),
    )
    assert len(one.digests()) > 2
    assert several.digests() == one.digests()
    assert several.rejected() == one.rejected()
    assert several.ledger() == one.ledger()


def test_the_sample_world_verifies(sample_world, build_recipe, tmp_path):
    output = build_recipe("eval_vcr", sample_world)
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), "eval_vcr", split="val", cache_dir=str(tmp_path))
    items = [item for (item,) in loaded["evaluation"]]
    assert set(Counter(item["group"] for item in items).values()) == {2}
    assert all(len(set(item["choices"])) == 4 for item in items)
    assert {item["label"] for item in items} == {0, 1, 2, 3}
    assert output.rejected() == []


def labels_from_one(key, choices_, label, categories, *, right):
    choices = right(key, choices_, label, categories)
    return replace(choices, label=max(0, label - 1))


def choices_sorted(key, choices_, label, categories, *, right):
    choices = right(key, choices_, label, categories)
    return replace(choices, passages=tuple(sorted(choices.passages, key=repr)))


def counted_from_one(tokens, categories, *, right):
    last = len(categories) - 1
    shifted = [[min(n + 1, last) for n in t] if isinstance(t, list) else t for t in tokens]
    return right(shifted, categories)


def first_choice_given(questions, *, right):
    return [replace(asked, answer=asked.answers.passages[0]) for asked in right(questions)]


def answers_for_reasons(name, asked, choices, regions, *, right):
    return right(name, asked, asked.answers, regions)


def classes_left_out(passage, regions, style, *, right):
    return [part for part in right(passage, regions, style) if not str(part).endswith(" at ")]


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (vcr_lines, "_choices", labels_from_one),
        (vcr_lines, "_choices", choices_sorted),
        (vcr_lines, "to_passage", counted_from_one),
        (reasoning, "by_class", classes_left_out),
        (reasoning, "questions", first_choice_given),
        (reasoning, "_target", answers_for_reasons),
    ],
)
def test_likely_faults_are_seen(owner, name, fault, root, reader, build_recipe, monkeypatch):
    right = getattr(owner, name)
    wrong = partial(fault, right=right)
    monkeypatch.setattr(owner, name, lambda *given: wrong(*given))
    assert differences(reader, build_recipe("eval_vcr", root)) != []
