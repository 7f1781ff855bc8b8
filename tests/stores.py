"""An environment with servers of object stores, in a cache folder outside the checkout.

    python -m tests.stores

prints the folder: its `bin/python` imports the stores' libraries beside all that the checkout's own
environment has, and `node_modules/.bin` holds azurite where npm is there. It is made where it is
absent or unfinished (400 MB, once), by default below `~/.cache/regionforge`; the variable
REGIONFORGE_STORES names another.
"""

import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path

from tests.environments import cache_folder, make_environment, once, run, say

CHECKOUT = Path(__file__).resolve().parent.parent
CONSTRAINTS = CHECKOUT / "constraints.txt"
AZURITE = "azurite@3.35.0"  # the server for az://, which only npm has


def main() -> None:
    """Make the environment where it is missing; print its folder."""
    root = cache_folder("stores", "REGIONFORGE_STORES")
    path = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    npm = shutil.which("npm")
    pins = CONSTRAINTS.read_text(encoding="utf-8")
    made_of = "\n".join((*requirements(), pins, path, AZURITE if npm else "", sys.version))
    once(root / "stamp", made_of, lambda: install(root, path, npm))
    print(root)


def requirements() -> list[str]:
    """The extra `stores-dev`."""
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    needs: list[str] = tomllib.loads(text)["project"]["optional-dependencies"]["stores-dev"]
    return needs


def install(root: Path, path: str, npm: str | None) -> None:
    """A virtual environment in `root`, with a line of its path configuration, and azurite."""
    say(f"Installing servers of object stores into {root} (a minute, once; 400 MB)")
    pip = make_environment(root)
    # Before the installation, so that pip leaves out what is there.
    [packages] = root.glob("lib/*/site-packages")
    (packages / "checkout.pth").write_text(path, encoding="utf-8")
    run(*pip, "--constraint", CONSTRAINTS, *requirements())
    if npm:
        run(npm, "install", "--prefix", root, "--no-audit", "--no-fund", AZURITE)
    else:
        say("az:// is left out: npm, which installs its server, is not on the PATH")


if __name__ == "__main__":
    main()
