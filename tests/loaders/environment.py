"""An environment with the programs that exports are for, in a cache folder outside the checkout.

    python -m tests.loaders.environment

prints the folder, whose `bin/python` imports them beside all that the checkout's own environment
has. It is made where it is absent or unfinished (200 MB, once), by default below
`~/.cache/regionforge`; the variable REGIONFORGE_LOADERS names another.
"""

import sys
import sysconfig
from pathlib import Path

from tests.environments import cache_folder, make_environment, once, run, say

# Without what they depend on: their pins contradict each other and ours. These suffice to load.
PACKAGES = (
    *("ms-swift==4.6.0", "addict==2.4.0", "json_repair==0.64.6", "modelscope==1.40.2"),
    *("modelscope_hub==0.5.1", "sentencepiece==0.2.3", "simplejson==4.3.0"),
    *("llamafactory==0.9.5", "omegaconf==2.4.0", "torchaudio==2.11.1"),
    *("qwen-vl-utils==0.0.14", "webdataset==1.0.2", "braceexpand==0.1.7"),
)


def main() -> None:
    """Make the environment where it is missing; print its folder."""
    root = cache_folder("loaders", "REGIONFORGE_LOADERS")
    ours = sysconfig.get_path("purelib")
    made_of = "\n".join((*PACKAGES, ours, sys.version))
    once(root / "stamp", made_of, lambda: install(root, ours))
    print(root)


def install(root: Path, ours: str) -> None:
    """A virtual environment in `root` with the packages, which also sees those of a folder."""
    say(f"Installing the loaders of exports into {root} (a minute, once; 200 MB)")
    pip = make_environment(root)
    run(*pip, "--no-deps", *PACKAGES)
    [packages] = root.glob("lib/*/site-packages")
    (packages / "checkout.pth").write_text(f"{ours}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
