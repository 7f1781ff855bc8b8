"""Choices that an evaluation cannot offer: their question goes, with the reason, and no other.

The drawn val split gets a question for each case, all about one of its pictures.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InputFileError

A_CHOICE: list[list[Any]] = [["A", "."], [[0], "waits", "."], ["C", "."], [[1], "and", [0], "."]]
GOOD: dict[str, Any] = {
    "question": ["Why", "?"],
    "answer_choices": A_CHOICE,
    "answer_label": 1,
    "rationale_choices": A_CHOICE[::-1],
    "rationale_label": 0,
}


def answers(position: int, *tokens: Any) -> dict[str, Any]:
    return {"answer_choices": [*A_CHOICE[:position], list(tokens), *A_CHOICE[position + 1 :]]}


def rationales(position: int, *tokens: Any) -> dict[str, Any]:
    changed = [*GOOD["rationale_choices"]]
    changed[position] = list(tokens)
    return {"rationale_choices": changed}


# What is changed of a good question; the reason why it goes; how that begins.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"answer_choices": A_CHOICE[:3]}, "malformed", "answer_choices"),
    ({"rationale_choices": [*A_CHOICE, ["E"]]}, "malformed", "rationale_choices"),
    ({"answer_label": 4}, "malformed", "answer_label"),
    ({"answer_label": -1}, "malformed", "answer_label"),
    ({"rationale_label": None}, "malformed", "rationale_label"),
    (answers(2, [99]), "malformed", "answer_choices[2]: object 99 in a text"),
    (answers(3, [-1]), "malformed", "answer_choices[3]: object -1 in a text"),
    (answers(2, []), "malformed", "answer_choices[2]: a list of no objects"),
    (rationales(3, 7), "malformed", "rationale_choices[3]: "),
    (answers(0), "text_empty", "answers[0]: "),
    (answers(1), "text_empty", "answers[1]: "),
    (rationales(2, " ", "\u200b"), "text_empty", "rationales[2]: "),
    (answers(2, "<", [0], ">"), "text_unsafe", "answers[2]: "),
    (answers(2, "a" * 5000), "text_too_long", "answers[2]: "),
    (answers(3, [0], "waits", "."), "ambiguous_label", "answers[3] reads as the right one, ans"),
    (rationales(2, "\u200b", *A_CHOICE[3]), "ambiguous_label", "rationales[2] reads as the ri"),
]
OFFERED: list[dict[str, Any]] = [
    {},
    answers(2, "A", "."),  # two wrong ones read the same
    answers(2, [1], "waits", "."),  # as the right one, of another object
    answers(2, "<region1>", "###"),
]
SPOILED = [
    ("boxes", [9, 9, 1, 1, 0.9], "region_rejected"),
    ("boxes", [1, 1, 9, 9], "unknown_region"),
]


class Val:
    """The sample world's val split with further questions about a picture of two objects."""

    def __init__(self, world: Path, root: Path) -> None:
        text = (world / "vcr" / "val.jsonl").read_text(encoding="utf-8")
        self.lines = [json.loads(line) for line in text.splitlines()]
        self.own = [line["annot_id"] for line in self.lines]
        self.about = next(line for line in self.lines if len(line["objects"]) > 1)
        self.root = root
        self.folder = root / "vcr" / "vcr1images"
        for path in (world / "vcr" / "vcr1images").rglob("*.*"):
            link = self.folder / path.relative_to(world / "vcr" / "vcr1images")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)

    def ask(self, name: str, changes: dict[str, Any]) -> None:
        self.lines.append(self.about | GOOD | changes | {"annot_id": name})

    def spoil(self, key: str, position: int, value: Any) -> None:
        """Change the metadata of the picture."""
        path = self.folder / self.about["metadata_fn"]
        metadata = json.loads(path.read_bytes())
        metadata[key][position] = value
        path.unlink()
        path.write_text(json.dumps(metadata), encoding="utf-8")

    def save(self) -> Path:
        lines = "\n".join(map(json.dumps, self.lines))
        (self.root / "vcr" / "val.jsonl").write_text(lines, encoding="utf-8")
        return self.root


@pytest.fixture
def val(sample_world, tmp_path):
    return Val(sample_world, tmp_path / "root")


def lost(output) -> dict[str, tuple[str, str]]:
    """Reason and detail of every question that was refused; the others have their two records."""
    lines = [
        json.loads(line)
        for path in output.folder.glob("_rejected/*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    rejected = {
        line["id"]: (line["reason"], line["detail"]) for line in lines if line["kind"] == "question"
    }
    groups = [row["evaluation"][0]["group"] for row in output.rows()]
    assert all(groups.count(name) == 2 for name in groups)
    questions = output.ledger().sources["vcr"]["val"]["read"]["question"].read
    assert len({*groups, *rejected}) == questions == len(set(groups)) + len(rejected)
    return rejected


def test_what_cannot_be_offered_goes_alone(val, build_recipe):
    for number, (changes, _, _) in enumerate(REFUSED):
        val.ask(f"refused-{number}", changes)
    for number, changes in enumerate(OFFERED):
        val.ask(f"offered-{number}", changes)
    rejected = lost(build_recipe("eval_vcr", val.save()))
    details = [rejected.pop(f"refused-{number}") for number in range(len(REFUSED))]
    assert rejected == {}
    for (reason, detail), (_, expected, begins) in zip(details, REFUSED, strict=True):
        assert (reason, begins in detail) == (expected, True), detail


def test_training_looks_at_the_right_choices_alone(val, build_source):
    for number, (changes, _, _) in enumerate(REFUSED):
        val.ask(f"refused-{number}", changes)
    output = build_source("vcr", val.save(), request={"splits": ["val"]})
    wrong = {name for kind, name, _ in output.rejected() if kind == "question"}
    assert wrong == {f"refused-{number}" for number in (0, 1, 2, 3, 4, 10)}
    assert all(row["evaluation"] == [] for row in output.rows())


@pytest.mark.parametrize(("key", "value", "reason"), SPOILED)
def test_an_object_that_only_a_wrong_choice_names(key, value, reason, val, build_recipe):
    val.spoil(key, 1, value)
    val.ask("naming-it", {"rationale_choices": A_CHOICE, "rationale_label": 1})
    val.ask("not-naming-it", answers(3, "D") | rationales(0, "E"))
    rejected = lost(build_recipe("eval_vcr", val.save()))
    assert rejected["naming-it"][0] == reason
    assert rejected["naming-it"][1].startswith("answers[3]: ")
    assert "not-naming-it" not in rejected


def test_the_real_gd_vcr_is_refused_by_name(samples, val, build_recipe):
    root = val.save()
    look_alike = (samples / "vcr" / "gd_vcr_val_head.jsonl").read_bytes()
    (root / "vcr" / "val.jsonl").write_bytes(look_alike)
    with pytest.raises(InputFileError, match=r"val\.jsonl, line 1: .* this is GD-VCR, not VCR"):
        build_recipe("eval_vcr", root)
