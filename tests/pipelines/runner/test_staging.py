"""What Dataflow's machines get: an sdist of the checkout, by Beam's own stager."""

import tarfile
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.stager import Stager

import pipelines
from pipelines.runner import launch
from pipelines.runner.launch import LaunchOptions
from pipelines.runner.staging import requirements, stage_package
from schemas.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def options_of(*flags: str) -> PipelineOptions:
    """The options of a pipeline on Dataflow."""
    return launch._pipeline_options(LaunchOptions(runner="DataflowRunner", beam_flags=flags))


def test_an_sdist_and_requirements_are_staged(tmp_path):
    staged = {}
    for resource in Stager.create_job_resources(
        options_of(), str(tmp_path), log_submission_env_dependencies=False
    ):
        source = beam_runner_api_pb2.ArtifactFilePayload.FromString(resource.type_payload)
        name = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(resource.role_payload)
        staged[name.staged_name] = Path(source.path)
    assert staged.keys() == {"requirements.txt", "workflow.tar.gz"}
    assert staged["requirements.txt"].read_text().splitlines() == requirements()
    with tarfile.open(staged["workflow.tar.gz"]) as tar:
        files = {name.partition("/")[2] for name in tar.getnames()}
    packages = {file.parent for file in CHECKOUT.glob("*/__init__.py")}
    for package in packages - {CHECKOUT / "bench", CHECKOUT / "tests"}:
        sources = {str(path.relative_to(CHECKOUT)) for path in package.rglob("*.py")}
        assert sources <= files
    assert "pyproject.toml" in files
    assert not any(name.startswith(("tests/", "bench/")) for name in files)


def test_workers_get_what_opens_stores_and_asks_servers():
    names = [line.partition(">")[0] for line in requirements()]
    assert names == ["aiohttp", "gcsfs", "openai[aiohttp]"]


@pytest.mark.parametrize(
    "flag",
    [
        "--extra_package=a.tar.gz",
        "--sdk_container_image=image",
        f"--setup_file={CHECKOUT}/a/setup.py",
    ],
)
def test_a_package_of_ones_own_is_left_alone(flag):
    setup = options_of(flag).view_as(SetupOptions)
    assert setup.setup_file in (None, f"{CHECKOUT}/a/setup.py")
    assert setup.requirements_file is None


def test_without_a_checkout_a_package_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(pipelines, "__file__", str(tmp_path / "pipelines" / "__init__.py"))
    with pytest.raises(UsageError, match=r"^--runner DataflowRunner: .* give --extra_package "):
        stage_package(PipelineOptions([]))


def test_other_runners_send_nothing():
    made = launch._pipeline_options(LaunchOptions(runner="PortableRunner"))
    assert made.view_as(SetupOptions).setup_file is None
