"""Two workers of `recap` compared with one: their speed, their shards, and what a kill costs.

    python -m bench.recap_workers [--pairs N]

The server takes 50 ms for a call and runs in a process of its own; a worker has four calls in
flight. A speed is that of the server's log, from the first answer to the last one: the start of the
processes is left out. The shards are so many that it matters little that two workers do not end at
the same moment, as in any run of hours. Afterwards two workers are killed in the middle of a run,
and the log says how much the next run asks again.
"""

import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.measure import family
from bench.stub_process import StubServer
from pipelines.recap.captioning.segments import SEGMENT_LINES
from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import World

PICTURES = 480
DELAY_SECONDS, CONCURRENCY = 0.05, 4
SHARD_SIZE, LARGE_SHARD_SIZE = "150kB", "1MB"  # about 55 shards, and 10
TWO = ("--workers", "2")
TARGET = 1.8
AGAIN = 2 * (SEGMENT_LINES + CONCURRENCY)  # calls: a segment, and what is in flight, of each worker


class Captioning:
    """Runs of `recap` on the same pictures and the same server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_coco(folder / "world", World(seed=0, pictures=PICTURES))
        self.server = StubServer(folder / "server", {"delay": DELAY_SECONDS})

    def words(self, output: Path, *more: str) -> list[str]:
        """Return the command of a run."""
        words = [sys.executable, "-m", "pipelines", "recap", "--source", "coco", "--no-guard"]
        words += ["--label-set", "Shapes-15", "--data-root", str(self.folder / "world")]
        words += ["--endpoint", self.server.url, "--concurrency", str(CONCURRENCY)]
        words += ["--model", "stub", "--no-filter", "--no-canary", "--output", str(output)]
        return [*words, *more]

    def run(self, name: str, *more: str) -> Path:
        """Run to the end, with nothing but its own calls in the log; return the output."""
        output = self.folder / name
        shutil.rmtree(output, ignore_errors=True)
        self.server.forget()
        subprocess.run(self.words(output, *more), check=True, capture_output=True)
        return output

    def speed(self) -> float:
        """Return the answers per second of the last run."""
        ends = [float(line["ended"]) for line in self.server.log()]
        return (len(ends) - 1) / (max(ends) - min(ends))

    def killed(self, calls: int, *more: str) -> tuple[int, Counter[str]]:
        """Kill a run in its middle, and run again; return the calls before, and those repeated."""
        output = self.folder / "killed"
        self.server.forget()
        quiet = subprocess.DEVNULL
        with subprocess.Popen(self.words(output, *more), stdout=quiet, stderr=quiet) as run:
            while self.server.answered().total() < calls // 2 and run.poll() is None:
                time.sleep(0.05)
            for pid in family(run.pid):
                os.kill(pid, signal.SIGKILL)
        before = self.server.answered().total()
        subprocess.run(self.words(output, *more), check=True, capture_output=True)
        return before, Counter({name: n - 1 for name, n in self.server.answered().items() if n > 1})


def shards(output: Path) -> dict[str, str]:
    """Return the SHA-256 of the shards of an output, by path."""
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*.arrow"))
    }


def compare(captioning: Captioning, rounds: int) -> None:
    """Run one and two workers in turn, and print their speeds."""
    small = ("--shard-size", SHARD_SIZE)
    ratios = []
    for turn in range(1, rounds + 1):
        one = captioning.run("one", *small)
        alone, calls = captioning.speed(), captioning.server.answered()
        two = captioning.run("two", *small, *TWO)
        together = captioning.speed()
        assert captioning.server.answered() == calls
        assert shards(two) == shards(one)
        ratios.append(together / alone)
        print(
            f"  round {turn}: {calls.total()} calls, {len(shards(one))} identical shards; "
            f"one worker {alone:.1f} calls/s, two {together:.1f}: {ratios[-1]:.2f}",
            flush=True,
        )
    print(f"  two workers / one: {statistics.median(ratios):.2f}; target: {TARGET}")


def kill(captioning: Captioning) -> None:
    """Kill two workers in the middle of long shards, and print what is asked again."""
    large = ("--shard-size", LARGE_SHARD_SIZE)
    calm = captioning.run("calm", *large)
    calls = captioning.server.answered().total()
    before, again = captioning.killed(calls, *large, *TWO)
    assert shards(captioning.folder / "killed") == shards(calm)
    print(
        f"  killed after {before} of {calls} calls: {again.total()} asked again, target: {AGAIN} "
        f"at most; {len(shards(calm))} identical shards",
        flush=True,
    )


def main() -> None:
    """Measure both, and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, metavar="N")
    args = parser.parse_args()
    print(f"captions of {PICTURES} pictures, {CONCURRENCY} calls at a time of each worker")
    with tempfile.TemporaryDirectory() as name:
        captioning = Captioning(Path(name))
        try:
            compare(captioning, args.pairs)
            kill(captioning)
        finally:
            captioning.server.stop()


if __name__ == "__main__":
    main()
