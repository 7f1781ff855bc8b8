"""The captioner of a `recap` run, made from flags, and the server of `--serve`."""

import asyncio
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import from_flags, output_folder
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.flow import CaptionTools
from pipelines.recap.serving.command import find_vllm, parse_serve_args, serve_command
from pipelines.recap.serving.server import KEY_VARIABLE, Server, Serving
from pipelines.recipes.recap import Captioning
from pipelines.recipes.recap_presets import PAPER
from pipelines.runner.remote import LOCAL_RUNNERS
from pipelines.storage import files
from pipelines.storage.extras import require
from schemas.errors import UsageError
from schemas.layout import SERVER_LOG

if TYPE_CHECKING:
    from pipelines.recap.client.checked import CheckedCaptioner
    from pipelines.recap.client.endpoints import Servers

_LOCAL_CONCURRENT_IMAGES = 8  # number of images captioned at a time without a server
# The flags that the built-in captioner, which asks no model, does not use.
_MODEL_FLAGS = (
    *("endpoint", "model", "api_key_env", "serve", "vllm", "serve_args"),
    *("concurrency", "timeout", "patience", "extra_body", "no_canary"),
    *("temperature", "top_p", "seed_requests", "global_tokens", "region_tokens", "min_words"),
    *("views", "neighbours", "structured", "judge_endpoint", "judge_model", "judge_min"),
    *("judge_sentences", "judge_api_key_env", "judge_extra_body", "samples"),
    "measured_checks",
)
PATIENCE, PATIENCE_WITH_A_START = 600.0, 1800.0  # seconds
_COMEBACK_SECONDS = 60.0  # maximum from a server's restart to its first answer


def check_server_flags(args: Namespace) -> None:
    """Check that the flags about a server fit together, and that the libraries are installed.

    Raises:
        UsageError: the message names the flags that do not fit, or the extra to install.
    """
    if args.captioner == "builtin":
        _check_no_model(args)
    else:
        require("serve", "regionforge recap")
    if args.serve is None:
        if args.vllm is not None or args.serve_args:
            raise UsageError("--vllm and --serve-args go with --serve MODEL")
        return
    if not args.serve:
        raise UsageError("--serve MODEL: a local folder, or a name on the Hub")
    if args.endpoint:
        raise UsageError("--serve starts a server, --endpoint names one that is there: give one")
    if not in_this_process(args):
        raise UsageError(
            "--serve starts a server for this process alone: leave out --runner and --workers, or "
            "start the server by hand, and give its --endpoint"
        )
    if not files.is_local(args.output):
        raise UsageError(
            f"--serve goes with an --output of this machine, not {args.output}: start the server "
            "by hand, and give its --endpoint"
        )


def in_this_process(args: Namespace) -> bool:
    """Return whether no other process captions."""
    return args.runner in LOCAL_RUNNERS and (args.workers or 1) == 1


def _check_no_model(args: Namespace) -> None:
    """Raise `UsageError` where flags about a model are given to the built-in captioner."""
    stated = [name for name in _MODEL_FLAGS if getattr(args, name) not in (None, [], "")]
    given = [name if getattr(args, name) is not False else f"no_{name}" for name in stated]
    if args.class_name is False:
        given.append("no_class_name")
    if args.recipe != PAPER:
        given.append("recipe")
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"--captioner builtin asks no model: leave out {flags}")


def open_server(args: Namespace, captioning: Captioning) -> AbstractContextManager[Server | None]:
    """Return the server of `--serve`, which starts on its first request, or None without calls."""
    if args.serve is None or args.dry_run or args.refilter is not None:
        return nullcontext()
    flags = parse_serve_args(args.serve_args, captioning.pictures)
    command = partial(serve_command, find_vllm(args.vllm), args.serve, captioning.model, flags)
    log = files.join(output_folder(args.output), SERVER_LOG)
    return Server(Serving(command=command, log=log, patience=_patience(args)))


def make_tools(
    args: Namespace,
    captioning: Captioning,
    scorer: Callable[[], Scorer] | None,
    server: Server | None,
) -> CaptionTools:
    """Return the functions that make the captioner and the scorer of a run."""
    captioner: Callable[[], Captioner]
    concurrent_images = _LOCAL_CONCURRENT_IMAGES
    if args.refilter is not None:
        captioner = ReplayOnlyCaptioner
    elif captioning.captioner == "builtin":
        captioner = partial(BuiltinCaptioner, captioning.context)
    else:
        from pipelines.recap.client.captioner import OpenAICaptioner

        servers = servers_of(args, server)
        concurrent_images = servers.concurrency
        captioner = partial(OpenAICaptioner, servers, captioning)
        if server is not None:
            from pipelines.recap.serving.captioner import ServedCaptioner

            checked, pictures = not args.no_canary, captioning.pictures
            captioner = partial(
                ServedCaptioner, captioner, server, checked=checked, pictures=pictures
            )
    return CaptionTools(captioner=captioner, scorer=scorer, concurrent_images=concurrent_images)


def check_vision(tools: CaptionTools, captioning: Captioning, *, now: bool) -> CaptionTools:
    """Check that the servers of a run see images, now or before their first request.

    Args:
        tools: the tools of the run, with a captioner that sends requests to servers.
        captioning: what the run sends.
        now: whether to check at once; otherwise a run whose answers are all known sends nothing.

    Returns:
        The tools with which to run.

    Raises:
        BuildError: a server does not see images, or answers no requests.
    """
    checked = partial(_checked, tools.captioner, captioning)
    if not now:
        return replace(tools, captioner=checked)
    asyncio.run(_check_servers(checked))
    return tools


def _checked(make: Callable[[], Captioner], captioning: Captioning) -> "CheckedCaptioner":
    from pipelines.recap.client.canary import check_servers_see_images
    from pipelines.recap.client.captioner import OpenAICaptioner
    from pipelines.recap.client.checked import CheckedCaptioner

    captioner = make()
    assert isinstance(captioner, OpenAICaptioner), "only servers can be blind"
    check = partial(
        check_servers_see_images, pictures=captioning.pictures, regions=captioning.given
    )
    return CheckedCaptioner(captioner, check)


async def _check_servers(make: Callable[[], "CheckedCaptioner"]) -> None:
    captioner = make()
    try:
        await captioner.check()
    finally:
        await captioner.close()


def servers_of(args: Namespace, server: Server | None = None) -> "Servers":
    """Return the servers of a run, and how long it waits for them.

    Raises:
        UsageError: a flag about them is invalid.
    """
    from pipelines.recap.client.endpoints import Servers

    values: dict[str, Any] = {"concurrency": args.concurrency, "time_limit": args.timeout}
    if server is not None:
        # `Server` limits the time of a restart, so the client waits longer than that.
        values["endpoints"] = (server.url,)
        values["api_key_env"] = KEY_VARIABLE
        values["patience"] = _patience(args) + _COMEBACK_SECONDS
        values["first_patience"] = values["patience"]
    else:
        default = [] if args.serve is None else ["http://localhost/v1"]  # unused dummy of a dry run
        values["endpoints"] = args.endpoint or default
        values["api_key_env"] = args.api_key_env
        values["patience"] = _patience(args)
        values["first_patience"] = args.patience
    stated = {field: value for field, value in values.items() if value is not None}
    return from_flags(Servers, stated, {"time_limit": "--timeout"})


def _patience(args: Namespace) -> float:
    usual = PATIENCE if args.serve is None else PATIENCE_WITH_A_START
    patience = float(usual if args.patience is None else args.patience)
    if patience <= 0:
        raise UsageError(f"--patience {patience:g}: expected more than 0")
    return patience
