"""Commands that are forked from one process; a program for `forked`.

Each line that it reads is JSON: a command, as `conftest.py` writes it, or the id of a process whose
end is to be waited for. Each line that it writes is a number: the id of the process of a command,
or the exit status. Forked, commands need not import anything, which would take most of their time.
"""

import gc
import json
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
quick_beam = import_module("tests.quick_beam")

NEEDED = (
    *("pipelines.cli.parser", "pipelines.cli.before_build", "pipelines.cli.build_recipe"),
    *("pipelines.recap.run", "pipelines.recap.client.captioner", "pipelines.judge.run"),
    *("pipelines.runner.launch", "pipelines.verify", "regionforge.__main__"),
)


def next_program() -> str | None:
    """Fork for each command that is read; return its program in the child, None at the end."""
    for name in NEEDED:
        import_module(name)
    quick_beam.make_beam_quick(setattr)
    gc.freeze()  # else each process would copy all of it
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            _, status = os.waitpid(order, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        assert threading.active_count() == 1, "a lock of another thread would stay locked in a fork"
        child = os.fork()
        if not child:
            return begin(order)
        print(child, flush=True)
    return None


def begin(command: dict[str, Any]) -> str:
    """Let this process be as one that a shell started; return the program of its command."""
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    for number, path in enumerate([os.devnull, command["out"], command["err"]]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["-c", *command["words"]]
    return str(command["program"])


if __name__ == "__main__" and (program := next_program()) is not None:
    exec(program, {"__name__": "__main__"})
