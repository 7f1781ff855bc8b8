"""The limits: numbers, in one place, that both towers can import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import limits

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "prompts", "transforms", "pipelines", "model", "train")
MODULES = sorted(path for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py"))
LIMITS = {name: value for name, value in vars(limits).items() if name.isupper()}
# Numbers that stand for nothing else.
DISTINCT = {value for name, value in LIMITS.items() if "IMAGE" in name or "PIXELS" in name}
NUMERIC = (ast.BinOp, ast.Constant)


def test_limits_are_positive_whole_numbers():
    assert {name: value for name, value in LIMITS.items() if type(value) is not int} == {}
    assert min(LIMITS.values()) > 0
    assert all(name.startswith(("MAX_", "MIN_")) for name in LIMITS)


def test_each_limit_has_a_sentence():
    source = Path(limits.__file__).read_text(encoding="utf-8")
    for paragraph in source.split("\n\n")[-len(LIMITS) :]:
        *words, definition = paragraph.strip().splitlines()
        assert definition.split(" = ")[0] in LIMITS
        assert all(line.startswith("# ") for line in words)
        assert words[-1].endswith(".")


@pytest.mark.parametrize("module", ["schemas.limits", "schemas.predictions"])
def test_both_towers_can_import_it(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
    foreign = {"PIL", "apache_beam", "pyarrow", "pycocotools", "torch"}
    assert foreign.isdisjoint(loaded)
    ours = {name for name in loaded if name.partition(".")[0] in PACKAGES}
    assert {name for name in ours if not name.startswith("schemas")} == set()


def second_definitions(code: str) -> Iterator[int]:
    """Yield the lines that define a limit's name, or that hold the number of a large one."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if node.id.strip("_") in LIMITS:
                yield node.lineno
        elif isinstance(node, ast.BinOp | ast.Constant) and number(node) in DISTINCT:
            yield node.lineno


def number(node: ast.expr) -> object:
    """The value of a number, or of an expression of numbers; None for anything else."""
    if any(isinstance(part, ast.expr) and not isinstance(part, NUMERIC) for part in ast.walk(node)):
        return None
    try:
        return eval(ast.unparse(node))
    except (ArithmeticError, TypeError):
        return None


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("MAX_TEXT_CHARACTERS = 5", [1]),
        ("x = 1\n_MAX_JPEG_SCANS: int = 5", [2]),
        ("def f(most=256 * 1024 * 1024): ...", [1]),
        ("if side > 65_500: ...", [1]),
        ("x = 7 + 32 + 100", []),
    ],
)
def test_second_definitions_are_noticed(code, lines):
    assert list(second_definitions(code)) == lines


def test_no_other_module_defines_a_limit():
    twice = [
        f"{path.relative_to(CHECKOUT)}:{line}"
        for path in MODULES
        if path != Path(limits.__file__)
        for line in second_definitions(path.read_text(encoding="utf-8"))
    ]
    assert twice == []
