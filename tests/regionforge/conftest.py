"""The console script as it is installed, in a folder that holds packages named like ours.

Most of its time would be that of importing libraries, so it is forked from a process that has them,
but none of our packages: these it imports by the `sys.path` of the script.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forks import Forks, Order

CHECKOUT = Path(__file__).resolve().parents[2]
TARGET = "regionforge.__main__:main"  # as pyproject.toml says
FOREIGN = ("schemas", "prompts", "transforms", "pipelines", "model", "train")
OURS = (*FOREIGN, "regionforge")
LIBRARIES = ("pipelines.cli.build_recipe", "pipelines.runner.launch", "train.start", "open_clip")

# What an installer writes for an entry point.
SCRIPT = """#!{python}
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def console_script(tmp_path_factory) -> list[str]:
    """The command `regionforge`. Its own folder is first in `sys.path`, not the current one."""
    module, _, function = TARGET.partition(":")
    installed = Path(sys.executable).with_name("regionforge")
    if installed.is_file() and f"from {module} import {function}" in installed.read_text("utf-8"):
        return [str(installed)]
    path = tmp_path_factory.mktemp("bin") / "regionforge"
    text = SCRIPT.format(python=sys.executable, module=module, function=function)
    path.write_text(text, encoding="utf-8")
    return [sys.executable, str(path)]


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """The environment of processes that import this checkout, from wherever they start."""
    where = [sys.executable, "-c", "import regionforge; print(regionforge.__file__)"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(where, cwd=elsewhere, capture_output=True, text=True, check=False)
    if done.stdout.strip() == str(CHECKOUT / "regionforge" / "__init__.py"):
        return dict(os.environ)
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *paths])}


@pytest.fixture(scope="session")
def path(console_script, environment) -> list[str]:
    """What `sys.path` is in the console script: the folder of the script comes first."""
    command = [sys.executable, "-c", "import json, sys; print(json.dumps(sys.path))"]
    first, *rest = json.loads(subprocess.check_output(command, env=environment))
    assert first == "", "the current folder, which a script has not"
    return [str(Path(console_script[-1]).parent), *rest]


@pytest.fixture(scope="session")
def foreign_folder(tmp_path_factory):
    """A folder with packages named like ours; to import one of them is an error."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in FOREIGN:
        (folder / name).mkdir()
        text = f'raise AssertionError("the foreign {name} was imported")\n'
        (folder / name / "__init__.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def run_there(forks: Forks, path, environment, foreign_folder) -> Run:
    """Runs `regionforge` in the foreign folder, or another command, in a process of its own."""

    def run(*words: object, command: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        given = [*map(str, words)]
        if command:
            line = [*command, *given]
            return subprocess.run(
                line, cwd=foreign_folder, env=environment, capture_output=True, text=True
            )
        order = Order(
            call=TARGET,
            given=[given],
            folder=str(foreign_folder),
            environment=environment,
            needed=LIBRARIES,
            anew=OURS,
            path=path,
        )
        return forks.run(order)

    return run
