"""The table of engines: the same build on each, with its bytes compared, its time and its memory.

    python -m tests.engines.compare

It is printed as the README has it. The end is 1 where an engine makes other bytes. CPU seconds and
memory are those of the build's processes and of the engine's services; the peak is that of the
largest process.
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
HEAD = "| engine | workers | identical files | CPU s | largest process, MB |"
ENGINES = {"local": "local", "job service": "Beam's job service", "prism": "Prism"}
WORKERS = {"1": "1", "2": "2", "loopback": "the run itself", "pool": "a pool"}


def main() -> int:
    """Build on every engine that is here; print the table."""
    differing = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_world(folder / "world", "small")
        expected: dict[str, str] = {}
        print(f"{HEAD}\n{'|---' * HEAD.count(' | ')}|---|", flush=True)
        for name, reason in names().items():
            kind, where = name.split(", ")
            row = f"| {ENGINES[kind]} | {WORKERS[where]} |"
            if reason:
                print(f"{row} not run: {reason} | | |", flush=True)
                continue
            digests, cpu, peak = _measured(name, folder)
            expected = expected or digests
            same = sum(digests.get(path) == digest for path, digest in expected.items())
            differing += digests != expected
            figures = f"{same} of {len(expected)} | {cpu:.1f} | {peak / MB:.0f}"
            print(f"{row} {figures} |", flush=True)
    return 1 if differing else 0


def _measured(name: str, folder: Path) -> tuple[dict[str, str], float, int]:
    """Return the digests of an output by path, the CPU seconds, and the peak bytes."""
    output = folder / name.replace(", ", "-").replace(" ", "-")
    with started(name, folder) as engine, ExitStack() as stack:
        watches = [stack.enter_context(Watch(service.pid)) for service in engine.services]
        before = _cpu_seconds(engine)
        measures = run(build_words(folder / "world", output, engine), folder / "build.log")
        cpu = measures.cpu_seconds + _cpu_seconds(engine) - before
    peaks = [peak for watch in watches for peak in watch.peaks.values()]
    return digests_of(output), cpu, max([*peaks, *measures.peak_bytes])


def build_words(world: Path, output: Path, engine: Engine) -> list[str]:
    """Return the command of the build."""
    words = [sys.executable, "-m", "pipelines", "build", "--sources", ",".join(SOURCES)]
    words += [*LABELS, "--data-root", str(world), "--output", str(output)]
    return [*words, *engine.flags]


def digests_of(output: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that a build leaves to others, by path in the output."""
    paths = [path for path in output.rglob("*") if path.is_file()]
    return digests({path.relative_to(output).as_posix(): path.read_bytes() for path in paths})


def digests(content: dict[str, bytes]) -> dict[str, str]:
    """Return the same of an output that was read, by path."""
    return {
        path: hashlib.sha256(held).hexdigest()
        for path, held in sorted(content.items())
        if not path.startswith("_state/")
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
