"""Prove that the sdist is whole: install it in a clean environment and build shards from there.

1. Build dist/regionforge-*.tar.gz and look at what is in it.
2. Install it, without extras, in a new environment outside the checkout.
3. From a folder outside the checkout that holds packages named like ours, draw a small sample
   world, build it with two worker processes (which must find every function by import, none in
   `__main__`) and verify the shards.
4. Build from the checkout with that environment as the only code of a pool of workers.

    make sdist
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = {"schemas", "prompts", "transforms", "pipelines", "model", "train", "regionforge"}
WHERE = (
    "import sys; from importlib.util import find_spec as find;"
    "print(*(find(name).origin for name in sys.argv[1:]), find('torch'))"
)


def run(*command: object, cwd: Path) -> str:
    """Run a command outside our environment, show it, and return its standard output."""
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise SystemExit(f"sdist check failed: the command above exits with {done.returncode}")
    return done.stdout


def build_sdist() -> Path:
    """Build from a clean slate (setuptools would reuse an old list of files)."""
    for stale in (CHECKOUT / "dist", CHECKOUT / "regionforge.egg-info"):
        shutil.rmtree(stale, ignore_errors=True)
    run(sys.executable, "-m", "build", "-q", "--sdist", "--no-isolation", cwd=CHECKOUT)
    (archive,) = (CHECKOUT / "dist").glob("*.tar.gz")
    return archive


def check_contents(archive: Path) -> None:
    """Our packages with all their files, and no other package."""
    with tarfile.open(archive) as tar:
        files = {name.partition("/")[2] for name in tar.getnames()}
    folders = {name.partition("/")[0] for name in files if "/" in name}
    if folders != PACKAGES | {"regionforge.egg-info"}:
        raise SystemExit(f"sdist check failed: expected the folders {PACKAGES}, found {folders}")
    ours = (path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.*"))
    sources = {str(path.relative_to(CHECKOUT)) for path in ours if path.suffix != ".pyc"}
    if missing := sources - files:
        raise SystemExit(f"sdist check failed: not in the archive: {sorted(missing)}")


def install(archive: Path, home: Path) -> Path:
    """Return the folder of the programs of a new environment that holds the sdist alone."""
    venv.create(home / "venv", with_pip=True)
    programs = home / "venv" / "bin"
    constraints = CHECKOUT / "constraints.txt"
    run(programs / "pip", "install", "--quiet", "-c", constraints, archive, cwd=home)
    output = run(programs / "python", "-c", WHERE, *sorted(PACKAGES), cwd=home)
    *origins, torch = output.split()
    if not all(Path(origin).is_relative_to(home) for origin in origins):
        raise SystemExit("sdist check failed: a package is imported from outside the environment")
    if torch != "None":
        raise SystemExit("sdist check failed: the data core has pulled in torch")
    return programs


def build_shards(programs: Path, home: Path) -> None:
    """The newcomer's road, from what was installed: by the script's name, and by the module's."""
    for name in PACKAGES - {"regionforge"}:
        (home / name).mkdir()
        (home / name / "__init__.py").write_text("raise SystemExit('foreign')", encoding="utf-8")
    run(programs / "regionforge", "sample-world", "world", "--size", "small", cwd=home)
    choice = ("--sources", "coco", "--data-root", "world", "--label-set", "Shapes-15")
    build = (programs / "python", "-m", "regionforge", "build", *choice)
    run(*build, "--output", "shards", "--workers", "2", cwd=home)
    run(programs / "regionforge", "verify", "shards", "--workers", "2", cwd=home)


def main() -> None:
    archive = build_sdist()
    check_contents(archive)
    with tempfile.TemporaryDirectory(prefix="regionforge-sdist-") as folder:
        home = Path(folder).resolve()
        (home / "anywhere").mkdir()
        programs = install(archive, home)
        build_shards(programs, home / "anywhere")
        run(sys.executable, "-m", "tests.engines.in_pool", programs, cwd=CHECKOUT)
    print(f"sdist check passed: {archive.relative_to(CHECKOUT)}")


if __name__ == "__main__":
    main()
