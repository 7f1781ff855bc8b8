"""Remote files: opened before a pipeline is made and without one, or an extra is named.

Beam's own stand-in for S3 is behind `s3://`; nothing is asked of a network.
"""

import sys
from types import ModuleType

import pytest
from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.io.aws.clients.s3.fake_client import FakeFile, FakeS3Client
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, S3Options

from pipelines.cli.parser import run

ENDPOINT = "http://localhost:9000"


class Lake:
    """A store of objects, and with what options it was opened, in order."""

    def __init__(self) -> None:
        self.client = FakeS3Client()
        self.endpoints: list[str | None] = []

    def open(self, options: PipelineOptions) -> FakeS3Client:
        self.endpoints.append(options.view_as(S3Options).s3_endpoint_url)
        return self.client

    def put(self, name: str, content: bytes) -> None:
        self.client.add_file(FakeFile("lake", name, content))

    def names(self) -> set[str]:
        return {name for _, name in self.client.files}


@pytest.fixture
def lake(monkeypatch):
    """What `s3://lake/` opens, in a process that has run no pipeline yet."""
    store = Lake()
    monkeypatch.setitem(sys.modules, "boto3", ModuleType("boto3"))
    monkeypatch.setattr(boto3_client, "Client", store.open)
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    return store


@pytest.fixture
def loaded(lake, two_splits):
    """The same, with COCO below s3://lake/data."""
    root, _ = two_splits
    for path in root.rglob("*"):
        if path.is_file():
            lake.put(f"data/{path.relative_to(root).as_posix()}", path.read_bytes())
    return lake


def test_from_s3_to_s3(loaded, monkeypatch, capsys):
    words = ["build", "--sources", "coco", "--label-set", "Things", "--data-root", "s3://lake/data"]
    words += ["--output", "s3://lake/out", "--no-guard", "--s3_endpoint_url", ENDPOINT]
    assert run(words) == 0, capsys.readouterr().err
    assert set(loaded.endpoints) == {ENDPOINT}
    assert {"out/manifest.json", "out/README.md", "out/coco/val-00000-of-00001.arrow"} <= (
        loaded.names()
    )
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    for command in (["verify"], ["preview", "-n", "1"]):
        loaded.endpoints.clear()
        assert run([*command, "s3://lake/out"]) == 0, capsys.readouterr().err
        assert set(loaded.endpoints) == {None}


def test_what_is_missing_on_s3_is_one_line(lake, capsys):
    assert run(["verify", "s3://lake/nothing"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("error: ")
    assert "s3://lake/nothing/manifest.json" in line


@pytest.mark.parametrize(
    ("path", "library", "extra"),
    [("s3://lake/out", "boto3", "s3"), ("gs://lake/out", "google.cloud.storage", "gcp")],
)
@pytest.mark.parametrize("words", [["verify"], ["sources", "--data-root"]])
def test_a_missing_extra_is_named(words, path, library, extra, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, library, None)
    assert run([*words, path]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"error: {path} needs: pip install 'regionforge[{extra}]'"
