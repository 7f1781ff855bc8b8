"""`chat --web`: the talk on a page, with the extra `demo`."""

import argparse

from model.serve.web.server import serve_page
from schemas import console
from train.serve.flag_checks import PAGE_PORT
from train.serve.opening import open_model


def chat_on_page(args: argparse.Namespace) -> int:
    """Serve the page until a signal comes.

    Raises:
        RegionForgeError: the model cannot be opened, or the port was taken while it was.
        KeyboardInterrupt: a signal came.
    """
    model = open_model(args.checkpoint, device=args.device, dtype=args.dtype)
    serve_page(
        model,
        port=PAGE_PORT if args.port is None else args.port,
        max_new_tokens=args.max_new_tokens,
        on_ready=lambda address: console.result(f"{address} (Ctrl-C ends it)"),
    )
    return 0
