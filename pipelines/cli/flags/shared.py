"""The flags that `build` and `recap` share."""

import argparse

SHARD_SIZE = "500MiB"  # where no other is wanted


def add_place_flags(group: "argparse._ArgumentGroup") -> None:
    """Declare the flags that say where sources lie."""
    group.add_argument(
        "--data-root", default=".", metavar="DIR", help="where the owners' files lie"
    )
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="SOURCE.ROLE=PATH",
        help="a file or folder that is not at its usual place, see `sources`; may be repeated",
    )


def add_guard_flags(group: "argparse._ArgumentGroup") -> None:
    """Declare the flags about pictures that evaluations are done on."""
    group.add_argument(
        "--guard",
        action=argparse.BooleanOptionalAction,
        help="keep pictures that evaluations are done on out of splits to train on (default: do)",
    )
    group.add_argument(
        "--require-guard", action="store_true", help="stop where a list of such pictures is missing"
    )


def add_shard_flags(group: "argparse._ArgumentGroup") -> None:
    """Declare the flags about the shards that are written."""
    group.add_argument("--shard-size", metavar="SIZE", help=f"e.g. 2GB (default: {SHARD_SIZE})")
    group.add_argument(
        "--rebuild",
        action="store_true",
        help="replace what was written into the output, by this recipe or another; captions too",
    )
