"""What tests of judging share: invented benchmarks, and a judge that follows rules."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RIGHT_LETTERS = ("B", "A", "C", "A")  # of the check before the first question
RIGHT_WORDS = ("True", "True", "False", "False")


def qa(thing: str) -> list[dict[str, Any]]:
    """Three questions about a thing."""
    silent, mentioned = (f"No handle of the {thing} is mentioned.", "A handle is mentioned.")
    return [
        {
            "question": "Which statement fits?",
            "type": "positive",
            "choices": [
                [f"No lid or {thing} is mentioned.", 0],
                ["A lid is mentioned, its colour is not.", 0.5],
                ["The lid has a colour other than white.", -1],
                ["The lid is white.", 1],
            ],
        },
        {
            "question": "Which statement fits?",
            "type": "negative",
            "subtype": "negative part",
            "choices": [[silent, 1], [mentioned, -1], [f"No {thing} is mentioned.", 0]],
        },
        {
            "question": "Which statement fits?",
            "type": "negative",
            "subtype": "salient negative",
            "choices": [["The spoon is mentioned.", -1], ["The spoon is not mentioned.", 1]],
        },
    ]


@dataclass(frozen=True)
class Bench:
    """An invented benchmark: its files of questions and a file of answers."""

    name: str
    questions: list[Path]
    answers: Path

    def words(self, *more: object) -> list[str]:
        """The words of a command line, without the judge."""
        files = [word for path in self.questions for word in ("--questions", path)]
        return list(map(str, ["judge", self.answers, "--bench", self.name, *files, *more]))


@pytest.fixture
def dlc(tmp_path: Path) -> Callable[..., Bench]:
    """Makes a benchmark of captions, from items and their captions."""

    def make(**captions: str) -> Bench:
        folder = tmp_path / "dlc"
        folder.mkdir(exist_ok=True)
        files = {
            "qa.json": {item.lstrip("_"): qa(f"pot{item}") for item in captions},
            "class_names.json": {item.lstrip("_"): f"pot{item}" for item in captions},
            "captions.json": {item.lstrip("_"): text for item, text in captions.items()},
        }
        for name, value in files.items():
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return Bench("dlc", [folder / "qa.json"], folder / "captions.json")

    return make


@pytest.fixture
def gar(tmp_path: Path) -> Bench:
    """A benchmark of relations: two simple captions, and a detailed one; with answers."""
    simple = [
        {
            "image": f"images/caption_simple_{number}.png",
            "question": "Where is <Prompt0> relative to <Prompt1>?",
            "answer": f"<Prompt0> is {where} <Prompt1>.",
            "mask_rles": [],
        }
        for number, where in enumerate(("on", "behind"))
    ]
    detailed = [
        {
            "image": "images/caption_detailed_0.png",
            "subject_name": "cup",
            "object_name": "table",
            "predicate_name": "on",
            "mask_rles": [],
        }
    ]
    texts = ("<Prompt0> is on top of <Prompt1>.", "<Prompt0> is near.", "A cup on a table.")
    answers = [
        {"image": record["image"], "model_output": text}
        for record, text in zip([*simple, *detailed], texts, strict=True)
    ]
    paths = [tmp_path / f"{name}.json" for name in ("simple", "detailed", "answers")]
    for path, value in zip(paths, (simple, detailed, answers), strict=True):
        path.write_text(json.dumps(value), encoding="utf-8")
    return Bench("gar", paths[:2], paths[2])


@pytest.fixture
def judging(serve: Any) -> Callable[..., Any]:
    """Starts a judge that passes the check, and then follows rules; "A" where none matches."""

    def start(*rules: dict[str, Any], **script: Any) -> Any:
        known = [
            {"match": f"^canary/{bench}/{number}$", "answer": reply}
            for bench, replies in (("dlc", RIGHT_LETTERS), ("gar", RIGHT_WORDS))
            for number, reply in enumerate(replies)
        ]
        return serve(*known, *rules, {"match": "^(?!canary)", "answer": "A"}, **script)

    return start


@pytest.fixture
def judge(command_line: Any) -> Callable[..., Any]:
    """Runs the command on a benchmark, with a server."""

    def run(bench: Bench, server: Any, *more: object) -> Any:
        return command_line(*bench.words("--endpoint", server.url, "--model", "stub", *more))

    return run


@pytest.fixture
def lines_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads a file of JSON lines without our code."""
    return lambda path: [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
