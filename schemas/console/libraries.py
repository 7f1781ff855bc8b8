"""What libraries print by themselves: held back, unless a user asks for all details.

Their loggers are the console's (see `flags`); these are the programs in C++, the bars of progress
and the loggers with handlers of their own, which go by environment variables alone.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

_VARIABLES = {
    "GRPC_VERBOSITY": "NONE",
    "GLOG_minloglevel": "3",  # of absl, which gRPC and others print by
    "HF_HUB_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "DATASETS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TQDM_DISABLE": "1",
}


@contextmanager
def libraries_held_back() -> Iterator[None]:
    """Hold back what libraries print that are imported in the block, and in its processes.

    A variable that the user has set stays.
    """
    ours = _VARIABLES.keys() - os.environ.keys()
    os.environ.update({name: _VARIABLES[name] for name in ours})
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def start_quietly(module: str, function: str, *arguments: object) -> None:
    """Begin a process of a pool: its logs are held back before a library is imported.

    Args:
        module: the module of a function that sets up the process.
        function: the name of that function.
        arguments: what the function is given.
    """
    logging.disable(logging.WARNING)
    getattr(import_module(module), function)(*arguments)
