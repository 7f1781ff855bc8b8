"""The use that a server makes of calls which begin with the same bytes, by `recap --views both`.

    python -m bench.prefix_caching VLLM [--pairs N] [--images N] [--side N] [--concurrency N]

VLLM is the folder that `python -m tests.vllm.environment` prints. In each round a whole run of
`recap` captions the same photographs with a server that keeps the states of prompts, and with one
that does not. Printed are calls per second, and the share of the prompts' tokens that the server
read from its cache, as it says itself. Each run has a server of its own, so that no run profits
from an earlier one.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.against_vllm import alone, make_parser, parse, recap_run, served
from bench.full_size_world.coco import CocoSet, write_photo_set
from bench.recorder import Run

_WAYS = {
    "with the cache": "--enable-prefix-caching --block-size 32 --enable-prompt-tokens-details",
    "without it": "--no-enable-prefix-caching --block-size 32 --enable-prompt-tokens-details",
}


def compare(args: argparse.Namespace) -> None:
    """Run the rounds and print the ratio of speeds."""
    with tempfile.TemporaryDirectory() as name:
        photos = write_photo_set(Path(name) / "photos", args.images)
        speeds: dict[str, list[float]] = {way: [] for way in _WAYS}
        for turn in range(1, args.pairs + 1):
            for number, (way, flags) in enumerate(_WAYS.items()):
                folder = Path(name) / f"round-{turn}-{number}"
                run = _run(photos, args, folder, flags)
                speeds[way].append(run.calls / run.seconds)
                share = run.cached_tokens / run.prompt_tokens
                print(
                    f"round {turn}, {way}: {run.calls} calls, {run.calls / run.seconds:.1f} a "
                    f"second, {run.prompt_tokens:.0f} tokens read each, {share:.0%} of them from "
                    "the cache",
                    flush=True,
                )
        ratios = [one / other for one, other in zip(*speeds.values(), strict=True)]
        print(
            f"with / without: {statistics.median(ratios):.2f} "
            f"(from {min(ratios):.2f} to {max(ratios):.2f})"
        )


def _run(photos: CocoSet, args: argparse.Namespace, folder: Path, flags: str) -> Run:
    folder.mkdir()
    with served(args.vllm, args.model, folder, flags, pictures=2) as server:
        return alone(recap_run, photos, server.url, args, folder / "run")


if __name__ == "__main__":
    parser = make_parser(__doc__.splitlines()[0])
    parser.set_defaults(views="both", images=40, concurrency=16)
    parser.add_argument("--pairs", type=int, default=1, metavar="N")
    compare(parse(parser))
