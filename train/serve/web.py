"""`chat --web`: the talk on a page, with the extra `demo`."""

import argparse
from importlib.util import find_spec

from model.serve.web.server import serve_page
from schemas import console
from schemas.errors import UsageError
from train.serve.opening import open_model

_PORT = 7860  # gradio's usual one
_NEEDS = "regionforge chat --web needs: pip install 'regionforge[demo,train]'"


def chat_on_page(args: argparse.Namespace) -> int:
    """Serve the page until a signal comes.

    Raises:
        RegionForgeError: the extra is missing, the model cannot be opened, or the port is taken.
        KeyboardInterrupt: a signal came.
    """
    if find_spec("gradio") is None:
        raise UsageError(_NEEDS)
    model = open_model(args.checkpoint, device=args.device, dtype=args.dtype)
    serve_page(
        model,
        port=_PORT if args.port is None else args.port,
        max_new_tokens=args.max_new_tokens,
        on_ready=lambda address: console.result(f"{address} (Ctrl-C ends it)"),
    )
    return 0
