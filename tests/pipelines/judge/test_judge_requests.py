"""What `judge` sends is what the flags give, and the verdicts name it."""

from typing import Any


def parameters(server: Any) -> list[dict[str, Any]]:
    """The parameters of all questions, of the check and after it."""
    return [line["parameters"] for line in server.log()]


def test_no_temperature_and_more_parameters(dlc, judging, judge, lines_of, tmp_path) -> None:
    server, answers = judging(), dlc(_1="A pot.")
    output = tmp_path / "judged.jsonl"
    more = ["--temperature", "none", "--extra-body", '{"top_k": 1}', "--output", output]
    done = judge(answers, server, *more)
    assert done.returncode == 0, done.stderr
    sent = {"model": "stub", "stream": False, "max_tokens": 300, "top_k": 1}
    assert parameters(server) == [sent] * 8
    run = lines_of(output)[0]
    assert (run["temperature"], run["extra_body"]) == (None, {"top_k": 1})
    assert 'its own temperature, text only, with {"top_k": 1}' in done.stdout
    done = judge(answers, server, "--output", output)
    assert done.returncode != 0
    assert "extra_body" in done.stderr


def test_the_check_can_be_left_out(dlc, judging, judge) -> None:
    server = judging()
    assert judge(dlc(_1="A pot."), server, "--no-canary").returncode == 0
    assert [line["id"] for line in server.log() if "canary" in line["id"]] == []
    assert len(server.log()) == 4
