"""Builds of one million regions and of ten: the time for each region, and the memory.

    python -m bench.many_regions [--files 1 12 1] [--data FOLDER] [--polygons]

Regions come in files of COCO's size, 860,001 each, as splits of one source by reference. All files
are the same one under other names, which takes less disk; each is hashed, looked at and read anew.
Builds run in one process; what waits for its shard lies on the output's disk. From the first and
the largest number of files, the time and the memory for a hundred million regions are calculated.
"""

import argparse
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.full_size_world.coco import BOXES, CocoSet, write_annotation_set
from bench.measure import run_into

MAX_GROWTH, MAX_BYTES = 0.15, 1e9  # of the time for a region; of the memory of a process
MANY = 100_000_000
MB = 1e6

_POLYGONS = re.compile(rb'"segmentation": ?\[\[[^\]]*\]\], ?')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """The measures of a build."""

    regions: int
    cpu_seconds: float
    peak_bytes: int

    @property
    def each(self) -> float:
        """The processor time for a region, microseconds."""
        return self.cpu_seconds / self.regions * 1e6


def _file_of(data: Path, *, polygons: bool) -> CocoSet:
    """Return a data set of COCO's size, whose regions are boxes alone unless polygons are asked."""
    whole = write_annotation_set(data / "coco")
    if polygons:
        return whole
    boxes = CocoSet(annotations=data / "boxes" / "annotations.json", pictures=whole.pictures)
    boxes.annotations.parent.mkdir(exist_ok=True)
    boxes.annotations.write_bytes(_POLYGONS.sub(b"", whole.annotations.read_bytes()))
    return boxes


def _build(made: CocoSet, data: Path, files: int) -> _Built:
    output = data / "out"
    command = [sys.executable, "-m", "pipelines", "build", "--sources", "coco", "--quiet"]
    for number in range(files):
        command += ["--coco-annotations", f"s{number:02d}={made.annotations}"]
        command += ["--coco-images", f"s{number:02d}={made.pictures}"]
    command += ["--label-set", "coco=Words", "--images", "reference", "--output", str(output)]
    measured = run_into(output, command, data / "log.txt")
    shutil.rmtree(output)
    return _Built(
        regions=files * BOXES,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=max(measured.peak_bytes),
    )


def measure(data: Path, numbers: list[int], *, polygons: bool) -> None:
    """Build so many files in turn, print the measures, and calculate what many regions take."""
    made = _file_of(data, polygons=polygons)
    builds = []
    for files in numbers:
        built = _build(made, data, files)
        builds.append(built)
        print(
            f"  {built.regions:,} regions in {files} files: {built.cpu_seconds:.1f} s of "
            f"processor, {built.each:.1f} us each, {built.peak_bytes / MB:.0f} MB",
            flush=True,
        )
    first, largest = builds[0], max(builds, key=lambda built: built.regions)
    growth = largest.each / first.each - 1
    print(f"  time for a region: {growth:+.0%}; target: within {MAX_GROWTH:.0%}")
    print(f"  memory: {largest.peak_bytes / MB:.0f} MB; target: {MAX_BYTES / MB:.0f} MB")
    if largest.regions > first.regions:
        more = (largest.peak_bytes - first.peak_bytes) / (largest.regions - first.regions)
        memory = max(0, more) * (MANY - largest.regions) + largest.peak_bytes
        hours = largest.each * MANY / 1e6 / 3600
        print(f"  by calculation, {MANY:,}: {hours:.1f} h of one processor, {memory / MB:.0f} MB")


def main() -> None:
    """Measure, and print the measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1, 12, 1], metavar="N")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--polygons", action="store_true")
    args = parser.parse_args()
    print("regions by reference, one process")
    if args.data:
        measure(args.data, args.files, polygons=args.polygons)
        return
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.files, polygons=args.polygons)


if __name__ == "__main__":
    main()
