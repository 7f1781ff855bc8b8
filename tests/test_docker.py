"""The Dockerfiles, which are not built here: linted, and held to what the checkout says."""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.vllm.environment import VERSION as VLLM

CHECKOUT = Path(__file__).resolve().parent.parent
FILES = sorted((CHECKOUT / "docker").glob("*.Dockerfile"))
PARTS = ["pyproject.toml", "constraints.txt", "README.md", "LICENSE", "MANIFEST.in"]
SECRET = re.compile(r"token|secret|passw|credential|api_?key", re.IGNORECASE)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def instructions(request) -> list[tuple[str, str]]:
    """Each instruction of a Dockerfile, with its words on one line."""
    text = re.sub(r"^\s*#.*\n", "", request.param.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, words) for name, _, words in (line.partition(" ") for line in lines if line)]


def words_of(instructions: list[tuple[str, str]], name: str) -> list[str]:
    """The words of all instructions of a name."""
    return [words for each, words in instructions if each == name]


def project() -> dict[str, Any]:
    """What pyproject.toml says of the project."""
    content = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    stated: dict[str, Any] = content["project"]
    return stated


def test_there_is_one_for_processors_and_one_for_gpus():
    assert [file.name for file in FILES] == ["cpu.Dockerfile", "cuda.Dockerfile"]


def test_instructions_are_known_and_begin_with_the_image(instructions):
    names = [name for name, _ in instructions]
    known = {*("FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD")}
    assert set(names) <= known
    assert names[0] == "FROM"
    assert names.count("ENTRYPOINT") == names.count("CMD") == names.count("USER") == 1
    for name in ("ENTRYPOINT", "CMD"):  # as lists, which need no shell that takes signals away
        assert all(map(json.loads, words_of(instructions, name)))


def test_the_image_is_a_python_of_ours_on_a_release_of_debian(instructions):
    (image,) = words_of(instructions, "FROM")
    match = re.fullmatch(r"python:3\.(\d+)-slim-[a-z]+", image)
    assert match, image
    assert int(match[1]) >= int(project()["requires-python"].removeprefix(">=3."))


def test_commands_run_without_the_rights_of_root(instructions):
    assert words_of(instructions, "USER") == ["1000"]
    order = [name for name, _ in instructions]
    assert order.index("USER") > max(n for n, name in enumerate(order) if name == "RUN")
    assert not any("sudo" in words for words in words_of(instructions, "RUN"))
    assert words_of(instructions, "ENTRYPOINT") == ['["regionforge"]']
    assert "regionforge" in project()["scripts"]


def test_no_secret_is_kept_in_a_layer(instructions):
    for name in ("ARG", "ENV"):
        for words in words_of(instructions, name):
            assert not any(SECRET.search(part.partition("=")[0]) for part in shlex.split(words))


def test_steps_stop_at_the_first_failure_and_leave_no_cache(instructions):
    for words in words_of(instructions, "RUN"):
        assert not re.search(r";|\|", words), words  # && alone passes a failure on
        assert not re.search(r"\b(curl|wget|git clone)\b", words), words
        assert "apt-get install" not in words or (
            words.startswith("apt-get update &&")
            and "install -y --no-install-recommends " in words
            and words.endswith("rm -rf /var/lib/apt/lists/*")
        )
    assert any("PIP_NO_CACHE_DIR=1" in words for words in words_of(instructions, "ENV"))


def test_it_is_installed_as_the_makefile_does(instructions):
    (install,) = [words for words in words_of(instructions, "RUN") if ".[" in words]
    first, second = install.split(" && ")
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8").replace("\\\n\t\t", "")
    quiet = "$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt"
    assert first == "pip install -c constraints.txt setuptools"
    assert f"{quiet} setuptools\n" in makefile
    assert second.startswith("pip install -c constraints.txt --no-build-isolation ")
    assert f"{quiet} --no-build-isolation " in makefile
    lines = " ".join(words for _, words in instructions)
    extras = set(",".join(re.findall(r"(?:EXTRAS=|\.\[)([a-z,]+)", lines)).split(","))
    assert {"serve"} <= extras <= project()["optional-dependencies"].keys()


def test_vllm_is_the_version_that_tests_run():
    text = (CHECKOUT / "docker/cuda.Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"vllm==([\d.]+)", text) == [VLLM]


def test_what_installing_needs_is_there_and_not_ignored(instructions):
    assert words_of(instructions, "COPY") == [". ."]
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    packages = {file.parent.name for file in CHECKOUT.glob("*/__init__.py")} - {"bench", "tests"}
    assert {"schemas", "pipelines", "regionforge"} < packages
    for name in (*PARTS, *packages):
        assert (CHECKOUT / name).exists()
        assert not any(fnmatch(name, pattern) for pattern in patterns), name
    assert {".git", ".venv"} <= set(patterns)
