"""The house rules that no linter knows: names, packaging, the Makefile, sizes."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ["schemas", "prompts", "transforms", "pipelines", "model", "train", "regionforge"]
SOURCES = sorted(path for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py"))
SCRIPTS = sorted(path for name in ["bench", "tests"] for path in (CHECKOUT / name).rglob("*.py"))
MAX_FILE = 300
MAX_FUNCTION = 60


@pytest.mark.parametrize("package", PACKAGES)
def test_the_name_belongs_to_us_alone(package: str) -> None:
    # Installers merge two distributions' folders of one name in silence; only this list tells.
    assert set(packages_distributions().get(package, [])) == {"regionforge"}


@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_declared(package: str) -> None:
    assert (CHECKOUT / package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_reaches_the_sdist(package: str) -> None:
    # Packages are found by __init__.py; of what is no Python, only what is named is shipped.
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["tool"]["setuptools"]["package-data"]
    files = [path for path in (CHECKOUT / package).rglob("*") if path.is_file()]
    ours = [path for path in files if "__pycache__" not in path.parts]
    data = [path for path in ours if path.suffix != ".py"]
    home = {path: ".".join(path.parent.relative_to(CHECKOUT).parts) for path in data}
    lost = [
        path
        for path in data
        if not any(fnmatch(path.name, name) for name in named["*"] + named.get(home[path], []))
    ]
    assert lost == []
    assert [path for path in ours if not (path.parent / "__init__.py").is_file()] == []


def test_exactly_our_packages_are_named() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert named == [pattern for name in PACKAGES for pattern in (name, f"{name}.*")]
    assert project["tool"]["importlinter"]["root_packages"] == PACKAGES
    assert project["tool"]["ruff"]["lint"]["isort"]["known-first-party"] == PACKAGES


def test_tests_are_not_packages() -> None:
    # With __init__.py, tests/schemas would hide schemas.
    assert list((CHECKOUT / "tests").rglob("__init__.py")) == []


def test_constraints_pin_every_direct_dependency() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    by_make = ("clip", "demo", "dev", "serve", "stores-dev", "train")
    installed = [need for name in by_make for need in extras[name]]
    direct = project["dependencies"] + installed
    pins = (CHECKOUT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {normal(name) for name in re.findall(r"^([\w.-]+)==\S+$", pins, re.MULTILINE)}
    assert {normal(re.split(r"[\[>=<]", need)[0]) for need in direct} - pinned == set()


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_make_help_lists_every_target() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(targets)
    shown = subprocess.check_output(
        ["make", "--no-print-directory", "help"], cwd=CHECKOUT, text=True
    )
    assert re.findall(r"^  make (\S+)", shown, re.MULTILINE) == targets


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def test_long_files_say_why() -> None:
    texts = {relative(path): path.read_text(encoding="utf-8") for path in SOURCES + SCRIPTS}
    long = [name for name, text in texts.items() if len(text.splitlines()) > MAX_FILE]
    heads = {name: ast.get_docstring(ast.parse(texts[name])) or "" for name in long}
    silent = [name for name, head in heads.items() if "Length:" not in head]
    assert not silent, "\n".join(silent)


def test_functions_are_short() -> None:
    trees = {relative(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    long = [
        f"{name} of {path} has {lines} lines"
        for path, tree in trees.items()
        for name, lines in functions(tree)
        if lines > MAX_FUNCTION
    ]
    assert not long, "\n".join(long)


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every function's name and number of lines, its docstring not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            described = ast.get_docstring(node, clean=False) is not None
            prose = (first.end_lineno or 0) - first.lineno + 1 if described else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - prose
