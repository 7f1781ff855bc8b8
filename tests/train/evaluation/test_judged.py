"""Judged files in the report: one line for each judge, and only beside the answers it was given."""

import json
from hashlib import sha256

import pytest
from msgspec.structs import replace

from schemas.judged import Judged, JudgedRun, Verdict, write_judged
from train.cli import run

RUN = JudgedRun("gar", "judge-a", "0e9", 0.0, 1000, False, ("judge/truth/0",), "3b", "60")
WORDS = ["evaluate", "--config", "eval_gar"]


def verdicts(kind, right, wrong):
    return tuple(
        Verdict(
            item=f"{kind}/{number}",
            question=0,
            kind=kind,
            outcome="read",
            reply="True",
            chosen=int(number >= right),
            points=float(number < right),
        )
        for number in range(right + wrong)
    )


@pytest.fixture
def report(tmp_path):
    """Reports judged files by the command line; returns report.json and the exit status."""

    def make(*files, flags=()):
        words = [*WORDS, "--output", str(tmp_path / "out"), *flags]
        for number, judged in enumerate(files):
            path = tmp_path / f"judged-{number}.jsonl"
            write_judged(path, judged)
            words += ["--judged", str(path)]
        status = run(words)
        written = tmp_path / "out" / "report.json"
        return status, json.loads(written.read_bytes()) if written.is_file() else None

    return make


def scores(content):
    return [(each["judge"], each["name"], each["value"]) for each in content["figures"]]


def test_files_of_one_judge_make_one_line_and_another_judge_another(report):
    other = replace(RUN, judge="judge-b", pictures=True)
    status, content = report(
        Judged(RUN, verdicts("simple", 3, 1)),
        Judged(other, verdicts("simple", 1, 1)),
        Judged(RUN, verdicts("detailed", 1, 3)),
    )
    assert status == 0
    assert scores(content) == [
        (RUN.title(), "Simple", 75.0),
        (RUN.title(), "Detailed", 25.0),
        (other.title(), "Simple", 50.0),
    ]


def test_a_file_of_another_benchmark_is_refused(report, capsys):
    assert report(Judged(replace(RUN, bench="dlc"), ())) == (2, None)
    assert "judged-0.jsonl: of dlc, expected gar" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--shards=/s", "--limit=3", "--split=vqa", "--device=cpu"])
def test_judged_files_alone_take_no_flag_of_answers(report, capsys, flag):
    assert report(Judged(RUN, verdicts("simple", 1, 1)), flags=[flag]) == (2, None)
    assert f"error: {flag.partition('=')[0]}: it is for" in capsys.readouterr().err


def test_a_judge_of_other_answers_is_refused(report, build_of, tmp_path, capsys):
    shards = str(build_of("eval_gar"))
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text("", encoding="utf-8")
    flags = ["--shards", shards, "--predictions", str(predictions)]
    judged = Judged(RUN, verdicts("simple", 1, 1))
    assert report(judged, flags=flags) == (2, None)
    assert "other answers were judged than those of" in capsys.readouterr().err
    digest = sha256(predictions.read_bytes()).hexdigest()
    status, content = report(Judged(replace(RUN, predictions=digest), judged.verdicts), flags=flags)
    assert status == 0
    assert scores(content)[-1] == (RUN.title(), "Simple", 50.0)
