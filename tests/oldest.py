"""An environment with the oldest libraries that the extra `train` admits, for the models' tests.

    python -m tests.oldest

prints the folder, whose `bin/python` runs them from a checkout. It is made where it is absent or
does not fit pyproject.toml (6 GB), by default below `~/.cache/regionforge`; the variable
REGIONFORGE_OLDEST names another folder. What the extra does not name is as in constraints.txt.
"""

import re
import sys
import tomllib
from pathlib import Path

from tests.environments import cache_folder, make_environment, once, run, say

CHECKOUT = Path(__file__).resolve().parent.parent
# What the oldest PyTorch wants older than constraints.txt has it.
OLDER = ("setuptools==81.0.0", "triton==3.6.0")


def main() -> None:
    """Make the environment where it is missing; print its folder."""
    root = cache_folder("oldest", "REGIONFORGE_OLDEST")
    needs = requirements()
    pins = constraints(needs)
    made_of = "\n".join((*needs, *pins, sys.version))
    once(root / "stamp", made_of, lambda: install(root, needs, pins))
    print(root)


def requirements() -> list[str]:
    """The data core, the extra `train` at its lower bounds, and what tests import."""
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    oldest = [need.replace(">=", "==") for need in extras["train"]]
    of_tests = [
        need for need in extras["dev"] if need.startswith(("hypothesis", "openai", "pytest"))
    ]
    return [*project["dependencies"], *oldest, *of_tests]


def constraints(needs: list[str]) -> list[str]:
    """The tested versions of everything else, such as `regex==2026.11.15`."""
    fixed = [*OLDER, *(need for need in needs if "==" in need)]
    moved = {pin.partition("==")[0] for pin in fixed}
    tested = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[\w.-]+==\S+$", tested, re.MULTILINE)
    return [*OLDER, *(pin for pin in pins if pin.partition("==")[0] not in moved)]


def install(root: Path, needs: list[str], pins: list[str]) -> None:
    """A virtual environment in `root` with `needs`, where `pins` leave pip a choice."""
    say(f"Installing the oldest PyTorch and transformers into {root} (some minutes, once; 6 GB)")
    pip = make_environment(root)
    constrained = root / "constraints.txt"
    constrained.write_text("\n".join(pins), encoding="utf-8")
    run(*pip, "--constraint", constrained, *needs)


if __name__ == "__main__":
    main()
