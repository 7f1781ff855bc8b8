"""The checks of flags of `chat`, `answer`, `serve`; nothing heavy is imported: they come first."""

import argparse
import os
import socket
from collections.abc import Sequence
from errno import EADDRNOTAVAIL
from importlib.util import find_spec

from schemas.errors import UsageError
from schemas.hub_name import check_model_name
from train.named_files import check_file, check_folder
from train.serve.flags import VLLM

PAGE_PORT = 7860  # gradio's usual one
_PAGE_HOST = "127.0.0.1"
_MOST_PORT = 65_535


def check_chat(args: argparse.Namespace) -> None:
    """Check the flags of `chat`.

    Raises:
        UsageError: a flag cannot be used, or flags do not go together.
    """
    if args.image is None and (args.region or args.detections):
        raise UsageError("--image FILE is missing: the picture of the regions")
    if (args.detections is None) != (args.image_id is None):
        raise UsageError("--detections FILE and --image-id N go together: name both")
    if args.port is not None and not args.web:
        raise UsageError("--port is for --web: name both, or leave it out")
    if args.web:
        named = {"image": args.image, "region": args.region, "detections": args.detections}
        _refuse([name for name, value in named.items() if value], "with --web it is on the page")
        _require("gradio", "chat --web", "demo")
        _check_port(_PAGE_HOST, PAGE_PORT if args.port is None else args.port)
    if args.min_score is not None and args.detections is None:
        raise UsageError("--min-score is for --detections: name both, or leave it out")
    check_file("--image", args.image)
    check_file("--detections", args.detections)
    check_model_name(args.checkpoint)


def check_answer(args: argparse.Namespace) -> None:
    """Check the flags of `answer`.

    Raises:
        UsageError: a flag cannot be used, or it is not clear what is asked.
    """
    check_model_name(args.checkpoint)
    named = {name: getattr(args, name) is not None for name in ("images", "regions", "question")}
    if args.shards is not None:
        _refuse([name for name, given in named.items() if given], "the shards hold the questions")
        check_folder("--shards", args.shards)
        check_folder("--image-root", args.image_root)
        return
    if not any(named.values()):
        raise UsageError(
            "name a build by --shards, or pictures by --images, --regions and --question"
        )
    for name, given in named.items():
        if not given:
            raise UsageError(f"--{name} is missing: --images, --regions and --question go together")
    _refuse([name for name in ("split", "image_root") if getattr(args, name)], "it is for --shards")
    check_folder("--images", args.images)
    check_file("--regions", args.regions)


def check_serve(args: argparse.Namespace) -> None:
    """Check the flags of `serve`.

    Raises:
        UsageError: a flag cannot be used, or flags do not go together.
    """
    if args.engine != VLLM:
        named = [name for name in ("vllm", "vllm_args") if getattr(args, name) is not None]
        _refuse(named, f"it is for --engine {VLLM}")
    check_model_name(args.checkpoint)
    _require("aiohttp", "serve", "serve")
    _check_port(args.host, args.port)


def _check_port(host: str, port: int) -> None:
    """Check that a server could listen at an address now, before its model is loaded."""
    if port > _MOST_PORT:
        raise UsageError(f"--port {port}: expected {_MOST_PORT} at most")
    try:
        ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror}") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            other = "--host" if error.errno == EADDRNOTAVAIL else "--port"
            raise UsageError(f"{host}:{port}: {reason}: name another {other}") from None


def _require(library: str, command: str, extra: str) -> None:
    if find_spec(library) is None:
        raise UsageError(f"regionforge {command} needs: pip install 'regionforge[{extra},train]'")


def _refuse(names: Sequence[str], why: str) -> None:
    if names:
        raise UsageError(f"--{names[0].replace('_', '-')}: {why}: leave it out")
