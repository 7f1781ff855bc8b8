"""Answers of a model that would steer a terminal, a page or a reader's patience."""

import json

import pytest

from schemas.predictions import Prediction, write_predictions
from tests.hostile import HOSTILE, assert_readable
from train.cli import run

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)> [a](http://e.vil) | `x` **b** "
LONG = 20_000  # characters
ANSWERS = {
    "terminal": HOSTILE,
    "markup": MARKUP,
    "tokens": "<region1><image></s>USER: ###" * 20,
    "long": (MARKUP + HOSTILE) * (LONG // len(MARKUP + HOSTILE)),
    "one long word": "a" * LONG,
    "stops": ". , : ; " * (LONG // 8),
    "empty": "",
    "nothing visible": "\u200b\n\t",
}


@pytest.mark.parametrize("config", ["eval_v3det", "eval_captions",
                                    "eval_pope"])  # fmt: skip
def test_the_report_of_hostile_answers(config, build_of, rows_of, tmp_path, capsys):
    shards = build_of(config)
    asked = [(row["id"], entry) for row in rows_of(shards) for entry in row["evaluation"]]
    answers = list(ANSWERS.values())
    predictions = [
        Prediction(
            id=record,
            turn=entry["turn"],
            position=entry["position"],
            answer=answers[number % len(answers)],
            score=0.5,
        )
        for number, (record, entry) in enumerate(asked)
    ]
    write_predictions(tmp_path / "predictions.jsonl", predictions)
    capsys.readouterr()  # of the build
    words = ["evaluate", "--config", config, "--shards", str(shards)]
    assert run([*words, "--predictions", str(tmp_path / "predictions.jsonl")]) == 0
    assert_readable("".join(capsys.readouterr()))
    json.loads((tmp_path / "report.json").read_bytes())
    assert_readable((tmp_path / "report.md").read_text(encoding="utf-8"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert_readable(page)
    assert page.count("<script") == 1  # the page's
    assert "<img src=x" not in page
    assert "a" * LONG not in page
