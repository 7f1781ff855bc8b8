"""Stub servers that are forked from one process; a program for `serve`.

Each line that it reads is JSON: the words of a server's command line, or the id of a server that is
to end at once. Each line that it writes is JSON, too: the id and the port of a server, or null.
Forked, servers need not import anything, which would take most of their time. They end with it.
"""

import gc
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
stub_server = import_module("bench.stub_server")


def main() -> None:
    """Start and end servers."""
    for name in ("PIL.Image", "PIL.JpegImagePlugin", "PIL.PngImagePlugin"):
        import_module(name)
    gc.freeze()
    life = os.pipe()  # whose end each server reads as its standard input
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            os.kill(order, signal.SIGKILL)
            os.waitpid(order, 0)
            print("null", flush=True)
            continue
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(life[0], 0)
            os.dup2(writer, 1)
            for number in (*life, reader, writer):
                os.close(number)
            sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end
            stub_server.main(order)
            os._exit(0)
        os.close(writer)
        with open(reader, encoding="utf-8") as port:
            print(json.dumps([child, int(port.readline())]), flush=True)


if __name__ == "__main__":
    main()
