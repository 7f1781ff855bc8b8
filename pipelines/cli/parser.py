"""The command line: what can be typed; what it does is in `commands/`.

Flags that are not ours pass through to Beam; a flag that neither knows is an error. Beam and
what needs it are imported only to run a command: `--help` should not take a second.
"""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from pydantic import ValidationError

from pipelines import VERSION
from pipelines.cli.flags.build import add_build_flags
from pipelines.cli.flags.recap import add_clip_flags, add_recap_flags
from schemas.errors import RegionForgeError, UsageError

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit; a mistake of the user ends without a traceback."""
    status = run(sys.argv[1:] if argv is None else argv)
    sys.stdout.flush()
    sys.stderr.flush()
    if status and threading.active_count() > 1:
        os._exit(status)  # a pipeline that was given up may never let its threads end
    sys.exit(status)


def run(argv: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    args, others = _parser().parse_known_args(argv)
    logging.getLogger().setLevel(logging.CRITICAL)  # Beam logs what no user can change
    try:
        return _call(args, others)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        print(f"error: {flag}: {first['msg']}", file=sys.stderr)
    except (RegionForgeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; finished shards are kept: run it again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_ERROR


def _call(args: argparse.Namespace, others: list[str]) -> int:
    from pipelines.runner.beam_flags import check_beam_flags, open_remote_files

    if others and args.command != "build":
        raise UsageError(f"unknown flag {others[0]!r}; --help lists those there are")
    check_beam_flags(others)
    open_remote_files(others)
    args.beam_flags = others
    return int(import_module(f"pipelines.cli.{args.command}").run(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regionforge",
        description="Region-level instruction data from public data sets.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"regionforge {VERSION}")
    commands_ = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _sources,
        _build,
        _recap,
        _calibrate,
        _wordings,
        _verify,
        _preview,
        _demo,
        _sample_world,
    ):
        add(commands_)
    return parser


def _add(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    *examples: str,
) -> argparse.ArgumentParser:
    shown = "".join(f"\n  python -m pipelines {example}" for example in examples)
    parser = group.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example{'s' if len(examples) > 1 else ''}:{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name.replace("-", "_"))
    return parser


def _sources(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "sources",
        "List the sources: what of each is found, what is missing, and where to get it.",
        "sources --data-root /data",
    )
    parser.add_argument("--data-root", required=True, metavar="DIR")


def _build(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "build",
        "Build instruction shards. Flags not listed here go to Beam.",
        "build --sources coco --data-root /data --output /shards --workers 4",
        "build --recipe regiongpt_finetune --data-root /data --output /shards --recapd /recapd",
    )
    add_build_flags(parser)


def _recap(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "recap",
        "Caption the regions of a source in detail, and keep the captions that fit.",
        "recap --source v3det --data-root /data --output /recapd "
        "--endpoint http://gpu:8000/v1 --model NAME --threshold 0.2",
        "recap --source v3det --data-root /data --output /recapd "
        "--serve Qwen/Qwen2.5-VL-7B-Instruct --vllm /opt/vllm/bin/python --no-filter",
    )
    add_recap_flags(parser)


def _calibrate(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "calibrate",
        "Find the CLIP similarity that tells captions of a crop from captions of another one.",
        "calibrate /recapd --clip-model ViT-L-14 --clip-weights openai --to calibration.json",
    )
    parser.add_argument("output", metavar="OUTPUT", help="of `recap`, best with --no-filter")
    parser.add_argument(
        "--to", required=True, metavar="FILE", help="JSON for `recap --calibration`; a .png beside"
    )
    parser.add_argument(
        "--false-accept",
        type=float,
        metavar="SHARE",
        help="of foreign captions that may pass; default: as few errors of both kinds as can be",
    )
    parser.add_argument(
        "--pairs", type=int, default=2000, metavar="N", help="at most (default: %(default)s)"
    )
    add_clip_flags(parser)
    parser.add_argument("--seed", type=int, default=0)


def _wordings(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "wordings",
        "Ask a chat model for new wordings of a request, in a file for --wordings.",
        "wordings --kind recap_region --n 10 --endpoint http://localhost:8000/v1 --model NAME "
        "--output mine.yaml",
    )
    parser.add_argument("--kind", required=True, metavar="SET", help="a set, see `prompts/`")
    parser.add_argument("--n", type=int, default=10, metavar="N", help="how many")
    parser.add_argument("--endpoint", required=True, metavar="URL", help="of the OpenAI protocol")
    parser.add_argument("--model", required=True, metavar="NAME", help="what the server calls it")
    parser.add_argument("--output", metavar="FILE", help="its other sets stay; default: printed")


def _verify(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "verify",
        "Re-read a whole build and name all that is wrong with it.",
        "verify /shards --workers 4",
    )
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--image-root", metavar="DIR", help="check referenced images too")


def _preview(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "preview",
        "Show some records of a build, chosen by hash, in the terminal and as an HTML page.",
        "preview /shards -n 8 --html preview.html",
    )
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("-n", dest="count", type=int, default=8, metavar="N")
    parser.add_argument("--config", metavar="NAME")
    parser.add_argument("--split", metavar="NAME")
    parser.add_argument("--html", metavar="FILE", help="write an offline page with regions drawn")
    parser.add_argument("--image-root", metavar="DIR", help="where referenced images lie")


def _demo(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "demo",
        "Draw a small world, build it, caption it, verify it and show it.",
        "demo --output demo_output",
    )
    parser.add_argument("--output", default="demo_output", metavar="DIR")


def _sample_world(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "sample-world",
        "Draw pictures of coloured shapes, with annotations in the owners' formats.",
        "sample-world /tmp/world --size small",
    )
    parser.add_argument("output", metavar="DIR")
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--seed", type=int, default=0)
