"""The command that starts vLLM, and the name of its model."""

import os
import re
from pathlib import Path

import pytest

from pipelines.recap.serving.command import (
    SAMPLE_BYTES,
    SAMPLES,
    find_vllm,
    model_name,
    parse_serve_args,
    serve_command,
)
from schemas.errors import UsageError

IMAGES = ["--limit-mm-per-prompt", '{"image":1}']
QUIET = ["--disable-uvicorn-access-log"]
SEEDED = ["--seed", "1", "--api-server-count", "2"]
LARGE = 2 * SAMPLES * SAMPLE_BYTES


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("vllm", ["serve"]),
        ("my-vllm-0.32", ["serve"]),
        ("python", ["-m", "vllm.entrypoints.openai.api_server", "--model"]),
        ("python3.12", ["-m", "vllm.entrypoints.openai.api_server", "--model"]),
    ],
)
def test_programs(tmp_path, monkeypatch, name, begins) -> None:
    path = program(tmp_path / "bin" / name)
    assert find_vllm(str(path)) == [str(path), *begins]
    monkeypatch.chdir(tmp_path)
    assert find_vllm(f"bin/{name}") == [str(path), *begins]
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_vllm(name) == [str(path), *begins]


def test_the_one_on_the_path(tmp_path, monkeypatch) -> None:
    path = program(tmp_path / "vllm")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_vllm(None) == [str(path), "serve"]
    path.chmod(0o644)
    with pytest.raises(UsageError, match="takes an environment of its own"):
        find_vllm(None)


def test_links_are_kept(tmp_path) -> None:
    # The Python of an environment is mostly a link to the system's, which has no vLLM.
    target, link = program(tmp_path / "usr" / "python3.11"), tmp_path / "env" / "python"
    link.parent.mkdir()
    link.symlink_to(target)
    assert find_vllm(str(link))[0] == str(link)


@pytest.mark.parametrize("path", ["", "bin"])
def test_no_program(tmp_path, monkeypatch, path) -> None:
    monkeypatch.chdir(program(tmp_path / "bin" / "vllm").parent.parent)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError):
        find_vllm(path)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("", IMAGES + QUIET),
        ("--dtype float32", [*IMAGES, *QUIET, "--dtype", "float32"]),
        (
            """--limit-mm-per-prompt '{"image": 2}'""",
            [*QUIET, "--limit-mm-per-prompt", '{"image": 2}'],
        ),
        ("--limit_mm_per_prompt={}", [*QUIET, "--limit_mm_per_prompt={}"]),
        ("--limit-mm-per-prompt.image 3", [*QUIET, "--limit-mm-per-prompt.image", "3"]),
        ("--no-disable-uvicorn-access-log", [*IMAGES, "--no-disable-uvicorn-access-log"]),
        ("--model-impl auto", [*IMAGES, *QUIET, "--model-impl", "auto"]),
        ("--seed 1 --api-server-count 2", [*IMAGES, *QUIET, *SEEDED]),
        ("--chat-template 'a b.jinja'", [*IMAGES, *QUIET, "--chat-template", "a b.jinja"]),
    ],
)
def test_flags(text, flags) -> None:
    assert parse_serve_args(text) == flags


@pytest.mark.parametrize(
    "flag",
    [
        *("--host", "--port=1", "--api-key", "--api_key=SECRET", "--model", "--ssl-keyfile"),
        *("--served-model", "--api-k", "--api_k=SECRET", "--por", "--ho=x", "--u", "--"),
    ],
)
def test_flags_that_are_ours(flag) -> None:
    with pytest.raises(UsageError, match="is not for you to choose") as error:
        parse_serve_args(f"--dtype auto {flag} SECRET")
    assert "SECRET" not in str(error.value)


def test_the_command() -> None:
    command = serve_command(["vllm", "serve"], "/models/x", "x@1", ["--dtype", "auto"], 8123)
    ours = ["--host", "127.0.0.1", "--port", "8123", "--served-model-name", "x@1"]
    assert command == ["vllm", "serve", "/models/x", *ours, "--dtype", "auto"]


class TestModelName:
    """A local folder's name has a digest of its content."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "one" / "tiny"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}", encoding="utf-8")
        (folder / "model.safetensors").write_bytes(bytes(LARGE))
        return folder

    @pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-7B-Instruct", "gpt2"])
    def test_of_the_hub(self, name) -> None:
        assert model_name(name) == name

    def test_it_goes_along(self, folder, monkeypatch) -> None:
        name = model_name(str(folder))
        assert re.fullmatch(r"tiny@[0-9a-f]{12}", name)
        monkeypatch.chdir(folder)
        assert model_name(".") == name
        (folder / ".cache").mkdir()
        (folder / ".cache" / "lock").touch()  # of a download
        moved = folder.parent.parent / "two" / "tiny"
        moved.parent.mkdir()
        folder.rename(moved)
        os.utime(moved / "config.json", (0, 0))
        assert model_name(f"{moved}/") == name

    @pytest.mark.parametrize("third", [0, 1, 2])
    def test_weights_decide(self, folder, third) -> None:
        before = model_name(str(folder))
        trained = bytearray(LARGE)
        trained[third * LARGE // 3 : (third + 1) * LARGE // 3] = b"\1" * (LARGE // 3)
        (folder / "model.safetensors").write_bytes(trained)
        assert model_name(str(folder)) != before

    def test_names_decide(self, folder) -> None:
        before = model_name(str(folder))
        (folder / "config.json").rename(folder / "params.json")
        assert model_name(str(folder)) != before

    def test_a_file(self, folder) -> None:
        name = model_name(str(folder / "model.safetensors"))
        assert re.fullmatch(r"model\.safetensors@[0-9a-f]{12}", name)

    @pytest.mark.parametrize("path", ["/nowhere/model", "./model", "../model", "~/model"])
    def test_a_path_to_nothing(self, tmp_path, monkeypatch, path) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UsageError, match="nothing is there"):
            model_name(path)
