"""Builds of every source in full size, by reference: speed, memory, and growth with size.

Each source is built three times with two workers: a tenth of its images with their annotations, the
whole source, and the tenth again, to notice a machine that becomes slower meanwhile. Pictures are
links to plain JPEGs, since builds open pictures only if the annotations state no sizes; annotations
are made by `bench.full_size_world`. On a busy machine, processor seconds are more reliable than
wall time.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.full_size_world.data_root import write_data_root
from bench.measure import Run, run_into
from pipelines.output.reader import read_ledger
from schemas.ledger import Stage
from schemas.rejection import Kind

SHARES = {"tenth": 0.1, "whole": 1.0}
# Targets: bytes of memory of any process; time of the whole, divided by the time of a tenth.
MAX_BYTES, MAX_GROWTH = 4e9, 11.0
LABELLED = ("coco", "lvis")  # need --label-set, since the drawn category names are new
MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """A measured build and its number of images."""

    run: Run
    images: int


def measure_sources(data: Path, sources: Sequence[str]) -> None:
    """Write the missing data sets, build each source, and print a line of measures for each."""
    print("\nwriting data sets of their full sizes, and a tenth of each, unless they are there")
    for share, scale in SHARES.items():
        write_data_root(data / "full_size" / share, scale, sources)
    print("\nwhole sources by reference, 2 workers")
    print(f"  target: {MAX_BYTES / 1e9:.0f} GB in any process, {MAX_GROWTH:.0f} x a tenth's time")
    for source in sources:
        before, whole, after = (
            _build(data, source, share) for share in ("tenth", "whole", "tenth")
        )
        print(_line(source, whole, (before, after)), flush=True)


def _line(source: str, whole: _Built, tenths: Sequence[_Built]) -> str:
    run = whole.run
    growth = run.seconds / fmean(tenth.run.seconds for tenth in tenths)
    processors = run.cpu_seconds / fmean(tenth.run.cpu_seconds for tenth in tenths)
    peaks = ", ".join(f"{peak / MB:.0f}" for peak in run.peak_bytes if peak > 50 * MB)
    over = [
        *(["memory"] if max(run.peak_bytes, default=0) > MAX_BYTES else []),
        *(["time"] if growth > MAX_GROWTH else []),
    ]
    said = [
        f"  {source}: {whole.images:,} images in {run.seconds:.1f} s",
        f"{whole.images / run.seconds:,.0f} a second",
        f"{run.cpu_seconds:.0f} s of processors",
        f"{growth:.1f} x a tenth's time",
        f"{processors:.1f} x its processors'",
        f"peak MB per process: {peaks}",
    ]
    return ", ".join(said) + (f" OVER THE TARGET: {' and '.join(over)}" if over else "")


def _build(data: Path, source: str, share: str) -> _Built:
    output = data / "out"
    labels = ["--label-set", "Words"] if source in LABELLED else []
    command = [sys.executable, "-m", "pipelines", "build", "--sources", source, *labels]
    command += ["--data-root", str(data / "full_size" / share), "--output", str(output)]
    command += ["--images", "reference", "--workers", "2"]
    measured = run_into(output, command, data / "log.txt")
    ledger = read_ledger(str(output))
    shutil.rmtree(output)
    splits = ledger.sources[source]
    images = sum(ledger.account(source, split, Stage.READ, Kind.IMAGE).read for split in splits)
    return _Built(run=measured, images=images)
