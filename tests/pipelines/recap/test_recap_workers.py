"""Captions of several processes: as of one, and little is asked again after a kill."""

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from bench.measure import family

CONCURRENCY = 4
SEGMENT_LINES = 10  # instead of 200, so that a kill can lose more than it may
ANSWER_SECONDS = 0.05
FLAGS = ("--model", "stub", "--no-filter", "--no-canary", "--no-guard", "--label-set", "Things")
TWO = ("--workers", "2")
SHARDS, LARGE_SHARDS = ("--shard-size", "12KiB"), ("--shard-size", "60KiB")
PROGRAM = (
    "from pipelines.recap.captioning import segments; from pipelines.cli.parser import main; "
    f"segments.SEGMENT_LINES = {SEGMENT_LINES}; main()"
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def start(coco_file, forked):
    """Starts a run that captions pictures of our own in some shards."""
    owner = coco_file().good(*range(1, 41)).save()

    def begin(url: str, output: Path, *more: str):
        words = ["recap", "--source", "coco", *FLAGS]
        words += ["--coco-annotations", str(owner.file), "--coco-images", str(owner.pictures)]
        words += ["--endpoint", url, "--concurrency", str(CONCURRENCY), "--output", str(output)]
        return forked(*words, "--coco-split", "train", *SHARDS, *more, program=PROGRAM)

    return begin


def ended(run) -> None:
    done = run.wait()
    assert done.returncode == 0, done.stderr


def test_two_processes_caption_as_one_does(start, serve, recap_output, tmp_path) -> None:
    server = serve(delay=ANSWER_SECONDS)
    ended(start(server.url, tmp_path / "one"))
    one, asked = recap_output(tmp_path / "one"), server.answered()
    server.forget()
    ended(start(server.url, tmp_path / "two", *TWO))
    two = recap_output(tmp_path / "two")
    assert len(one.output.digests()) >= 4
    assert two.output.digests() == one.output.digests()
    assert two.output.manifest() == one.output.manifest()
    assert two.output.ledger() == one.output.ledger()
    assert two.noted() == one.noted() == server.answered() == asked
    assert not (tmp_path / "two" / "_state" / "captions" / "segments").exists()
    assert at_once(server.log()) > CONCURRENCY, "both were at work"


def at_once(log) -> int:
    """The largest number of calls that the server had at a time."""
    moments = [(line["ended"] - ANSWER_SECONDS, 1) for line in log]
    moments += [(line["ended"], -1) for line in log]
    calls = most = 0
    for _, change in sorted(moments):
        calls += change
        most = max(most, calls)
    return most


def test_a_kill_loses_a_segment_of_each_worker_at_most(
    start, serve, recap_output, tmp_path
) -> None:
    server = serve(delay=ANSWER_SECONDS)
    large = (*TWO, *LARGE_SHARDS)
    ended(start(server.url, tmp_path / "calm", *large))
    calm = recap_output(tmp_path / "calm")
    calls = server.answered().total()
    server.forget()

    output = tmp_path / "killed"
    run = start(server.url, output, *large)
    until = time.monotonic() + 120
    while server.answered().total() < calls // 2 and time.monotonic() < until:
        time.sleep(0.02)
    for pid in family(run.pid):
        os.kill(pid, signal.SIGKILL)
    assert run.wait().returncode == -signal.SIGKILL
    before = server.answered()
    saved = recap_output(output).parts()
    assert 0 < saved.total() < calls
    ended(start(server.url, output, *large))

    again = server.answered() - Counter(calm.noted().keys())
    print(f"{calls} calls; killed after {before.total()}, of which {saved.total()} were written")
    most = 2 * (SEGMENT_LINES + CONCURRENCY)
    print(f"{again.total()} calls repeated, {most} at most; {len(calm.output.digests())} shards")
    assert before.total() > most, "so many that more than that could be lost"
    assert again.total() <= most
    assert not again.keys() & saved.keys(), "what was written is not asked again"
    killed = recap_output(output)
    assert killed.output.digests() == calm.output.digests()
    assert killed.output.manifest() == calm.output.manifest()
    assert killed.noted() == calm.noted()


def test_a_server_that_refuses_the_key_ends_the_run_in_one_line(start, serve, tmp_path) -> None:
    server = serve({"status": 401})
    done = start(server.url, tmp_path / "out", *TWO).wait()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "status 401: as the script says" in done.stderr.splitlines()[-1]


def test_a_server_of_its_own_goes_with_one_process(recap_words, tmp_path) -> None:
    status, printed = recap_words(tmp_path / "out", "--serve", "MODEL", "--no-filter", *TWO)
    assert status == 2
    assert "--serve starts a server for this process alone: leave out" in printed
