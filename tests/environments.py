"""Environments that tests need beside the checkout's own: each in a cache folder, made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MARK = "made_by_regionforge"  # by this we know what we may remove


def cache_folder(name: str, variable: str) -> Path:
    """The folder of an environment, which may not be there yet: `~/.cache/regionforge/NAME`.

    The environment variable names another one, which must be empty or of our making.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(os.environ.get(variable) or cache / "regionforge" / name)
    if root.exists() and any(root.iterdir()) and not (root / MARK).is_file():
        sys.exit(f"{root} is not of our making: have {variable} name a folder of its own")
    return root


def once(stamp: Path, text: str, make: Callable[[], None]) -> None:
    """Make the folder of `stamp` unless `stamp` holds `text`; `stamp` is written last."""
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(stamp.parent, ignore_errors=True)
    make()
    stamp.write_text(text, encoding="utf-8")


def make_environment(root: Path) -> tuple[str, ...]:
    """Make an empty virtual environment in `root`; return the command that installs into it."""
    root.mkdir(parents=True)
    (root / MARK).touch()
    run(sys.executable, "-m", "venv", root)
    return str(root / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"


def run(*command: str | Path) -> None:
    """Run a command; its output is shown only if it fails: pip warns of harmless things."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}failed with {done.returncode}: {' '.join(words)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
