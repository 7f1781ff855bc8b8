"""Flags for stores: they configure the clients of every process, and keys are none."""

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.cli.parser import run
from pipelines.storage import store_client


def test_flags_for_stores_configure_the_clients():
    flags = ["--s3_endpoint_url", "http://lake:9000", "--s3_region_name=eu", "--s3_disable_ssl"]
    settings = store_client.STORES["s3"].settings(PipelineOptions(flags))
    assert settings["endpoint_url"] == "http://lake:9000"
    assert settings["client_kwargs"] == {"region_name": "eu"}
    assert settings["use_ssl"] is False
    flags = ["--blob_service_endpoint", "https://joe.blob.core.windows.net"]
    settings = store_client.STORES["az"].settings(PipelineOptions(flags))
    assert settings == {"account_name": "joe", "account_host": "joe.blob.core.windows.net"}


def test_flags_for_stores_reach_other_processes(monkeypatch):
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    assert store_client.store_options() == {}
    values = {"s3_endpoint_url": "http://lake:9000", "s3_disable_ssl": True}
    store_client.use_store_options(values)
    assert store_client.store_options() == values


@pytest.mark.parametrize(
    ("flag", "advice"),
    [
        ("--s3_secret_access_key", "set AWS_SECRET_ACCESS_KEY, or a profile"),
        ("--azure_connection_string", "set AZURE_STORAGE_CONNECTION_STRING"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ["verify", "x"],
        ["preview", "x"],
        ["build", "--sources", "coco", "--output", "x"],
        ["recap", "--source", "coco", "--output", "x"],
    ],
)
def test_keys_are_no_flags(words, flag, advice, tmp_path, capsys):
    log = tmp_path / "log.txt"
    assert run([*words, flag, "open-sesame-42", "--log-file", str(log)]) == 2
    assert f"error: {flag} is not taken on a command line; {advice}\n" in capsys.readouterr().err
    assert f"{flag} [key]" in log.read_text(encoding="utf-8")
    assert "open-sesame-42" not in log.read_text(encoding="utf-8")
