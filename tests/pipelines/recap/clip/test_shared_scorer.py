"""A scorer that processes share: one loads the model, and another takes its place when it ends."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from PIL import Image

from pipelines.cli.parser import make_parser
from pipelines.cli.recap_recipe import recipe_of
from pipelines.recap.clip import open_clip
from pipelines.recap.clip.scorer import Score
from pipelines.recap.clip.shared_scorer import SharedScorer
from schemas.errors import BuildError
from tests.pipelines.recap.clip.reds import Reds

CROPS = [Image.new("RGB", (3, 2), (10 * number, 0, 0)) for number in range(3)]


@pytest.fixture(autouse=True)
def folder(monkeypatch):
    """A folder for temporary files of this test, in this process and in others.

    Its path is short, as that of a socket has to be.
    """
    with tempfile.TemporaryDirectory(prefix="rf", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        monkeypatch.setattr("tempfile.tempdir", short)
        yield Path(short)


HOLD = """
import sys
from functools import partial
from pathlib import Path
from pipelines.recap.clip import shared_scorer
from tests.pipelines.recap.clip.reds import Reds
scorer = shared_scorer.SharedScorer(partial(Reds, Path(sys.argv[1])), "reds")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(folder):
    """A process that holds the scorer."""
    words = [sys.executable, "-c", HOLD, str(folder / "loads")]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def loads(folder) -> list[int]:
    return list(map(int, (folder / "loads").read_text(encoding="utf-8").split()))


def test_the_model_of_another_process_scores_until_that_ends(holder, folder):
    scorer = SharedScorer(lambda: Reds(folder / "loads"), "reds")
    assert scorer.identity == "reds"
    crops = [CROPS[2], CROPS[1], CROPS[2]]
    expected = [Score(21, 2), Score(12, 2), Score(23, 2)]
    assert scorer.score(crops, ["a", "bc", "def"]) == expected
    assert scorer.score([], []) == []
    assert loads(folder) == [holder.pid]
    with pytest.raises(BuildError, match=r"^captions could not be scored: RuntimeError: out of m"):
        scorer.score(CROPS[:1], ["unlucky"])
    assert scorer.score(crops, ["a", "bc", "def"]) == expected
    holder.kill()
    holder.wait()
    assert scorer.score(crops, ["a", "bc", "def"]) == expected
    assert loads(folder) == [holder.pid, os.getpid()]


def test_many_that_ask_at_once_get_their_own_scores(folder):
    first = SharedScorer(lambda: Reds(folder / "loads"), "reds")
    scorers = [SharedScorer(lambda: Reds(folder / "loads"), "reds") for _ in range(4)]
    got = {}

    def ask(number):
        for _ in range(20):
            got[number] = scorers[number].score([CROPS[number % 3]], ["x" * number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: [Score(10 * (number % 3) + number, 1)] for number in range(4)}
    assert first.score(CROPS[:1], ["a"]) == [Score(1, 1)]
    assert loads(folder) == [os.getpid()]
    other = SharedScorer(lambda: Reds(folder / "loads"), "others")
    assert other.score(CROPS[:1], ["a"]) == [Score(1, 1)]
    assert loads(folder) == [os.getpid(), os.getpid()], "another name is another scorer"


def test_a_folder_that_others_can_enter_is_refused(folder):
    shared = folder / f"regionforge-scorers-{os.getuid()}"
    shared.mkdir(mode=0o755)
    with pytest.raises(BuildError, match=f"^{shared}: expected a folder that only this user"):
        SharedScorer(lambda: Reds(folder / "loads"), "reds")
    shared.chmod(0o700)
    SharedScorer(lambda: Reds(folder / "loads"), "reds")
    assert (shared.stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize(("flags", "shares"), [((), False), (("--workers", "2"), True)])
def test_processes_on_the_same_gpu_share_its_model(folder, monkeypatch, flags, shares):
    words = ["recap", "--source", "coco", "--data-root", "w", "--output", "o", "--endpoint", "u"]
    args = make_parser().parse_args([*words, "--model", "m", "--threshold", "0.2", *flags])
    _, make = recipe_of(args)
    assert make is not None
    assert isinstance(make(), open_clip.ClipScorer), "on processors, each process has its own"
    monkeypatch.setattr(open_clip, "_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(open_clip, "ClipScorer", lambda *model: Reds(folder / "loads"))
    if shares:
        assert [make().score(CROPS[1:2], ["a"]) for _ in range(3)] == [[Score(11, 1)]] * 3
        assert loads(folder) == [os.getpid()]
