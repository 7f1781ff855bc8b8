"""The command `checks`, which says what this installation has, for bug reports and first steps.

regionforge  0.1.0
runner       local, 8 processors
extra clip   missing: pip install 'regionforge[clip]'
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version

from pipelines import VERSION
from pipelines.cli.command import Commands, add_command
from schemas.counted import counted

_LIBRARIES = (  # as distributions are called
    *("apache-beam", "datasets", "numpy", "pillow", "pyarrow", "pycocotools", "pydantic"),
    *("openai", "open_clip_torch", "torch", "torchvision", "transformers", "peft"),
)
_SECONDS = 20  # of a program that is asked for its version


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "checks",
        "Say what this installation has: versions, extras, processors, free disk, GPU.",
        "checks --output /shards",
        json=True,
    )
    parser.add_argument(
        "--output",
        default=".",
        metavar="DIR",
        help="a folder to be written into, whose free disk is shown (default: here)",
    )


def run(args: Namespace) -> int:
    """Print the facts, one a line; return the exit status."""
    from pipelines.cli.arguments import output_folder
    from schemas.console import result, write_json

    facts = installation(output_folder(args.output))
    if args.json:
        write_json({"command": "checks", "facts": facts})
        return 0
    width = max(map(len, facts))
    for name, value in facts.items():
        result((f"{name:{width}}", "bold"), f"  {value}")
    return 0


def installation(output: str) -> dict[str, str]:
    """Return what this installation has, by name; `output` is a folder to be written into."""
    return {
        "regionforge": VERSION,
        "python": f"{platform.python_version()}, {sys.executable}",
        "system": platform.platform(),
        **{name: _version(name) for name in _LIBRARIES},
        **_extras(),
        "runner": f"local, {counted(_processors(), 'processor')} for --workers",
        "gpu": _gpu(),
        "java": _java(),
        "disk of the output": _room(output),
        "disk for temporary files": _room(tempfile.gettempdir()),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _extras() -> dict[str, str]:
    from pipelines.storage.extras import missing_modules

    return {
        f"extra {extra}": f"missing: pip install 'regionforge[{extra}]'" if missing else "installed"
        for extra, missing in missing_modules().items()
    }


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpu() -> str:
    """Return the names and memory of Nvidia's GPUs; "none" without one."""
    listing = _output_of("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return "; ".join(listing.splitlines()) or "none"


def _java() -> str:
    """Return the version of Java, which METEOR needs; "none" without one."""
    return _output_of("java", "-version").partition("\n")[0] or "none (METEOR needs it)"


def _output_of(program: str, *arguments: str) -> str:
    """Return what a program prints; "" where there is none, or the reason why it does not run."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own program, with our words
            [path, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"
    text = (done.stdout or done.stderr).strip()
    return text if done.returncode == 0 else f"unknown: {text}"


def _room(folder: str) -> str:
    """Return the free disk of a folder; remote ones have no known limit."""
    from rich.filesize import decimal

    from pipelines.storage import files

    free = files.free_bytes(folder)
    return folder if free is None else f"{decimal(free)} free in {folder}"
