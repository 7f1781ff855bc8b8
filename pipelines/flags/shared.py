"""The flags that `build` and `recap` share."""

import argparse


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


def add_shard_flags(group: "argparse._ArgumentGroup") -> None:
    """Declare the flags about the shards that are written."""
    group.add_argument("--shard-size", default="500MB", metavar="SIZE", help="e.g. 500MB, 2GB")
    group.add_argument("--rebuild", action="store_true", help="replace another build in the output")
