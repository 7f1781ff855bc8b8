"""The declaration of a command's parser, and groups of flags that several commands share."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

from pipelines.cli.arguments import parse_size
from schemas.console import Parser, output_flags
from schemas.errors import UsageError

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
Group: TypeAlias = "argparse._ActionsContainer"
_DEFAULT_SHARD_SIZE = "500MiB"
SMALL_CLIP = "small"  # our own scorer
# The flags of the scorer, as they are where none is given.
USUAL_CLIP = {
    "clip_model": SMALL_CLIP,
    "clip_weights": "",
    "clip_alpha": "",
    "mask_blur": None,
    "device": "",
}


def add_command(
    commands: Commands,
    run: Callable[[argparse.Namespace], int],
    name: str,
    text: str,
    *examples: str,
    json: bool = False,
    takes_others: bool = False,
) -> Parser:
    """Declare a command and return its parser, to which flags can be added.

    Args:
        commands: the collection of commands to which it is added.
        run: function that runs a parsed command line and returns the exit status.
        name: the name of the command.
        text: the line about the command in `--help`.
        examples: examples of command lines, from the command's name on.
        json: whether it can write its result as JSON.
        takes_others: whether it takes flags of Beam; without `--runner`, those for stores alone.
    """
    shown = "".join(f"\n  regionforge {example}" for example in examples)
    parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example{'s' if len(examples) > 1 else ''}:{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[output_flags(json=json)],
        takes_others=takes_others,
    )
    parser.set_defaults(command=name, run=run, unknown=parser.unknown)
    return parser


def add_input_flags(group: Group) -> None:
    """Declare the flags that name the files and folders of sources."""
    group.add_argument(
        "--data-root",
        default=".",
        metavar="DIR",
        help="the folder of the owners' files (default: here)",
    )
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="SOURCE.ROLE=PATH",
        help="a file or folder that is not at its usual place, see `regionforge sources`; may be "
        "repeated",
    )
    add_module_flag(group)
    group.add_argument(
        "--allow-missing",
        action="store_true",
        default=None,
        help="go on where more than half of a split's pictures are missing",
    )


def add_engine_flags(group: Group) -> None:
    """Declare the flags that say where a pipeline runs."""
    group.add_argument(
        "--workers", type=int, metavar="N", help="number of processes of a local run (default: 1)"
    )
    group.add_argument("--runner", default="local", metavar="NAME", help="a Beam runner")


def add_module_flag(group: Group) -> None:
    """Declare the flag that names modules with sources of others."""
    group.add_argument(
        "--source-module",
        action="append",
        default=[],
        metavar="MODULE|FILE.py",
        help="a module that declares sources of your own; may be repeated",
    )


def add_guard_flags(group: Group) -> None:
    """Declare the flags of the guard against training on pictures of evaluations."""
    group.add_argument(
        "--guard",
        action=argparse.BooleanOptionalAction,
        help="keep pictures that evaluations are done on out of splits to train on (default: on)",
    )
    group.add_argument(
        "--require-guard", action="store_true", help="stop where a list of such pictures is missing"
    )


def add_request_flags(group: Group) -> None:
    """Declare the flags of requests to servers, and of the check of servers."""
    group.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the key, if there is one "
        "(default: OPENAI_API_KEY)",
    )
    group.add_argument(
        "--concurrency", type=int, metavar="N", help="calls in flight, at most (default: 64)"
    )
    group.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="time limit of one call (default: 120)"
    )
    group.add_argument(
        "--extra-body",
        metavar="JSON",
        help="further parameters of each request, as an object, e.g. '{\"top_k\": 20}'; they are "
        "written into records",
    )
    add_canary_flag(group)


def add_canary_flag(group: Group) -> None:
    """Declare the flag that leaves out the check of servers."""
    group.add_argument(
        "--no-canary",
        action="store_true",
        default=None,
        help="ask without the check of the server that comes first, for those who know it",
    )


def add_judge_flags(group: Group) -> None:
    """Declare the flags of the model that judges captions."""
    group.add_argument(
        "--judge-endpoint",
        action="append",
        default=[],
        metavar="URL",
        help="base URL of a server of the judge, as of --endpoint; may be repeated",
    )
    group.add_argument(
        "--judge-model",
        metavar="NAME",
        help="have this model say of each text about a region whether all of it is true",
    )
    group.add_argument(
        "--judge-sentences",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="judge each sentence, and leave out false ones instead of the caption (on in "
        "recap_modern)",
    )
    group.add_argument(
        "--judge-api-key-env",
        metavar="NAME",
        help="the environment variable of the judge's key (default: OPENAI_API_KEY)",
    )
    group.add_argument(
        "--judge-extra-body",
        metavar="JSON",
        help="further parameters of each request to the judge, as of --extra-body",
    )


def add_shard_flags(group: Group) -> None:
    """Declare the flags about the written shards."""
    group.add_argument(
        "--shard-size",
        dest="shard_bytes",
        type=parse_size,
        metavar="SIZE",
        help=f"size of a shard, at most, e.g. 2GB (default: {_DEFAULT_SHARD_SIZE})",
    )


def add_clip_flags(group: Group) -> None:
    """Declare the flags of the CLIP model that scores captions."""
    group.add_argument(
        "--clip-model",
        default=SMALL_CLIP,
        metavar="NAME",
        help="a model of open_clip, such as ViT-L-14; `small` is our own, for drawn shapes only",
    )
    group.add_argument(
        "--clip-weights",
        default="",
        metavar="TAG|FILE",
        help="open_clip's tag, such as openai, whose configuration also says the activation; a "
        "file; or TAG=FILE, a file of the weights with that tag",
    )
    group.add_argument(
        "--clip-alpha",
        default="",
        metavar="FILE",
        help="weights of Alpha-CLIP's vision tower for the model, which sees the masks of regions",
    )
    group.add_argument(
        "--mask-blur",
        action="store_true",
        default=None,
        help="blur the scorer's crops outside the masks of regions, where there are masks",
    )
    group.add_argument(
        "--device",
        default="",
        metavar="NAME",
        help="torch's device, e.g. cuda; default: a GPU if any",
    )


def check_alpha(args: argparse.Namespace) -> None:
    """Raise `UsageError` where another flag shows the scorer masks in another way."""
    if args.clip_alpha and args.mask_blur:
        raise UsageError("--mask-blur: the model of --clip-alpha sees masks: leave out one of them")
