"""Runs that are killed at any moment: the same file in the end, and no reply asked for twice."""

import os
import signal
import time
from collections import Counter

import pytest

ITEMS = 12
CALLS = 4 * ITEMS
CONCURRENCY = 3
PROGRAM = "from regionforge.__main__ import main; main()"


@pytest.fixture
def start(forked):
    """Starts a run of the command line."""

    def begin(bench, server, output):
        words = bench.words("--endpoint", server.url, "--model", "stub", "--output", output)
        return forked(*words, "--concurrency", CONCURRENCY, program=PROGRAM)

    return begin


def asked(server) -> Counter:
    return Counter({name: n for name, n in server.answered().items() if "canary" not in name})


@pytest.fixture
def bench(dlc):
    return dlc(**{f"_{number}": f"Pot {number}." for number in range(ITEMS)})


def test_a_killed_run_goes_on(bench, judging, judge, start, tmp_path):
    rules = {"prompt": "Kind: ", "answer": "A. Yes"}, {"prompt": "spoon", "answer": "B"}
    server = judging(*rules, delay=0.05)
    assert judge(bench, server, "--output", tmp_path / "calm").returncode == 0
    server.forget()
    output = tmp_path / "killed"
    for share in (0.1, 0.4, 0.8):
        running = start(bench, server, output)
        until = time.monotonic() + 60
        while asked(server).total() < share * CALLS and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
        assert running.wait().returncode == -signal.SIGKILL
        assert not output.exists()
    ended = start(bench, server, output).wait()
    assert ended.returncode == 0, ended.stderr
    assert output.read_bytes() == (tmp_path / "calm").read_bytes()
    again = {name: times for name, times in asked(server).items() if times > 1}
    # Only replies on their way at the moment of a kill are asked for again.
    assert sum(again.values()) - len(again) <= 3 * CONCURRENCY
    assert len(asked(server)) == CALLS


def test_a_journal_that_breaks_off_in_a_line(bench, judging, judge, tmp_path):
    server = judging({"prompt": "Kind: ", "answer": "A. Yes"})
    output = tmp_path / "o"
    assert judge(bench, server, "--output", output).returncode == 0
    whole = output.read_bytes()
    journal = tmp_path / "o.replies" / "replies.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])
    done = judge(bench, server, "--output", output)
    assert "by 1 call (" in done.stdout
    assert output.read_bytes() == whole


def test_two_runs_do_not_write_the_same_file(bench, judging, judge, start, tmp_path):
    server = judging(delay=0.3)
    output = tmp_path / "o"
    running = start(bench, server, output)
    until = time.monotonic() + 60
    while not asked(server) and time.monotonic() < until:
        time.sleep(0.02)
    done = judge(bench, server, "--output", output)
    assert done.returncode == 1
    assert "another run is writing into" in done.stderr
    ended = running.wait()
    assert ended.returncode == 0, ended.stderr
