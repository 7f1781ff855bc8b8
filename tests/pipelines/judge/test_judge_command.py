"""The command `judge`, from files to the judged file, with a server that replies as it is told."""

import json
from collections import Counter

import pytest

from schemas.judged import read_judged
from train.evaluation.metrics.dlc import dlc as score_dlc
from train.evaluation.metrics.gar import gar_captions

WHITE = {"prompt": "white lid(.|\n)*lid is white", "answer": "D. The lid is white."}
YES = {"prompt": "Kind: ", "answer": "A. Yes"}
HANDLE = {"prompt": "handle", "answer": "A"}
SPOON = {"prompt": "The spoon is", "answer": "B"}


def test_the_captions_of_dlc_bench_are_judged(dlc, judging, judge, lines_of, tmp_path):
    bench = dlc(_901="A blue teapot with a white lid.", _902="A spoon.")
    no = {"prompt": "A spoon.(.|\n)*Kind", "answer": "B. No"}
    server = judging(no, YES, WHITE, HANDLE, SPOON)
    output = tmp_path / "judged.jsonl"
    done = judge(bench, server, "--output", output, "--revision", "0e9")
    assert done.returncode == 0, done.stderr
    run, *verdicts = lines_of(output)
    assert {name: run[name] for name in ("bench", "judge", "revision", "pictures")} == {
        "bench": "dlc",
        "judge": "stub",
        "revision": "0e9",
        "pictures": False,
    }
    assert (run["temperature"], run["max_tokens"]) == (0.0, 300)
    assert [prompt.split("/")[0] for prompt in run["prompts"]] == [
        "judge_recognition",
        "judge_choice",
    ]
    names = ("item", "question", "kind", "chosen", "points", "words")
    assert [tuple(each[name] for name in names) for each in verdicts] == [
        ("901", 0, "recognition", 0, 1.0, 7),
        ("901", 1, "positive", 3, 1.0, 7),
        ("901", 2, "negative", 0, 1.0, 7),
        ("901", 3, "negative", 1, 1.0, 7),
        ("902", 0, "recognition", 1, 0.0, 2),
        ("902", 1, "positive", 0, 0.0, 2),
        ("902", 2, "negative", 0, 1.0, 2),
        ("902", 3, "negative", 1, 1.0, 2),
    ]
    scores = {figure.name: figure.value for figure in score_dlc(read_judged(output).verdicts)}
    assert scores == {
        "Pos": 50.0,
        "Neg": 50.0,
        "Avg": 50.0,
        "not recognised": 1,
        "words per caption": 4.5,
    }
    assert "judge stub, revision 0e9, temperature 0, text only" in done.stdout
    assert "8 questions about 2 items" in done.stdout
    assert "8 calls" in done.stdout


def test_the_captions_of_gar_bench_are_judged(gar, judging, judge, tmp_path):
    server = judging(
        {"prompt": "on top of", "answer": "True"},
        {"prompt": "is near", "answer": "True."},
        {"prompt": "cup", "answer": "False"},
    )
    done = judge(gar, server)
    assert done.returncode == 0, done.stderr
    judged = read_judged(tmp_path / "judged-gar.jsonl")
    assert [(each.item, each.kind, each.outcome, each.points) for each in judged.verdicts] == [
        ("caption_simple_0", "simple", "read", 1.0),
        ("caption_simple_1", "simple", "unparsed", 0.0),
        ("caption_detailed_0", "detailed", "read", 0.0),
    ]
    figures = [(each.name, each.group, each.value) for each in gar_captions(judged.verdicts)]
    assert figures == [("Simple", "", 50.0), ("unparsed", "Simple", 1), ("Detailed", "", 0.0)]
    assert judged.run.max_tokens == 1000
    assert "replies read: 2, unparsed: 1" in done.stdout


def test_one_user_message_and_nothing_else_is_sent(dlc, judging, judge):
    server = judging()
    assert judge(dlc(_1="A pot."), server).returncode == 0
    sent = [line for line in server.log() if "canary" not in line["id"]]
    assert len(sent) == 4
    for line in sent:
        assert line["parts"] == ["user text"]
        assert line["parameters"] == {
            "model": "stub",
            "max_tokens": 300,
            "temperature": 0.0,
            "stream": False,
        }


def asked(server) -> Counter:
    return Counter({name: n for name, n in server.answered().items() if "canary" not in name})


def test_replies_are_asked_once_and_a_changed_answer_again(dlc, judging, judge, tmp_path):
    server = judging(YES)
    output = tmp_path / "judged.jsonl"
    assert judge(dlc(_1="A pot.", _2="A pan."), server, "--output", output).returncode == 0
    first, before = output.read_bytes(), asked(server)
    assert set(before.values()) == {1}
    done = judge(dlc(_1="A pot.", _2="A pan."), server, "--output", output)
    assert "0 calls" in done.stdout
    assert output.read_bytes() == first
    assert asked(server) == before
    done = judge(dlc(_1="A pot.", _2="A red pan."), server, "--output", output)
    assert "4 calls" in done.stdout
    after = asked(server)
    assert set(after.values()) == {1}
    assert len(after) == len(before) + 4
    words = {each.item: each.words for each in read_judged(output).verdicts}
    assert words == {"1": 2, "2": 3}
    assert read_judged(output).run.predictions != json.loads(first.splitlines()[0])["predictions"]


@pytest.mark.parametrize(
    ("flags", "difference"),
    [
        (["--revision", "1"], "revision"),
        (["--temperature", "0.5"], "temperature"),
        (["--max-tokens", "5"], "max_tokens"),
    ],
)
def test_another_judge_is_asked_anew_and_keeps_to_another_file(
    dlc, judging, judge, tmp_path, flags, difference
):
    server, bench = judging(YES), dlc(_1="A pot.")
    assert judge(bench, server).returncode == 0
    done = judge(bench, server, *flags)
    assert done.returncode == 2
    assert "holds verdicts of judge stub, revision not stated" in done.stderr
    assert f"which differ in {difference} (" in done.stderr
    assert len(asked(server)) == 4
    output = tmp_path / "other.jsonl"
    assert judge(bench, server, *flags, "--output", output).returncode == 0
    assert len(asked(server)) == 8
    one = read_judged(tmp_path / "dlc" / "judged-dlc.jsonl").run
    assert one.differences(read_judged(output).run)


def test_a_question_that_is_there_twice_is_sent_once(dlc, judging, judge, tmp_path):
    bench = dlc(_1="A pot.")
    path = bench.questions[0]
    group = json.loads(path.read_text(encoding="utf-8"))["1"]
    path.write_text(json.dumps({"1": [*group, group[0]]}), encoding="utf-8")
    server = judging(YES)
    assert judge(bench, server, "--output", tmp_path / "o").returncode == 0
    assert len(read_judged(tmp_path / "o").verdicts) == 5
    assert asked(server).total() == 4


def test_items_without_an_answer_are_not_asked_and_win_nothing(dlc, judging, judge, tmp_path):
    bench = dlc(_1="A pot.", _2="A pan.")
    bench.answers.write_text('{"1": "A pot.", "9": "A cup."}', encoding="utf-8")
    server = judging(YES)
    done = judge(bench, server, "--output", tmp_path / "o")
    assert "without an answer, which wins no points: 1 item\n" in done.stdout
    assert "answers that no question is about: 1" in done.stdout
    outcomes = {each.item: each.outcome for each in read_judged(tmp_path / "o").verdicts}
    assert outcomes == {"1": "read", "2": "missing"}
    assert len(asked(server)) == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--with-picture"], "--with-picture sends pictures of a build: name it by --shards DIR"),
        (["--image-root", "."], "--image-root goes with --with-picture"),
        (["--temperature", "3"], "--temperature: expected 2 or less"),
        (["--max-tokens", "0"], "--max-tokens: expected 1 or more"),
        (["--model", ""], "--model: expected one character or more, not ''"),
        (["--timeout", "0"], "--timeout: expected more than 0"),
        (["--endpoint", "ftp://x"], "--endpoint: expected a base URL"),
        (["--output", "gs://bucket/x"], "gs://bucket/x: expected a file of this machine"),
        (["--questions", __file__], "DLC-Bench has one file of questions, qa.json; given: 2"),
        (["--shards", "/gone"], "/gone: there is no such folder"),
        (["--bench", "gar", "--questions", "gone.json"], "--questions gone.json: no such file"),
    ],
)
def test_flags_that_cannot_be_used(dlc, judging, judge, flags, message):
    server = judging()
    done = judge(dlc(_1="A pot."), server, *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert server.log() == []


def test_a_file_that_is_not_ours_is_not_replaced(dlc, judging, judge, tmp_path):
    bench = dlc(_1="A pot.")
    server = judging()
    before = bench.answers.read_bytes()
    done = judge(bench, server, "--output", bench.answers)
    assert done.returncode == 2
    assert "captions.json is no judged file of ours" in done.stderr
    assert bench.answers.read_bytes() == before


def test_answers_to_other_questions(dlc, judging, judge):
    bench = dlc(_1="A pot.")
    bench.answers.write_text('{"9": "A cup."}', encoding="utf-8")
    done = judge(bench, judging())
    assert done.returncode == 2
    assert "answers none of 1 item that" in done.stderr
