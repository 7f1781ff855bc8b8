"""Builds of one million regions and of ten: the time for each region, and the memory.

    python -m bench.many_regions [--sets 1 12 1] [--one-file] [--data FOLDER] [--polygons]

Regions come in sets of COCO's size, 860,001 each, as splits of one source by reference. All sets
are the same file under other names, which takes less disk; each is hashed, looked at and read anew.
With `--one-file`, they are copies in one file, whose ids differ, with as many regions on an image
as Objects365 has: 590,000 images for ten million. Builds run in one process; what waits for its
shard lies on the output's disk. From the first and the largest number of sets, the time, the
memory and the disk for a hundred million regions are calculated.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.full_size_world.coco import BOXES, CocoSet, write_annotation_set
from bench.measure import run_into
from pipelines.datasets.common.index import SKIPPED, Reader, read_index
from pipelines.storage.files import FileStore

MAX_GROWTH, MAX_BYTES = 0.15, 1e9  # of the time for a region; of the memory of a process
MANY = 100_000_000
MB, GB = 1e6, 1e9

_IMAGE_SETS = 5 / 12  # in one file, for each set of regions
_ID_STEP = 10_000_000  # between the ids of two copies
_POLYGONS = re.compile(rb'"segmentation": ?\[\[[^\]]*\]\], ?')
_ITEMS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_Write = Callable[[bytes], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """The measures of a build."""

    regions: int
    cpu_seconds: float
    peak_bytes: int
    output_bytes: int

    @property
    def each(self) -> float:
        """The processor time for a region, microseconds."""
        return self.cpu_seconds / self.regions * 1e6


def _set_of(data: Path, *, polygons: bool) -> CocoSet:
    """Return a data set of COCO's size, whose regions are boxes alone unless polygons are asked."""
    whole = write_annotation_set(data / "coco")
    if polygons:
        return whole
    boxes = CocoSet(annotations=data / "boxes" / "annotations.json", pictures=whole.pictures)
    boxes.annotations.parent.mkdir(exist_ok=True)
    boxes.annotations.write_bytes(_POLYGONS.sub(b"", whole.annotations.read_bytes()))
    return boxes


def _joined(made: CocoSet, path: Path, sets: int) -> CocoSet:
    """Return a data set of one file, with the regions of so many copies of a set."""
    images = max(1, round(sets * _IMAGE_SETS))
    file = msgspec.json.decode(made.annotations.read_bytes(), type=dict[str, msgspec.Raw])
    categories = bytes(file["categories"])
    del file
    with path.open("wb") as out:
        out.write(b'{"images": [')
        _write_copies(made, "images", images, lambda text: out.write(text))
        out.write(b'], "annotations": [')
        _write_copies(made, "annotations", sets, lambda text: out.write(text), images)
        out.write(b'], "categories": %b}' % categories)
    return CocoSet(annotations=path, pictures=made.pictures)


def _write_copies(made: CocoSet, name: str, copies: int, write: _Write, images: int = 1) -> None:
    """Write copies of the items of a list, each with ids of its own.

    Args:
        made: the set that is copied.
        name: the name of the list.
        copies: the number of copies.
        write: takes the text.
        images: the number of copies of images, over which annotations are spread.
    """
    separator = b""
    for number in range(copies):

        def copy(items: list[dict[str, msgspec.Raw]] | None, number: int = number) -> None:
            nonlocal separator
            for item in items or ():
                item["id"] = _shifted(item["id"], number)
                if "image_id" in item:
                    item["image_id"] = _shifted(item["image_id"], number % images)
            write(separator + msgspec.json.encode(items)[1:-1])
            separator = b", "

        readers: dict[str, Reader[Any]] = {
            "images": SKIPPED,
            "annotations": SKIPPED,
            name: Reader(_ITEMS, copy),
        }
        read_index(str(made.annotations), FileStore(), readers)


def _shifted(item_id: msgspec.Raw, number: int) -> msgspec.Raw:
    return msgspec.Raw(b"%d" % (int(bytes(item_id)) + number * _ID_STEP))


def _build(made: CocoSet, data: Path, sets: int, *, one_file: bool) -> _Built:
    output = data / "out"
    command = [sys.executable, "-m", "pipelines", "build", "--sources", "coco", "--quiet"]
    if one_file:
        made = _joined(made, data / "joined.json", sets)
    for number in range(1 if one_file else sets):
        command += ["--coco-annotations", f"s{number:02d}={made.annotations}"]
        command += ["--coco-images", f"s{number:02d}={made.pictures}"]
    command += ["--label-set", "coco=Words", "--images", "reference", "--output", str(output)]
    measured = run_into(output, command, data / "log.txt")
    output_bytes = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    shutil.rmtree(output)
    return _Built(
        regions=sets * BOXES,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=max(measured.peak_bytes),
        output_bytes=output_bytes,
    )


def measure(data: Path, numbers: list[int], *, polygons: bool, one_file: bool) -> None:
    """Build so many sets in turn, print the measures, and calculate what many regions take."""
    made = _set_of(data, polygons=polygons)
    kind = "one file" if one_file else "files"
    builds = []
    for sets in numbers:
        built = _build(made, data, sets, one_file=one_file)
        builds.append(built)
        print(
            f"  {built.regions:,} regions in {kind}: {built.cpu_seconds:.1f} s of "
            f"processor, {built.each:.1f} us each, {built.peak_bytes / MB:.0f} MB of memory, "
            f"{built.output_bytes / GB:.2f} GB written",
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
        disk = largest.output_bytes / largest.regions * MANY
        print(
            f"  by calculation, {MANY:,}: {hours:.1f} h of one processor, {memory / MB:.0f} MB of "
            f"memory, {disk / GB:.0f} GB written"
        )


def main() -> None:
    """Measure, and print the measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, nargs="+", default=[1, 12, 1], metavar="N")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--polygons", action="store_true")
    parser.add_argument("--one-file", action="store_true")
    args = parser.parse_args()
    print("regions by reference, one process")
    if args.data:
        measure(args.data, args.sets, polygons=args.polygons, one_file=args.one_file)
        return
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.sets, polygons=args.polygons, one_file=args.one_file)


if __name__ == "__main__":
    main()
