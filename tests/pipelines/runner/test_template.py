"""Templates of Dataflow: the runner writes one, and the run ends well without having waited."""

import pytest
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
from apache_beam.runners.runner import PipelineResult

from pipelines.cli.parser import run
from pipelines.runner import launch

PROJECT = ["--project", "project", "--region", "region"]
PROJECT += ["--temp_location", "gs://bucket/temporary"]
TEMPLATE = ("--runner", "DataflowRunner", "--template_location", "gs://bucket/template")


@pytest.fixture
def build(two_splits, tmp_path, capsys, monkeypatch):
    """Runs `build` of a small data root with a Dataflow that only writes down what it gets."""
    templates = []

    class Written(PipelineResult):
        def wait_until_finish(self, duration=None):
            raise AssertionError("a template has no job to wait for")

    def write(self, pipeline, options, pipeline_proto=None):
        templates.append(pipeline.to_runner_api())
        return Written(None)

    monkeypatch.setattr(DataflowRunner, "run_pipeline", write)
    monkeypatch.setattr(launch, "check_paths", lambda *_: None)  # as if they were in a store
    cloud = [*PROJECT, "--staging_location", "gs://bucket/staging"]

    def call(*flags):
        root, _ = two_splits
        words = ["build", "--sources", "coco", "--label-set", "Things", "--no-guard"]
        words += ["--data-root", str(root), "--output", str(tmp_path / "output"), *flags]
        status = run([*words, *(cloud if "DataflowRunner" in flags else [])])
        return status, capsys.readouterr(), templates

    return call


def test_a_template_is_written_and_named(build, tmp_path):
    status, console, templates = build(*TEMPLATE)
    assert status == 0
    assert len(templates) == 1
    assert "The template is gs://bucket/template. " in console.out
    assert (tmp_path / "output/_state/build.json").exists()
    assert not (tmp_path / "output/manifest.json").exists()
    assert build()[0] == 0, "the same build goes on"
    status, console, templates = build(*TEMPLATE)
    assert status == 1
    assert console.err.splitlines()[-1].endswith("there is nothing to run")
    assert len(templates) == 1


def test_a_template_is_for_dataflow(build):
    status, console, _ = build("--template_location", "gs://bucket/template")
    assert status == 2
    assert "error: --template_location is for DataflowRunner, not --runner local" in console.err


def test_captions_need_more_than_a_template(sample_world, tmp_path, capsys):
    words = ["recap", "--source", "coco", "--captioner", "builtin", "--no-filter"]
    words += ["--label-set", "Shapes-15", "--data-root", str(sample_world), *TEMPLATE]
    words += PROJECT
    assert run([*words, "--output", str(tmp_path / "output")]) == 2
    assert "error: --template_location is for `build`" in capsys.readouterr().err
