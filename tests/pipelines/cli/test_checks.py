"""`checks` says what an installation has."""

import json
import os
import platform
import shutil
from importlib.metadata import version

import pytest

from pipelines.cli.checks import installation
from pipelines.cli.parser import run


def test_versions_and_room(tmp_path, capsys):
    assert run(["checks", "--output", str(tmp_path)]) == 0
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    facts = {name: value.strip() for name, value in shown.items()}
    assert facts["python"].startswith(f"{platform.python_version()}, ")
    assert facts["apache-beam"] == version("apache-beam")
    assert facts["runner"].startswith("local, ")
    free = shutil.disk_usage(tmp_path).free
    number, unit = facts["disk of the output"].split()[:2]
    assert float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit] == pytest.approx(
        free, rel=0.1
    )
    assert facts["disk of the output"].endswith(f"free in {tmp_path}")


def test_the_same_as_json(tmp_path, capsys):
    assert run(["checks", "--json", "--output", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["command"] == "checks"
    assert document["facts"].keys() == installation(str(tmp_path)).keys()
    assert document["facts"]["python"].startswith(platform.python_version())


def program(folder, name: str, text: str, status: int = 0) -> None:
    """Writes a program that prints a text."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n", encoding="utf-8")
    path.chmod(0o755)


def test_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = installation(".")
    assert (facts["gpu"], facts["java"]) == ("none", "none (METEOR needs it)")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin:/usr/bin")
    program(tmp_path, "nvidia-smi", "A, 5 MiB\nB, 6 MiB")
    program(tmp_path, "java", 'openjdk version "99"')
    facts = installation(".")
    assert (facts["gpu"], facts["java"]) == ("A, 5 MiB; B, 6 MiB", 'openjdk version "99"')
    program(tmp_path, "nvidia-smi", "no driver", status=9)
    assert installation(".")["gpu"] == "unknown: no driver"


def test_extras_that_are_there_and_that_are_missing(monkeypatch):
    known = {"clip": ("json",), "gcp": ("json", "no_such_package.part")}
    monkeypatch.setattr("pipelines.storage.extras._MODULES", known)
    facts = {name: value for name, value in installation(".").items() if name[:5] == "extra"}
    assert facts == {
        "extra clip": "installed",
        "extra gcp": "missing: pip install 'regionforge[gcp]'",
    }
