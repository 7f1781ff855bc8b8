"""The start of a vLLM with the language model of an opened model, and its end."""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from model.serve.engine import Engine
from model.serve.opened import OpenedModel
from model.serve.server import Limits
from pipelines.recap.serving.command import ADDRESS, find_vllm, serve_command, server_flags
from pipelines.recap.serving.server import Server, Serving
from regionforge.vllm_engine.engine import MODEL, VllmEngine
from regionforge.vllm_engine.language import drop_language, write_language
from schemas.errors import RegionForgeError

_PREFIX = "regionforge-vllm-"
_PATIENCE = 1800.0  # seconds for vLLM to load the language model
_ALONE = "vLLM is for this server alone, on a port and with a key of its own"
_PROMPTS = "prompts come as embeddings, and are sampled as requests state it"
_OURS = {
    **dict.fromkeys(ADDRESS, _ALONE),
    "enable-prompt-embeds": _PROMPTS,
    "generation-config": _PROMPTS,
    "max-num-seqs": "it is --batch",
    "dtype": "it is --dtype",
    "max-model-len": "the model states it",
}
_DEFAULTS: dict[str, tuple[str, ...]] = {"disable-uvicorn-access-log": ()}
_ADVICE = "Mend what it says, by --vllm-args where flags of vLLM do so"


def vllm_engine(
    args: argparse.Namespace,
) -> Callable[[OpenedModel, Limits], AbstractContextManager[Engine]]:
    """Return what starts a vLLM for a model, by the flags of `serve`.

    Raises:
        UsageError: there is no vLLM, or its flags cannot be used.
    """
    program = find_vllm(args.vllm, "--engine vllm")
    flags = server_flags("--vllm-args", args.vllm_args or "", _DEFAULTS, _OURS)
    return partial(_started, program, flags)


@contextmanager
def _started(
    program: list[str], flags: list[str], opened: OpenedModel, limits: Limits
) -> Iterator[Engine]:
    """Start vLLM, and yield the engine once it answers; vLLM and its files go afterwards.

    The log stays where an error names it.

    Raises:
        RegionForgeError: vLLM does not come up; the end of its log says why.
    """
    handle, log = tempfile.mkstemp(prefix=_PREFIX, suffix=".log")
    os.close(handle)
    failed = False
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            write_language(opened, Path(folder))
            drop_language(opened)
            ours = _flags(opened, limits)
            command = partial(serve_command, program, folder, MODEL, [*ours, *flags])
            serving = Serving(command=command, log=log, patience=_PATIENCE, advice=_ADVICE)
            with Server(serving) as server:
                _await(server)
                yield VllmEngine(opened, server)
    except RegionForgeError:
        failed = True
        raise
    finally:
        if not failed:
            os.remove(log)


def _flags(opened: OpenedModel, limits: Limits) -> list[str]:
    """Return the flags that a model and the limits of its server state."""
    dtype = str(opened.model.dtype).removeprefix("torch.")
    longest = opened.processor.max_length
    return [
        "--enable-prompt-embeds",
        *("--generation-config", "vllm"),  # nothing is sampled that a request does not state
        *("--dtype", dtype),
        *("--max-num-seqs", str(limits.batch)),
        *(() if longest is None else ("--max-model-len", str(longest))),
    ]


def _await(server: Server) -> None:
    """Start vLLM, and wait until it answers."""
    server.start()
    outcomes: list[Future[Any]] = [server.ready, server.lost]
    wait(outcomes, return_when=FIRST_COMPLETED)
    if server.lost.done():
        raise RegionForgeError(server.lost.result())
