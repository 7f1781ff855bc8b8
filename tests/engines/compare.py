"""The table of engines: the same build on each, with its bytes compared, its time and its memory.

    python -m tests.engines.compare

The end is 1 where an engine makes other bytes. CPU seconds and memory are those of the build's
processes and of the engine's services; the peak is that of the largest process.
"""

import hashlib
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.measure import Watch, family, run
from pipelines.sample_world import write_world
from tests.engines.engines import Engine, names, started

SOURCES = ("coco", "refcocog", "visual_genome", "flickr30k", "vcr", "v3det", "llava")
LABELS = ("--label-set", "coco=Shapes-15")
MB = 1024 * 1024


def main() -> int:
    """Build on every engine that is here; print the table."""
    differing = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(folder / "world", "small")
        expected: dict[str, str] = {}
        print(f"{'engine':22} {'identical':>12} {'s':>6} {'CPU s':>6} {'peak MB':>8}")
        for engine, reason in names().items():
            if reason:
                print(f"{engine:22} left out: {reason}", flush=True)
                continue
            digests, figures = _measured(engine, folder)
            expected = expected or digests
            same = sum(digests.get(path) == digest for path, digest in expected.items())
            differing += digests != expected
            identical = f"{same} of {len(expected)}"
            seconds, cpu, peak = figures
            print(
                f"{engine:22} {identical:>12} {seconds:6.1f} {cpu:6.1f} {peak / MB:8.0f}",
                flush=True,
            )
    return 1 if differing else 0


def _measured(name: str, folder: Path) -> tuple[dict[str, str], tuple[float, float, int]]:
    """Return the digests of an output by path, and (seconds, CPU seconds, peak bytes)."""
    output = folder / name.replace(", ", "-").replace(" ", "-")
    with started(name, folder) as engine, ExitStack() as stack:
        watches = [stack.enter_context(Watch(service.pid)) for service in engine.services]
        before = _cpu_seconds(engine)
        measures = run(build_words(folder / "world", output, engine), folder / "build.log")
        cpu = measures.cpu_seconds + _cpu_seconds(engine) - before
    peaks = [peak for watch in watches for peak in watch.peaks.values()]
    return digests_of(output), (measures.seconds, cpu, max([*peaks, *measures.peak_bytes]))


def build_words(world: Path, output: Path, engine: Engine) -> list[str]:
    """Return the command of the build."""
    words = [sys.executable, "-m", "pipelines", "build", "--sources", ",".join(SOURCES)]
    words += [*LABELS, "--data-root", str(world), "--output", str(output)]
    return [*words, *engine.flags]


def digests_of(output: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a build leaves to others, by path in the output."""
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and "_state" not in path.parts
    }


def _cpu_seconds(engine: Engine) -> float:
    """Return the CPU seconds of an engine's services so far, with those of processes that ended."""
    ticks = 0
    for service in engine.services:
        for pid in family(service.pid):
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
