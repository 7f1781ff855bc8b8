"""The command with which `--serve` starts vLLM, and the name of the model in provenance."""

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from schemas.errors import UsageError

HOST = "127.0.0.1"
_MODULE = "vllm.entrypoints.openai.api_server"
_ALONE = (
    "the server is for this run alone, on a port and with a key of its own; its model's name is "
    "--model NAME"
)
ADDRESS = ("host", "port", "uds", "api-key", "model", "served-model-name")
_OURS = dict.fromkeys(ADDRESS, _ALONE)
_DEFAULTS: Mapping[str, Sequence[str]] = {
    "disable-uvicorn-access-log": (),  # the log would have a line for each call
}
SAMPLE_BYTES = 1 << 16
SAMPLES = 8  # number of samples of a large file in the digest of a model


def find_vllm(path: str | None, needed_by: str = "--serve") -> list[str]:
    """Return the program of the command that serves a model, as a list of arguments.

    Args:
        path: vLLM's own Python, or its executable `vllm`; None: the `vllm` on the PATH.
        needed_by: the flag that asks for it.

    Raises:
        UsageError: the program does not exist.
    """
    program = shutil.which(path or "vllm")
    if program is None:
        raise UsageError(
            f"--vllm {path}: there is no such program"
            if path
            else f"{needed_by} needs vLLM, which takes an environment of its own: "
            "`python -m venv DIR`, `DIR/bin/pip install vllm`, and give --vllm DIR/bin/python"
        )
    # Links stay unresolved, since Python finds its environment by its own path.
    program = os.path.abspath(program)
    if Path(program).name.startswith("python"):
        return [program, "-m", _MODULE, "--model"]
    return [program, "serve"]


def parse_serve_args(text: str, pictures: int = 1) -> list[str]:
    """Return the flags for the server: the user's flags, after defaults for all other flags.

    Args:
        text: the flags as in a shell: "--max-model-len 4096 --dtype float16".
        pictures: the largest number of pictures in a request; vLLM reserves memory for them.

    Raises:
        UsageError: the text cannot be parsed, or has a flag that only this package sets.
    """
    defaults = {"limit-mm-per-prompt": (f'{{"image":{pictures}}}',), **_DEFAULTS}
    return server_flags("--serve-args", text, defaults, _OURS)


def server_flags(
    flag: str, text: str, defaults: Mapping[str, Sequence[str]], ours: Mapping[str, str]
) -> list[str]:
    """Return the flags for a server: the user's flags, after defaults for all other flags.

    Args:
        flag: the flag of ours that holds them.
        text: the flags as in a shell.
        defaults: the values of flags that the user may state, by name.
        ours: the flags that this package sets, by name, each with the reason.

    Raises:
        UsageError: the text cannot be parsed, or has a flag that only this package sets.
    """
    try:
        given = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None
    names = {_flag_name(word) for word in given if word.startswith("--")}
    for name in sorted(names):
        # vLLM takes the beginning of a name for the name.
        if reason := next((ours[each] for each in ours if each.startswith(name)), None):
            raise UsageError(f"{flag}: --{name} is not for you to choose: {reason}")
        if name.startswith("ssl-"):
            raise UsageError(f"{flag}: --{name} is not for you to choose: {ours['host']}")
    missing = {name: values for name, values in defaults.items() if name not in names}
    return [word for name, values in missing.items() for word in (f"--{name}", *values)] + given


def _flag_name(word: str) -> str:
    """Return the name of a flag as vLLM reads it, e.g. `--a-b` for the argument `--a_b.c=d`."""
    return word[2:].partition("=")[0].partition(".")[0].replace("_", "-").removeprefix("no-")


def serve_command(
    vllm: Sequence[str], model: str, name: str, flags: Sequence[str], port: int
) -> list[str]:
    """Return the command that serves a model, as a list of arguments.

    Args:
        vllm: the program, from `find_vllm`.
        model: the folder of a model, or its name on the Hub.
        name: the name of the model in requests.
        flags: the flags of the server, from `parse_serve_args`.
        port: the port on this machine.
    """
    ours = ["--host", HOST, "--port", str(port), "--served-model-name", name]
    return [*vllm, model, *ours, *flags]


def model_name(model: str) -> str:
    """Return the name of a model for provenance: "owner/model", or "folder@1f0c2a9b7d3e".

    A folder's path means nothing on another machine, and its name does not identify its content, so
    a digest is added: of the names and sizes of all files below the folder, of the content of small
    files, and of samples of large files. Weights that were trained further get another digest.

    Raises:
        UsageError: the name can only be a path, and the path does not exist.
    """
    path = Path(model)
    if path.exists():
        return f"{path.resolve().name}@{_digest(path)}"
    if path.is_absolute() or model.startswith((".", "~")):
        raise UsageError(f"--serve {model}: nothing is there")
    return model


def _digest(path: Path) -> str:
    digest = sha256()
    files = [item for item in path.rglob("*") if item.is_file()] if path.is_dir() else [path]
    hidden = {
        item for item in files if any(p.startswith(".") for p in item.relative_to(path).parts)
    }
    for item in sorted(set(files) - hidden):
        size = item.stat().st_size
        digest.update(f"{item.relative_to(path).as_posix()}\n{size}\n".encode())
        with item.open("rb") as file:
            if size <= SAMPLES * SAMPLE_BYTES:
                digest.update(file.read())
                continue
            for sample in range(SAMPLES):
                file.seek((size - SAMPLE_BYTES) * sample // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:12]
