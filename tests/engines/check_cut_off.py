"""A pool of workers whose machine is cut off in the middle of a build: a line, and a rerun goes on.

The pool is in a network namespace of its own, as on another machine that shares the disk, and its
link is set down. Needs root on Linux, else it is skipped. Run by `make test-engines`; no part of
`make test`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import World
from tests.engines import pool_elsewhere
from tests.engines.check_killed import building, finish, finished_shards
from tests.engines.compare import digests_of
from tests.engines.engines import Engine, free_port, names, service, started

HERE, THERE = "10.213.7.1", "10.213.7.2"  # of addresses that only this machine sees
NAMESPACE, LINK, PEER = "regionforge", "regionforge0", "regionforge1"
END_SECONDS = 560  # the worker notices after 320 s at most, and our watch after 120 more

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("ip"), reason="needs root, and ip"),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def network() -> Iterator[None]:
    """A network namespace with a link to this one."""
    ip("netns", "add", NAMESPACE)
    try:
        ip("link", "add", LINK, "type", "veth", "peer", "name", PEER, "netns", NAMESPACE)
        ip("addr", "add", f"{HERE}/30", "dev", LINK)
        ip("-n", NAMESPACE, "addr", "add", f"{THERE}/30", "dev", PEER)
        ip("-n", NAMESPACE, "link", "set", "lo", "up")
        ip("-n", NAMESPACE, "link", "set", PEER, "up")
        ip("link", "set", LINK, "up")
        yield
    finally:
        ip("netns", "del", NAMESPACE)


@contextmanager
def pool_there(folder: Path) -> Iterator[Engine]:
    """Prism here, with its pool in the namespace."""
    with ExitStack() as stack:
        engine = stack.enter_context(started("prism, loopback", folder))
        port = free_port()
        words = ["ip", "netns", "exec", NAMESPACE, sys.executable]
        words += [pool_elsewhere.__file__, HERE, str(port)]
        pool = stack.enter_context(service(words, port, folder / "pool.log", host=THERE))
        environment = ("--environment_type", "EXTERNAL")
        address = ("--environment_config", f"{THERE}:{port}")
        yield Engine((*engine.flags[:4], *environment, *address), (*engine.services, pool))


@pytest.mark.usefixtures("network")
def test_a_pool_that_is_cut_off_ends_the_build_in_a_line_and_a_rerun_goes_on(
    tmp_path: Path,
) -> None:
    if reason := names()["prism, pool"]:
        pytest.skip(reason)
    world, near, output = tmp_path / "world", tmp_path / "near", tmp_path / "out"
    write_coco(world, World(seed=0, pictures=300))
    finish(building(world, near))
    with pool_there(tmp_path) as engine:
        words = building(world, output, engine.flags)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as build:
            while not any((output / "_state" / "coco").glob("*.json")):
                assert build.poll() is None, "it ended before it was cut off"
                time.sleep(0.02)
            ip("link", "set", LINK, "down")
            cut = time.monotonic()
            _, errors = build.communicate(timeout=END_SECONDS)
        *before, last = errors.splitlines()
        print(f"ended {time.monotonic() - cut:.0f} s after the cut: {last}")
        assert build.returncode == 1
        assert last.startswith("error: ")
        assert not any(line.startswith(("error", "Traceback")) for line in before)
        kept = finished_shards(output)
        ip("link", "set", LINK, "up")
    with pool_there(tmp_path) as engine:
        finish(building(world, output, engine.flags))
    assert finished_shards(output).items() >= kept.items()
    assert digests_of(output) == digests_of(near)
