"""Commands of `python -m pipelines` that are forked from one process; a program for `new_process`.

Each line that it reads is a command, JSON as `conftest.py` writes it; each line that it writes, the
exit status. Forked, commands need not import anything, which would take most of their time.
"""

import gc
import json
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.cli.parser import main

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
quick_beam = import_module("tests.quick_beam")

NEEDED = ("cli.before_build", "cli.build_recipe", "recap.run", "runner.launch", "verify")


def next_command() -> list[str] | None:
    """Fork for each command that is read, and return its words in the child; None at the end."""
    for name in NEEDED:
        import_module(f"pipelines.{name}")
    quick_beam.make_beam_quick(setattr)
    gc.freeze()  # else each process would copy all of it
    for line in sys.stdin:
        assert threading.active_count() == 1, "a lock of another thread would stay locked in a fork"
        child = os.fork()
        if not child:
            return begin(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


def begin(command: dict[str, Any]) -> list[str]:
    """Let this process be as one that a shell started; return the words of its command."""
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    for number, path in enumerate([os.devnull, command["out"], command["err"]]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    return list(command["words"])


if __name__ == "__main__" and (words := next_command()) is not None:
    main(words)
