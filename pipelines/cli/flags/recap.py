"""The flags of `recap`."""

import argparse

from pipelines.cli.flags.shared import add_guard_flags, add_place_flags, add_shard_flags


def add_recap_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `recap`."""
    _inputs(parser.add_argument_group("what to caption"))
    _captioner(parser.add_argument_group("who captions"))
    _prompts(parser.add_argument_group("how it is asked"))
    _filter(parser.add_argument_group("which captions are kept; one of the first four is needed"))
    out = parser.add_argument_group("where and how")
    out.add_argument("--output", required=True, metavar="DIR", help="local; also keeps the journal")
    add_shard_flags(out)
    out.add_argument(
        "--dry-run", action="store_true", help="only say how many calls, tokens and hours it takes"
    )


def _inputs(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--source", required=True, metavar="NAME", help="one with class names")
    add_place_flags(group)
    add_guard_flags(group)
    group.add_argument("--label-set", metavar="NAME", help="what the category names are called")
    group.add_argument("--limit", type=int, metavar="N", help="N images per split, by hash")
    group.add_argument(
        "--per-category", type=int, metavar="N", help="N regions of each category, by hash"
    )
    group.add_argument("--per-image", type=int, metavar="N", help="N regions of an image, by hash")
    group.add_argument("--seed", type=int, default=0)


def _captioner(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--captioner",
        choices=("openai", "builtin"),
        default="openai",
        help="a server of the OpenAI protocol, or our own that needs none (default: %(default)s)",
    )
    group.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="URL",
        help="of a server, e.g. http://gpu:8000/v1; may be repeated",
    )
    group.add_argument(
        "--serve",
        metavar="MODEL",
        help="instead of --endpoint: have vLLM serve it here, a local folder or a name on the Hub",
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
        "--model",
        default="",
        metavar="NAME",
        help="what the server calls it; default with --serve: MODEL",
    )
    group.add_argument(
        "--api-key-env",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="the environment variable that holds the key, if there is one (default: %(default)s)",
    )
    group.add_argument(
        "--concurrency", type=int, default=64, metavar="N", help="calls in flight, at most"
    )
    group.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="of one call"
    )
    group.add_argument(
        "--patience",
        type=float,
        metavar="SECONDS",
        help="how long to wait for a server that does not answer (default: 600; with --serve, "
        "where its model must load first: 1800)",
    )


def _prompts(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--no-global-caption", action="store_true", help="ask about crops without the whole image"
    )
    group.add_argument(
        "--no-class-name", action="store_true", help="do not name the annotated class"
    )
    group.add_argument("--wordings", metavar="FILE", help="YAML or JSON: wordings of your own")
    group.add_argument("--temperature", type=float, default=0.2, metavar="T")
    group.add_argument("--top-p", type=float, default=1.0, metavar="P")
    group.add_argument("--global-tokens", type=int, default=256, metavar="N")
    group.add_argument("--region-tokens", type=int, default=384, metavar="N")
    group.add_argument(
        "--seed-requests", action="store_true", help="give each call a seed of its own"
    )
    group.add_argument(
        "--context",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="picture shown around each crop, as a share of its sides",
    )
    group.add_argument(
        "--max-pixels", type=int, default=512 * 512, metavar="N", help="of a picture that is sent"
    )


def _filter(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--threshold", type=float, metavar="S", help="mean CLIP similarity")
    group.add_argument("--calibration", metavar="FILE", help="what `calibrate` wrote")
    group.add_argument("--no-filter", action="store_true", help="keep all, score none")
    group.add_argument(
        "--refilter",
        type=float,
        metavar="S",
        help="rebuild the output at another threshold, without a call",
    )
    add_clip_flags(group)


def add_clip_flags(group: "argparse._ActionsContainer") -> None:
    """Declare the flags that choose a scorer."""
    group.add_argument(
        "--clip-model",
        default="small",
        metavar="NAME",
        help="of open_clip; `small` is our own, for drawn shapes only",
    )
    group.add_argument(
        "--clip-weights", default="", metavar="NAME", help="open_clip's tag, or a file"
    )
    group.add_argument(
        "--device", default="", metavar="NAME", help="e.g. cuda; default: what is there"
    )
