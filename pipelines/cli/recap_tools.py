"""The captioner of a `recap` run, made from flags, and the server of `--serve`."""

from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import folder, from_flags, positive
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.flow import CaptionTools
from pipelines.recap.serving.command import find_vllm, parse_serve_args, serve_command
from pipelines.recap.serving.server import KEY_VARIABLE, Server, Serving
from pipelines.recipes.recap import Captioning
from pipelines.storage import files
from pipelines.storage.extras import require
from schemas.errors import UsageError
from schemas.layout import SERVER_LOG

if TYPE_CHECKING:
    from pipelines.recap.client.endpoints import Servers

_BUILTIN_CONCURRENT_IMAGES = 8  # number of images captioned at a time
PATIENCE, PATIENCE_WITH_A_START = 600.0, 1800.0  # seconds
_COMEBACK_SECONDS = 60.0  # maximum from a server's restart to its first answer


def check_server_flags(args: Namespace) -> None:
    """Check that the flags about a server fit together, and that the libraries are installed.

    Raises:
        UsageError: the message names the flags that do not fit, or the extra to install.
    """
    if args.captioner != "builtin":
        require("serve", "asking a model")
    if args.serve is None:
        if args.vllm is not None or args.serve_args:
            raise UsageError("--vllm and --serve-args go with --serve MODEL")
        return
    if not args.serve:
        raise UsageError("--serve MODEL: a local folder, or a name on the Hub")
    if args.endpoint:
        raise UsageError("--serve starts a server, --endpoint names one that is there: give one")
    if args.captioner == "builtin":
        raise UsageError("--captioner builtin needs no server: leave out --serve")


def open_server(args: Namespace, model: str) -> AbstractContextManager[Server | None]:
    """Return the server of `--serve`, which starts on its first request, or None without calls."""
    if args.serve is None or args.dry_run or args.refilter is not None:
        return nullcontext()
    flags = parse_serve_args(args.serve_args)
    command = partial(serve_command, find_vllm(args.vllm), args.serve, model, flags)
    log = files.join(folder(args.output), SERVER_LOG)
    return Server(Serving(command=command, log=log, patience=_patience(args)))


def make_tools(
    args: Namespace,
    captioning: Captioning,
    scorer: Callable[[], Scorer] | None,
    server: Server | None,
) -> CaptionTools:
    """Return the functions that make the captioner and the scorer of a run."""
    concurrent_images = positive("--concurrency", args.concurrency)
    captioner: Callable[[], Captioner]
    if args.refilter is not None:
        captioner = ReplayOnlyCaptioner
    elif captioning.captioner == "builtin":
        captioner = partial(BuiltinCaptioner, captioning.context)
        concurrent_images = _BUILTIN_CONCURRENT_IMAGES
    else:
        from pipelines.recap.client.captioner import OpenAICaptioner

        captioner = partial(OpenAICaptioner, _servers(args, server), captioning)
        if server is not None:
            from pipelines.recap.serving.captioner import ServedCaptioner

            captioner = partial(ServedCaptioner, captioner, server)
    return CaptionTools(captioner=captioner, scorer=scorer, concurrent_images=concurrent_images)


def _servers(args: Namespace, server: Server | None) -> "Servers":
    from pipelines.recap.client.endpoints import Servers

    values: dict[str, Any] = {"concurrency": args.concurrency, "time_limit": args.timeout}
    if server is not None:
        # `Server` limits the time of a restart, so the client waits longer than that.
        values["endpoints"] = (server.url,)
        values["api_key_env"] = KEY_VARIABLE
        values["patience"] = _patience(args) + _COMEBACK_SECONDS
    else:
        default = [] if args.serve is None else ["http://localhost/v1"]  # unused dummy of a dry run
        values["endpoints"] = args.endpoint or default
        values["api_key_env"] = args.api_key_env
        values["patience"] = _patience(args)
    return from_flags(Servers, values, {"time_limit": "--timeout"})


def _patience(args: Namespace) -> float:
    usual = PATIENCE if args.serve is None else PATIENCE_WITH_A_START
    patience = float(usual if args.patience is None else args.patience)
    if patience <= 0:
        raise UsageError(f"--patience {patience:g}: expected more than 0")
    return patience
