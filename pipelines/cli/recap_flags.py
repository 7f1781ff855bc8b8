"""The flags of the command `recap`."""

import argparse
from typing import get_args

from pipelines.cli.command import (
    Group,
    add_clip_flags,
    add_engine_flags,
    add_guard_flags,
    add_input_flags,
    add_judge_flags,
    add_request_flags,
    add_shard_flags,
)
from pipelines.cli.own_files import add_own_file_flags
from pipelines.recipes.recap_presets import PAPER, PRESETS, Views

_FILTER = (
    "filter; one of its first four flags is needed, or one of --measured-checks, --max-alike, "
    "--max-opening and --judge-min"
)


def add_recap_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of the command."""
    _add_inputs(parser.add_argument_group("inputs"))
    captioner = parser.add_argument_group("captioner")
    _add_captioner(captioner)
    _add_server(captioner)
    prompts = parser.add_argument_group("prompts")
    _add_views(prompts)
    _add_sampling(prompts)
    _add_filter(parser.add_argument_group(_FILTER))
    judge = parser.add_argument_group("judge, a second model that says what is true")
    add_judge_flags(judge)
    judge.add_argument(
        "--judge-min",
        metavar="P|FILE",
        help="probability of being true that a text must reach, or the file of `regionforge "
        "calibrate --judge-model` (0.5 in recap_modern); without it none is left out",
    )
    _add_output(parser.add_argument_group("output and run"))


def _add_inputs(group: Group) -> None:
    group.add_argument("--source", required=True, metavar="NAME", help="a source with class names")
    group.add_argument(
        "--recipe",
        choices=tuple(PRESETS),
        default=PAPER,
        help="the settings that no flag states: those of RegionGPT's paper, or those of today's "
        "models (default: recap_paper)",
    )
    add_input_flags(group)
    add_guard_flags(group)
    add_own_file_flags(group)
    group.add_argument("--label-set", metavar="NAME", help="the name of its categories as a set")
    group.add_argument(
        "--limit", type=int, metavar="N", help="take N images of each split, by hash"
    )
    group.add_argument(
        "--per-category", type=int, metavar="N", help="take N regions of each category, by hash"
    )
    group.add_argument(
        "--per-image", type=int, metavar="N", help="take N regions of an image, by hash"
    )
    group.add_argument(
        "--min-side",
        type=int,
        metavar="N",
        help="leave out regions whose shorter side has fewer than N pixels (32 in recap_modern; "
        "default: 0)",
    )
    group.add_argument("--seed", type=int, help="number that varies the choices (default: 0)")


def _add_captioner(group: Group) -> None:
    group.add_argument(
        "--captioner",
        choices=("openai", "builtin"),
        help="a server of the OpenAI protocol, or our own that needs none and takes no flags of "
        "servers and models (default: openai)",
    )
    group.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="URL",
        help="base URL of a server, e.g. http://gpu:8000/v1; may be repeated",
    )
    group.add_argument(
        "--model",
        metavar="NAME",
        help="the server's name for the model; default with --serve: MODEL",
    )
    add_request_flags(group)


def _add_server(group: Group) -> None:
    group.add_argument(
        "--serve",
        metavar="MODEL",
        help="instead of --endpoint: have vLLM serve it here, a folder or a name on the Hub",
    )
    group.add_argument(
        "--vllm",
        metavar="PATH",
        help="for --serve: vLLM's own Python, or its executable (default: `vllm` on the PATH)",
    )
    group.add_argument(
        "--serve-args",
        default="",
        metavar="FLAGS",
        help="for --serve: vLLM's flags, e.g. --serve-args='--max-model-len 8192'",
    )
    group.add_argument(
        "--patience",
        type=float,
        metavar="SECONDS",
        help="how long to wait for a server that does not answer (default: 600, and 10 for one "
        "that was never reached; with --serve, where its model must load first: 1800)",
    )


def _add_views(group: Group) -> None:
    group.add_argument(
        "--global-caption",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="caption the whole picture first, and tell that caption with each region (off in "
        "recap_modern)",
    )
    group.add_argument(
        "--no-class-name",
        dest="class_name",
        action="store_false",
        default=None,
        help="do not name the annotated class",
    )
    group.add_argument(
        "--views",
        choices=get_args(Views),
        help="what is sent about a region: its crop; the whole picture, in which regions are "
        "outlined and numbered; both; both, the crop dark outside of the region; or the picture, "
        "and the region in the request (both in recap_modern; default: crop)",
    )
    group.add_argument(
        "--neighbours",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="name the other annotated regions, so that they are not described (on in "
        "recap_modern)",
    )
    group.add_argument(
        "--structured",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="ask for a phrase, a sentence, a paragraph and attributes in one answer, by a JSON "
        "schema where the server takes one (on in recap_modern)",
    )
    group.add_argument(
        "--context",
        type=float,
        metavar="SHARE",
        help="picture shown around each crop, as a share of its sides (0.5 in recap_modern; "
        "default: 0)",
    )
    group.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="pixels of a picture sent, at most (default: 262144)",
    )


def _add_sampling(group: Group) -> None:
    group.add_argument("--wordings", metavar="FILE", help="wordings of your own, as YAML or JSON")
    group.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="sampling temperature; without it none is sent, and the server's own holds",
    )
    group.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        help="nucleus sampling: probability covered; without it none is sent",
    )
    group.add_argument(
        "--global-tokens",
        type=int,
        metavar="N",
        help="tokens of an image's caption, at most (default: 512)",
    )
    group.add_argument(
        "--region-tokens",
        type=int,
        metavar="N",
        help="tokens of a region's caption, at most (default: 512)",
    )
    group.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="draw N captions of each region, and keep the best by the judge, or by CLIP, or by "
        "the words they share; takes --temperature above 0 (default: 1)",
    )
    group.add_argument(
        "--seed-requests",
        action="store_true",
        default=None,
        help="give each call a seed of its own",
    )


def _add_filter(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--threshold",
        type=float,
        metavar="S",
        help="mean similarity that a caption must reach, as `regionforge calibrate` found it for "
        "this scorer and captioner",
    )
    group.add_argument("--calibration", metavar="FILE", help="what `regionforge calibrate` wrote")
    group.add_argument("--no-filter", action="store_true", help="keep all captions, score none")
    group.add_argument(
        "--refilter",
        nargs="?",
        const="",
        metavar="S|FILE",
        help="rebuild the output at another threshold, or that of a calibration or of --marks, "
        "without a call",
    )
    group.add_argument(
        "--marks",
        action="append",
        default=[],
        metavar="FILE",
        help="for --refilter: take the threshold that agrees best with captions which people "
        "marked in the output's report; may be repeated",
    )
    group.add_argument(
        "--threshold-min",
        type=float,
        metavar="S",
        help="similarity that each sentence of a caption must reach, too (default: any)",
    )
    group.add_argument(
        "--measured-checks",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="leave out captions whose place boxes contradict, or whose color pixels do (on in "
        "recap_modern)",
    )
    group.add_argument(
        "--min-words",
        type=int,
        metavar="N",
        help="words that a region's caption must have; 0 keeps any (default: 15)",
    )
    _add_comparison(group)
    add_clip_flags(group)


def _add_comparison(group: Group) -> None:
    group.add_argument(
        "--max-alike",
        type=float,
        metavar="SHARE",
        help="leave out captions that share more of their runs of five words with one of their "
        "class that is kept (0.75 in recap_modern; without it they stay)",
    )
    group.add_argument(
        "--max-opening",
        type=float,
        metavar="SHARE",
        help="share of a class's captions that may begin with the same five words; ten always may "
        "(0.2 in recap_modern; without it any may)",
    )


def _add_output(group: Group) -> None:
    group.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="the folder to write into; also keeps the journal",
    )
    add_engine_flags(group)
    add_shard_flags(group)
    group.add_argument(
        "--rebuild",
        action="store_true",
        help="replace what the output holds, whichever recipe wrote it; captions too",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="only say what it takes, and how long"
    )
