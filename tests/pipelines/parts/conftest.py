"""What tests of `merge` and `subset` share: builds to take records from."""

import pytest

from pipelines.cli.parser import run
from pipelines.verify import verify


@pytest.fixture(scope="session")
def build_world(sample_world, tmp_path_factory, output_of):
    """Builds sources of the sample world, or captions one, with some flags."""

    def build(*flags):
        folder = tmp_path_factory.mktemp("built") / "output"
        assert run([*flags, "--data-root", str(sample_world), "--output", str(folder)]) == 0
        return output_of(folder)

    return build


@pytest.fixture(scope="session")
def mixed(build_world):
    """A build of three sources in several shards."""
    words = ["--sources", "coco,refcocog,visual_genome", "--label-set", "coco=Shapes-15"]
    return build_world("build", *words, "--shard-size", "300KB")


@pytest.fixture(scope="session")
def captions(build_world):
    """A run of `recap`."""
    return build_world("recap", "--source", "v3det", "--captioner", "builtin", "--no-filter")


@pytest.fixture
def made(tmp_path, output_of):
    """Runs `merge` or `subset`; returns the output, which has been verified."""

    def call(*words, name="made"):
        target = tmp_path / name
        assert run([*map(str, words), "--output", str(target)]) == 0
        assert verify(str(target)).problems == []
        return output_of(target)

    return call


@pytest.fixture
def refusal(tmp_path, capsys):
    """Runs `merge` or `subset`, which must be refused and leave nothing; returns the error."""

    def call(*words):
        target = tmp_path / "refused"
        capsys.readouterr()
        status = run([*map(str, words), "--output", str(target)])
        left = [path for path in target.rglob("*") if path.is_file()] if target.exists() else []
        assert (status, left) == (2, [])
        return capsys.readouterr().err

    return call
