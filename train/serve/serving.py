"""The command `serve`: a model behind OpenAI's protocol, until a signal ends it."""

import argparse
import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from model.serve.engine import Engine
from model.serve.opened import OpenedModel
from model.serve.server import ChatServer, Limits
from schemas import console
from schemas.errors import UsageError
from schemas.interruption import Terminated
from train.serve.flags import BUILTIN
from train.serve.opening import open_model
from train.start import FINAL

# Starts an engine for a model, and ends it; None is the engine of this process.
EngineStart = Callable[[OpenedModel, Limits], AbstractContextManager[Engine | None]]
EngineMaker = Callable[[argparse.Namespace], EngineStart]  # checks the flags, before any work


def serve(args: argparse.Namespace, engines: Mapping[str, EngineMaker]) -> int:
    """Carry out `serve`, which ends by a signal alone.

    Args:
        args: the command line.
        engines: those that this package does not have, by name.

    Raises:
        RegionForgeError: the model cannot be opened, or the engine not be started; the address was
            taken while they were; or the engine has ended for good.
        KeyboardInterrupt: a signal has ended it; open requests were brought to their ends.
    """
    start = _engine_start(args, engines)
    name = args.name or model_name(args.checkpoint)
    opened = open_model(args.checkpoint, device=args.device, dtype=args.dtype)
    limits = Limits(
        batch=args.batch,
        waiting=args.waiting,
        body=args.max_body * 2**20,
        tokens=args.max_new_tokens,
        seconds=float(args.timeout),
    )
    with start(opened, limits) as engine:
        server = ChatServer(opened, name, limits, engine)
        try:
            ended_by = asyncio.run(_listen(server, name, args.host, args.port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"{args.host}:{args.port}: {reason}: name another --port") from None
    console.result(f"{server.answered:,} requests answered, {server.refused:,} refused")
    raise Terminated if ended_by == signal.SIGTERM else KeyboardInterrupt


def _engine_start(args: argparse.Namespace, engines: Mapping[str, EngineMaker]) -> EngineStart:
    if args.engine == BUILTIN:
        return lambda opened, limits: nullcontext()
    if args.engine not in engines:
        raise UsageError(f"--engine {args.engine} is one of `regionforge serve` alone")
    return engines[args.engine](args)


def model_name(checkpoint: str) -> str:
    """Return the usual name of a model: that of its folder, of its run, or on the Hub."""
    path = Path(checkpoint)
    if not path.is_dir():
        return checkpoint
    path = path.resolve()
    return path.parent.name if path.name == FINAL else path.name


async def _listen(server: ChatServer, name: str, host: str, port: int) -> signal.Signals:
    """Answer requests until a signal comes, and return which."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = list[signal.Signals]()

    def end(number: signal.Signals) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)

    def ready(chosen: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        console.result(f"serving {name} at http://{shown}:{chosen}/v1")

    await server.listen(host, port, stop, ready)
    return signals[0]
