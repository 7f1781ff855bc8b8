"""`recap` without what it takes to ask a server: a line that says what to install."""

import sys
from pathlib import Path

import pytest

from pipelines.cli import parser as cli


@pytest.fixture(params=["openai", "aiohttp"])
def _without(request, monkeypatch):
    """A process to which a library of the extra is unknown."""
    for name in [name for name in sys.modules if name.startswith("pipelines.recap.")]:
        if name.rpartition(".")[2] in {"wire", "client", "served", "canary"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, request.param, None)


@pytest.mark.usefixtures("_without")
@pytest.mark.parametrize(
    "who",
    [
        ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m"],
        ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--dry-run"],
        ["--serve", "/models/m", "--vllm", "/opt/vllm"],
    ],
)
def test_who_asks_a_server_is_told_what_to_install(who, sample_world, tmp_path: Path, capsys):
    words = ["recap", "--source", "v3det", "--data-root", sample_world, "--no-filter", *who]
    assert cli.run([str(word) for word in (*words, "--output", tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "error: regionforge recap needs: pip install 'regionforge[serve]'\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_without")
def test_who_asks_none_needs_nothing(sample_world, tmp_path: Path):
    words = ["recap", "--source", "v3det", "--data-root", sample_world, "--no-filter"]
    words += ["--captioner", "builtin", "--limit", "1", "--output", tmp_path / "out"]
    assert cli.run([str(word) for word in words]) == 0
