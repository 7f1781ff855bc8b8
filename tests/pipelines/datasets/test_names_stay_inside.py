"""No code outside `pipelines/datasets` names a data set: what others need, its spec declares."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.datasets.catalog import CATALOG

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGES = ("schemas", "prompts", "transforms", "pipelines", "model", "train", "regionforge")
# Modules of pipelines.datasets that are of no data set.
SHARED = {"common", "spec", "catalog", "others"}

# Samples, evaluation lists, the flags for a file of one's own in COCO's format, the formats that
# are written for others and new sources begin with, and the benchmarks by their names, which
# published numbers go by.
EXCEPTIONS = {
    "pipelines/sample_world",
    "regionforge/demo_steps.py",
    "regionforge/demo_training.py",
    "pipelines/guard/lists.py",
    "pipelines/guard/names.py",
    "pipelines/cli/build.py",
    "pipelines/cli/build_recipe.py",
    "pipelines/cli/own_files.py",
    "pipelines/cli/recap_recipe.py",
    "pipelines/export/formats.py",
    "pipelines/export/names.py",
    "pipelines/cli/new_source.py",
    "pipelines/new_source",
    "pipelines/recipes/resolve.py",
    "train/evaluation/benchmarks.py",
    "train/evaluation/report/marks.py",
    "train/evaluation/report/published.py",
    "train/learns/all_tasks.py",
}
NAME = re.compile(rf"(?<!\w)({'|'.join(CATALOG)})(?!\w)")


def names_in(text: str) -> Iterator[str]:
    """Yield the data sets that code names: by a text without blanks, or by an import."""
    tree = ast.parse(text)
    for literal in literals(tree):
        if len(literal.split()) == 1:  # others are for people to read
            yield from NAME.findall(literal)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from filter(None, map(owner_of, modules))
        elif isinstance(node, ast.Import):
            yield from filter(None, (owner_of(alias.name) for alias in node.names))


def literals(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in code; in one with fields, {} stands for each."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.JoinedStr):
            yield "".join(map(_shown, child.values))
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        else:
            yield from literals(child)


def _shown(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "{}"


def owner_of(module: str) -> str:
    """Return the owner of a module of `pipelines.datasets`, or nothing."""
    match = re.match(r"pipelines\.datasets\.(\w+)", module)
    return match[1] if match and match[1] not in SHARED else ""


def naming_files() -> dict[str, set[str]]:
    """Return the files outside `pipelines/datasets` that name data sets, with the names."""
    naming = {}
    for package in PACKAGES:
        for path in (CHECKOUT / package).rglob("*.py"):
            file = path.relative_to(CHECKOUT).as_posix()
            if file.startswith("pipelines/datasets/"):
                continue
            if names := set(names_in(path.read_text(encoding="utf-8"))):
                naming[file] = names
    return naming


def test_no_file_outside_names_a_data_set():
    naming = naming_files()
    of_exceptions = {
        file: exception
        for file in naming
        for exception in EXCEPTIONS
        if file == exception or file.startswith(f"{exception}/")
    }
    assert {file: names for file, names in naming.items() if file not in of_exceptions} == {}
    assert set(of_exceptions.values()) == EXCEPTIONS, "an exception that is not needed any more"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ('match owner:\n    case "coco" | "lvis": pass', ["coco", "lvis"]),
        ('PAPERS.get("refcoco_plus", ())', ["refcoco_plus"]),
        ('f"coco/{number}"', ["coco"]),
        ("from pipelines.datasets.vcr.source import SPEC", ["vcr"]),
        ("from pipelines.datasets import pope", ["pope"]),
        ("import pipelines.datasets.flickr30k.source", ["flickr30k"]),
        ("from pipelines.datasets.common.entries import rejections", []),
        ('f"--coco-split {name}: expected letters"', []),
        ('help = "your own file in the format of coco"', []),
        ('"cocoa", "vcr1images"', []),
    ],
)
def test_what_counts_as_naming(code, names):
    assert sorted(names_in(code)) == names
