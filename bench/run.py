"""`make bench`: the speed of RegionForge compared with peers that use `datasets`, in pairs of runs.

    python -m bench.run [--pairs N]
                        [--only photos|annotations|captions|full|reading|steps|serving|report]
                        [--source NAME] [--peer plain|tuned] [--data DIR]

The data sets are drawn: 20,000 pictures of about 110 kB, and an annotation file as large as COCO
train2017's. The peers are in peer.py. Each pair of runs gives a ratio of wall times; the median is
printed. Memory is the peak of each process. A round of the plain peer takes minutes. Captions are
compared by recap.py, builds of full-size sources are measured by full_size.py, the reader of
training by training_data.py, steps on packed rows by training_steps.py, the server of trained
models by serving.py, and pages of reports by report_pages.py.
"""

import argparse
import re
import shutil
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.full_size import measure_sources
from bench.full_size_world.coco import CocoSet, write_annotation_set, write_photo_set
from bench.full_size_world.data_root import WRITERS
from bench.measure import Run, run_into
from bench.recap import compare_clients
from bench.report_pages import measure_report
from bench.serving import measure_serving
from bench.training_data import measure_reading
from bench.training_steps import measure_steps

HERE = Path(__file__).parent
MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A conversion that both RegionForge and its peers make."""

    title: str
    data: CocoSet
    images: str  # "embed" or "reference"
    flags: tuple[str, ...]  # flags of RegionForge's build
    target: str


def main() -> None:
    """Write the missing data, run the pairs, and print the ratios of wall times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, metavar="N")
    parts = ("photos", "annotations", "captions", "full", "reading", "steps", "serving", "report")
    parser.add_argument("--only", choices=parts)
    parser.add_argument(
        "--source", action="append", choices=sorted(WRITERS), help="of the full sizes; repeatable"
    )
    parser.add_argument("--peer", choices=("plain", "tuned", "both"), default="both")
    parser.add_argument("--data", type=Path, default=HERE / "data", metavar="DIR")
    args = parser.parse_args()
    if args.only in {None, "photos"}:
        print("drawing 20,000 pictures, unless they are there", flush=True)
        _compare(_photos(args.data), args)
    if args.only in {None, "annotations"}:
        print("writing annotations of COCO's size, unless they are there", flush=True)
        _compare(_annotations(args.data), args)
    if args.only in {None, "captions"}:
        compare_clients(args.pairs)
    if args.only in {None, "full"}:
        measure_sources(args.data, args.source or sorted(WRITERS))
    if args.only in {None, "reading"}:
        measure_reading(args.data, args.pairs)
    if args.only in {None, "report"}:
        measure_report(args.data)
    if args.only in {None, "steps"}:
        measure_steps(args.data)
    if args.only in {None, "serving"}:
        measure_serving()


def _photos(data: Path) -> Workload:
    return Workload(
        title="20,000 images of about 110 kB, embedded, masks as run lengths, SHA-256",
        data=write_photo_set(data / "photos"),
        images="embed",
        flags=("--workers", "2", "--shard-size", "400MiB"),
        target="2.0 (aim 2.8), 0.5 GB in any process",
    )


def _annotations(data: Path) -> Workload:
    return Workload(
        title="118,287 images and 860,001 boxes by reference, masks as run lengths",
        data=write_annotation_set(data / "annotations"),
        images="reference",
        flags=("--workers", "2", "--shard-size", "64MiB"),
        target="2.0 (aim 4), 2 GB in any process (aim 1.2 GB)",
    )


def _compare(work: Workload, args: argparse.Namespace) -> None:
    print(f"\n{work.title}\n  target: {work.target}", flush=True)
    others = ["plain", "tuned"] if args.peer == "both" else [args.peer]
    runs: dict[str, list[Run]] = defaultdict(list)
    for pair in range(1, args.pairs + 1):
        runs["ours"].append(_once(_our_command(work, args.data), args.data))
        for kind in others:
            runs[kind].append(_once(_peer_command(work, kind, args.data), args.data))
        if work.images == "embed":
            runs["copy"].append(_once(_copy_command(work, args.data), args.data))
        times = ", ".join(
            f"{name} {peer_runs[-1].seconds:.1f} s" for name, peer_runs in runs.items()
        )
        print(f"  round {pair}: {times}", flush=True)
    _report(runs)


def _report(runs: dict[str, list[Run]]) -> None:
    ours = runs.pop("ours")
    for name, peer_runs in runs.items():
        print(f"  {name}: {_ratio([other.seconds for other in peer_runs], ours)}")
        if name != "copy":
            alone = [_generated(peer) for peer in peer_runs]
            print(f"  {name}, from_generator alone: {_ratio(alone, ours)}")
    for name, peer_runs in {"ours": ours, **runs}.items():
        largest = max(peer_runs, key=lambda run: run.peak_bytes[:1])
        peaks = ", ".join(f"{peak / MB:.0f}" for peak in largest.peak_bytes if peak > 20 * MB)
        print(f"  peak memory of {name}, MB per process: {peaks or 'small'}", flush=True)


def _ratio(others: list[float], ours: list[Run]) -> str:
    ratios = [other / our.seconds for other, our in zip(others, ours, strict=True)]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    return f"{middle:.2f} x our time (from {low:.2f} to {high:.2f} in {len(ratios)} pairs)"


def _generated(peer: Run) -> float:
    match = re.search(r"from_generator ([\d.]+)", peer.output)
    assert match, "the peer says when from_generator was done"
    return float(match[1])


def _our_command(work: Workload, data: Path) -> list[str]:
    inputs = [
        *("--coco-annotations", str(work.data.annotations), "--coco-images"),
        *(str(work.data.pictures), "--label-set", "COCO-80"),
    ]
    build = [sys.executable, "-m", "pipelines", "build", "--sources", "coco", *inputs]
    return [*build, "--output", str(data / "out"), "--images", work.images, *work.flags]


def _peer_command(work: Workload, kind: str, data: Path) -> list[str]:
    paths = [work.data.annotations, work.data.pictures, data / "out"]
    return [sys.executable, "-m", "bench.peer", kind, *map(str, paths), work.images]


def _copy_command(work: Workload, data: Path) -> list[str]:
    return ["cp", "-r", str(work.data.pictures), str(data / "out")]


def _once(command: list[str], data: Path) -> Run:
    measured = run_into(data / "out", command, data / "log.txt")
    shutil.rmtree(data / "out", ignore_errors=True)
    return measured


if __name__ == "__main__":
    main()
