"""The command `serve`, with the engines that need both towers."""

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from schemas.process import run_process
from train.cli import run

if TYPE_CHECKING:
    from train.serve.serving import EngineStart


def main(argv: Sequence[str]) -> NoReturn:
    """Run the command line, from the command's name on, and exit."""
    run_process(lambda: run(argv, {"vllm": _vllm}))


def _vllm(args: Namespace) -> "EngineStart":
    from regionforge.vllm_engine.starting import vllm_engine  # imports torch

    return vllm_engine(args)
