"""Servers of judges that fail, refuse, or cannot judge: a clear error, and nothing asked twice."""

import time
from collections import Counter

import pytest

from schemas.judged import read_judged

YES = {"prompt": "Kind: ", "answer": "A. Yes"}
SPOON = {"prompt": "The spoon is"}
QUICK = ("--patience", "2", "--timeout", "1")


def asked(server) -> Counter:
    """How often each question was answered."""
    return Counter({name: n for name, n in server.answered().items() if "canary" not in name})


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503, "retry_after": "0"},
        {"status": 429, "retry_after": "0"},
        {"cut": True},
        {"answer": "malformed"},
        {"answer": "no_choices"},
        {"delay": 30},
    ],
    ids=str,
)
def test_a_fault_that_passes(dlc, judging, judge, tmp_path, fault):
    server = judging({**SPOON, **fault, "attempts": [0, 1]}, YES)
    done = judge(dlc(_1="A pot."), server, "--output", tmp_path / "o", "--timeout", "1")
    assert done.returncode == 0, done.stderr
    assert "replies read: 4" in done.stdout
    # The log counts what is no answer to the client among the answers.
    assert set(asked(server).values()) == ({1, 3} if "answer" in fault else {1})


def test_a_server_that_never_answers_ends_the_run(dlc, judging, judge, tmp_path):
    server = judging(YES)
    bench, output = dlc(_1="A pot.", _2="A pan."), tmp_path / "o"
    server.stop()
    began = time.monotonic()
    done = judge(bench, server, "--output", output, *QUICK)
    assert time.monotonic() - began < 30
    assert done.returncode == 1
    assert "error: no connection to a server for 2 s" in done.stderr
    assert server.url in done.stderr
    assert "--patience SECONDS" in done.stderr
    assert not output.exists()


def test_a_server_that_dies_in_the_middle(dlc, judging, judge, tmp_path):
    bench = dlc(**{f"_{number}": f"Pot {number}." for number in range(1, 6)})
    output = tmp_path / "o"
    server = judging(YES)
    assert judge(bench, server, "--output", tmp_path / "calm").returncode == 0
    server.forget()
    # After some replies it listens no more, for longer than the run is patient.
    dying = judging({"prompt": "Pot 3.(.|\n)*spoon", "refuse": 60}, YES, delay=0.05)
    done = judge(bench, dying, "--output", output, "--concurrency", "1", *QUICK)
    assert done.returncode == 1
    assert "no answer for" in done.stderr
    assert not output.exists()
    kept = asked(dying)
    assert 0 < len(kept) < 20
    # Another server of the same model goes on.
    done = judge(bench, server, "--output", output)
    assert done.returncode == 0, done.stderr
    assert f"{20 - len(kept)} calls" in done.stdout
    assert not set(asked(server)) & set(kept)
    assert output.read_bytes() == (tmp_path / "calm").read_bytes()


def test_a_question_that_is_refused_is_counted_and_asked_again(dlc, judging, judge, tmp_path):
    server = judging({**SPOON, "status": 400, "attempts": [0]}, YES)
    bench, output = dlc(_1="A pot."), tmp_path / "o"
    done = judge(bench, server, "--output", output)
    assert done.returncode == 0
    assert "replies read: 3, refused: 1" in done.stdout
    assert "run the same again to ask anew what was refused" in done.stdout
    (refused,) = [each for each in read_judged(output).verdicts if each.outcome == "refused"]
    assert (refused.question, refused.reply, refused.points) == (3, None, 0.0)
    done = judge(bench, server, "--output", output)
    assert "by 1 call (" in done.stdout
    assert "replies read: 4" in done.stdout


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"status": 401}, "the key is taken from the environment variable OPENAI_API_KEY"),
        ({"status": 404}, "see whether the URL, which mostly ends with /v1, and --model are right"),
        ({"status": 400}, "refuses to judge: status 400"),
    ],
)
def test_a_server_that_refuses_everything(dlc, serve, judge, rule, message):
    done = judge(dlc(_1="A pot."), serve(rule), *QUICK)
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize("reply", ["A", "B", "", "It is a nice mug.", "True"])
def test_a_model_that_cannot_judge_choices(dlc, serve, judge, reply):
    server = serve({"answer": reply or "empty"})
    done = judge(dlc(_1="A pot."), server)
    assert done.returncode == 1
    assert "of 4 plain cases right, expected 3 at least; it replied" in done.stderr
    assert "Serve a model that follows instructions" in done.stderr
    assert all("canary" in line["id"] for line in server.log())


@pytest.mark.parametrize("reply", ["True", "False", "true", "Yes"])
def test_a_model_that_cannot_judge_statements(gar, serve, judge, reply):
    done = judge(gar, serve({"answer": reply}))
    assert done.returncode == 1
    assert "of 4 plain cases right" in done.stderr


def test_a_text_model_is_never_sent_a_picture(dlc, judging, judge, tmp_path):
    # Not even by the small call that asks a server in trouble whether it is there.
    server = judging({**SPOON, "status": 500, "attempts": [0, 1, 2, 3]}, YES)
    done = judge(dlc(_1="A pot."), server, "--output", tmp_path / "o", "--concurrency", "1")
    assert done.returncode == 0, done.stderr
    lines = server.all_lines()
    assert any(line["id"] == "probe" for line in lines)
    assert {part for line in lines for part in line["parts"]} == {"user text"}


def test_replies_that_choose_nothing(dlc, judging, judge, tmp_path):
    server = judging(
        {"prompt": "Kind: ", "answer": "Hard to tell"},
        {"prompt": "handle", "answer": "E. Other"},
        {**SPOON, "answer": "empty"},
    )
    done = judge(dlc(_1="A pot."), server, "--output", tmp_path / "o")
    assert "replies read: 1, unparsed: 3" in done.stdout
    assert [each.reply for each in read_judged(tmp_path / "o").verdicts] == [
        "Hard to tell",
        "A",
        "E. Other",
        "",
    ]


def test_the_key_is_shown_nowhere(dlc, judging, judge, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-very-secret")
    server = judging(YES, api_key="sk-other")
    done = judge(dlc(_1="A pot."), server, "--api-key-env", "JUDGE_KEY")
    assert done.returncode == 1
    assert "JUDGE_KEY" in done.stderr
    assert "very-secret" not in done.stderr + done.stdout
    contents = [path.read_bytes() for path in (tmp_path / "dlc").rglob("*") if path.is_file()]
    assert not any(b"very-secret" in content for content in contents)
