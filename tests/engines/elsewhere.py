"""Another machine, which shares the disk: a network namespace with a link that can be cut.

Needs root on Linux.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.engines import pool_elsewhere
from tests.engines.engines import POOL, Engine, free_port, service, started

HERE, THERE = "10.213.7.1", "10.213.7.2"  # addresses that only this machine sees
_NAMESPACE, _LINK, _PEER = "regionforge", "regionforge0", "regionforge1"


def missing() -> bool:
    """Whether no namespace can be made here."""
    return os.getuid() != 0 or not shutil.which("ip")


@contextmanager
def linked() -> Iterator[None]:
    """A network namespace with a link to this one, for the length of a block."""
    _ip("netns", "add", _NAMESPACE)
    try:
        _ip("link", "add", _LINK, "type", "veth", "peer", "name", _PEER, "netns", _NAMESPACE)
        _ip("addr", "add", f"{HERE}/30", "dev", _LINK)
        _ip("-n", _NAMESPACE, "addr", "add", f"{THERE}/30", "dev", _PEER)
        _ip("-n", _NAMESPACE, "link", "set", "lo", "up")
        _ip("-n", _NAMESPACE, "link", "set", _PEER, "up")
        mend()
        yield
    finally:
        _ip("netns", "del", _NAMESPACE)


def cut() -> None:
    """Set the link down."""
    _ip("link", "set", _LINK, "down")


def mend() -> None:
    """Set the link up."""
    _ip("link", "set", _LINK, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@contextmanager
def pool_there(kind: str, folder: Path) -> Iterator[Engine]:
    """Run an engine here, with its pool in the namespace.

    Args:
        kind: `job service` or `prism`.
        folder: the folder of their logs.
    """
    port = str(free_port())
    # The job service names this machine to its workers; Prism says `localhost`, so it is relayed.
    words = {
        "job service": ["-m", POOL, "--service_port", port],
        "prism": [pool_elsewhere.__file__, HERE, port],
    }[kind]
    words = ["ip", "netns", "exec", _NAMESPACE, sys.executable, *words]
    with ExitStack() as stack:
        engine = stack.enter_context(started(f"{kind}, loopback", folder, host=HERE))
        pool = stack.enter_context(service(words, int(port), folder / "pool.log", host=THERE))
        environment = ("--environment_type", "EXTERNAL")
        address = ("--environment_config", f"{THERE}:{port}")
        yield Engine((*engine.flags[:4], *environment, *address), (*engine.services, pool))
