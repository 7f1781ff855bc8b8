"""How builds on other engines end when a part of them is missing.

Run by `make test-engines`; no part of `make test`. Services take seconds to come up.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.sample_world import write_world
from tests.engines.compare import build_words, digests_of
from tests.engines.engines import Engine, names, started

PORTABLE = [name for name in names() if not name.startswith("local")]
POOLS = [name for name in PORTABLE if name.endswith("pool")]
PYTHONS = {  # the program `python` of a pool; {} is this interpreter
    "without Beam": '#!/bin/sh\nexec "{}" -S "$@"\n',
    "without our package": """#!/bin/sh
shift
exec "{}" -c "import sys
class Hidden:
    def find_spec(name, path=None, target=None):
        if name in ('pipelines', 'schemas', 'transforms'):
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Hidden)
$1"
""",
    "another Beam": """#!/bin/sh
shift
exec "{}" -c "import apache_beam; apache_beam.__version__ = '2.1.0'; $1"
""",
}
WORDS = {
    "without Beam": ("no worker has given a sign of life within 120 s", "after 1m0s"),  # Prism's
    "without our package": ("the `python` of a worker lacks RegionForge",),
    "another Beam": ("a worker runs Python",),
}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, "small")
    return folder


@contextmanager
def engine_of(name: str, folder: Path, programs: Path | None = None) -> Iterator[Engine]:
    """A running engine; a test of one that is not here is skipped."""
    if reason := names()[name]:
        pytest.skip(reason)
    with started(name, folder, programs) as engine:
        yield engine


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


def test_what_is_no_job_server_is_named_at_once(world: Path, tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as server:
        endpoint = f"localhost:{server.getsockname()[1]}"
        flags = ("--runner", "PortableRunner", "--job_endpoint", endpoint)
        status, lines, seconds = ended(build_words(world, tmp_path / "out", Engine(flags)))
    assert status == 2
    assert "does not answer as one" in lines[-1]
    assert seconds < 60


@pytest.mark.parametrize("name", PORTABLE)
def test_a_misspelt_option_is_refused_before_work(world: Path, tmp_path: Path, name: str) -> None:
    with engine_of(name, tmp_path) as engine:
        words = build_words(world, tmp_path / "out", engine)
        status, lines, _ = ended([*words, "--paralelism", "4"])
    assert status == 2
    assert lines[-1].startswith("error: there is no flag --paralelism")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("python", PYTHONS)
def test_another_python_of_a_pool_is_named(
    world: Path, tmp_path: Path, name: str, python: str
) -> None:
    program = tmp_path / "programs" / "python"
    program.parent.mkdir()
    program.write_text(PYTHONS[python].format(sys.executable), encoding="utf-8")
    program.chmod(0o755)
    with engine_of(name, tmp_path, program.parent) as engine:
        words = build_words(world, tmp_path / "out", engine)
        status, lines, seconds = ended(words)
    print(f"{seconds:.0f} s: {lines[-1]}")
    assert status in (1, 2)
    assert any(words in lines[-1] for words in WORDS[python])
    assert not any(line.startswith(("error", "Traceback")) for line in lines[:-1])
    assert seconds < 240, "two minutes of our watch, one of Prism's; the rest on a busy machine"


@pytest.mark.parametrize("name", PORTABLE)
def test_a_job_server_that_ends_in_the_middle_is_named(
    world: Path, tmp_path: Path, name: str
) -> None:
    whole, output = tmp_path / "whole", tmp_path / "out"
    assert ended(build_words(world, whole, Engine(())))[0] == 0
    with engine_of(name, tmp_path) as engine:
        words = build_words(world, output, engine)
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as build:
            while not any((output / "_state").glob("*/*.json")):
                assert build.poll() is None
                time.sleep(0.02)
            engine.services[0].kill()
            killed = time.monotonic()
            _, errors = build.communicate(timeout=200)
    *before, last = errors.splitlines()
    print(f"{time.monotonic() - killed:.0f} s: {last}")
    assert build.returncode == 1
    assert last.startswith("error: ")
    assert not any(line.startswith(("error", "Traceback")) for line in before)
    with engine_of(name, tmp_path) as engine:
        assert ended(build_words(world, output, engine))[0] == 0
    assert digests_of(output) == digests_of(whole)


def test_a_pool_that_is_not_there_is_named_at_once(world: Path, tmp_path: Path) -> None:
    with started("job service, loopback", tmp_path) as engine:
        environment = ("--environment_type", "EXTERNAL", "--environment_config", "localhost:1")
        flags = (*engine.flags[:4], *environment)
        status, lines, _ = ended(build_words(world, tmp_path / "out", Engine(flags)))
    assert status == 2
    assert lines[-1].startswith("error: --environment_config localhost:1: a pool of workers")
