"""How builds on other engines end when a part of them is missing.

Run by `make test-engines`; no part of `make test`. Services take seconds to come up.
"""

import subprocess
import time
from pathlib import Path

import pytest

from pipelines.sample_world import write_world
from tests.engines.compare import build_words
from tests.engines.engines import Engine, started

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, "small")
    return folder


def ended(words: list[str]) -> tuple[int, list[str], float]:
    """The exit status of a command, the lines of its standard error, and its seconds."""
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines(), time.monotonic() - began


@pytest.mark.parametrize("port", ["1", "nothing"])
def test_a_job_server_that_is_not_there_is_named_at_once(
    world: Path, tmp_path: Path, port: str
) -> None:
    flags = ("--runner", "PortableRunner", "--job_endpoint", f"localhost:{port}")
    status, lines, seconds = ended(build_words(world, tmp_path / "out", Engine(flags)))
    assert status == 2
    assert lines[-1].startswith(f"error: --job_endpoint localhost:{port}: ")
    assert seconds < 60, "Beam alone waits for more than five minutes"
    assert not (tmp_path / "out").exists()


def test_a_pool_that_is_not_there_is_named_at_once(world: Path, tmp_path: Path) -> None:
    with started("job service, loopback", tmp_path) as engine:
        environment = ("--environment_type", "EXTERNAL", "--environment_config", "localhost:1")
        flags = (*engine.flags[:4], *environment)
        status, lines, _ = ended(build_words(world, tmp_path / "out", Engine(flags)))
    assert status == 2
    assert lines[-1].startswith("error: --environment_config localhost:1: a pool of workers")
