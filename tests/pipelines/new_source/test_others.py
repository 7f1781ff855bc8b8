"""Sources of others: written, checked, named by a module or an entry point, and built from."""

import json
import os
import re
from dataclasses import replace

import pytest
from msgspec.structs import replace as with_fields

from pipelines.cli.parser import run
from pipelines.conformance.fixture import Fixture
from pipelines.conformance.rules import RULES
from pipelines.datasets import catalog
from pipelines.datasets.common.bins import Division
from pipelines.datasets.others import VARIABLE, declared_by, load_module, name_modules
from schemas.errors import UsageError
from schemas.source import Count, SourceImage, SplitFacts

BOXES = [
    ("duck", [20.0, 30.0, 50.0, 54.0]),
    ("owl", [12.0, 8.0, 52.0, 44.0]),
    ("owl", [60.0, 6.0, 90.0, 40.0]),
]


@pytest.fixture(autouse=True)
def no_modules(monkeypatch):
    """The modules that a test names are forgotten at its end."""
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def written(tmp_path):
    """Writes a source; returns its folder."""

    def write(kind="csv", name="birds"):
        words = ["new-source", name, "--format", kind, "--output", str(tmp_path)]
        assert run(words) == 0
        return tmp_path / name

    return write


@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_a_written_source_is_checked_and_built_as_it_is(kind, written, tmp_path, capsys, output_of):
    home = written(kind)
    module, root = str(home / "birds.py"), str(home / "data_root")
    capsys.readouterr()
    assert run(["check-source", module, "--data-root", root, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"]
    assert [each["rule"] for each in shown["rules"]] == list(RULES)
    words = ["build", "--sources", "birds", "--source-module", module, "--data-root", root]
    assert run([*words, "--output", str(tmp_path / "out")]) == 0
    rows = output_of(tmp_path / "out").rows()
    boxes = [(each["category"], each["bbox"]) for row in rows for each in row["regions"]]
    assert sorted(boxes) == BOXES
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "| `birds` (Birds) | train | 2 | 3 | 2 | CC0 |" in card
    assert run([*words, "--output", str(tmp_path / "dry"), "--dry-run"]) == 0
    assert os.environ[VARIABLE] == ""  # named for the command alone


@pytest.mark.parametrize("kind", ["csv", "coco"])
def test_the_written_test_passes(kind, written):
    tests = load_module(str(written(kind) / "test_birds.py"))
    tests.test_all_rules_are_kept()
    tests.test_what_is_read()


def test_odd_rows_of_a_table_are_rejected_by_name(written, tmp_path, output_of):
    home = written()
    with (home / "data_root" / "birds" / "boxes.csv").open("a", encoding="utf-8") as table:
        table.write("owl.png,owl,a,8,52,44\nowl.png,owl,12,8,52,44\nno.png,owl,1,2,3,4\n")
    words = ["build", "--sources", "birds", "--source-module", str(home / "birds.py")]
    words += ["--data-root", str(home / "data_root"), "--output", str(tmp_path / "out")]
    assert run(words) == 0
    output = output_of(tmp_path / "out")
    reasons = sorted(reason for _, _, reason in output.rejected())
    assert reasons == ["duplicate_id", "image_missing", "malformed"]
    assert len(output.regions()) == 3
    output.ledger()


def test_a_table_without_its_columns_is_named(written, tmp_path, capsys):
    home = written()
    table = home / "data_root" / "birds" / "boxes.csv"
    table.write_text("image,label\n", encoding="utf-8")
    words = ["build", "--sources", "birds", "--source-module", str(home / "birds.py")]
    words += ["--data-root", str(home / "data_root"), "--output", str(tmp_path / "out")]
    assert run(words) == 1
    assert f"{table}: no column x0, y0, x1, y1" in capsys.readouterr().err


def test_a_source_that_breaks_a_rule(written, capsys):
    home = written()
    module = home / "birds.py"
    text = module.read_text("utf-8").replace("https://example.org/birds", "ask Ada")
    module.write_text(text, encoding="utf-8")
    assert run(["check-source", str(module), "--data-root", str(home / "data_root")]) == 1
    shown = capsys.readouterr().out
    assert "wrong birds: terms are stated" in shown
    assert "obtain is 'ask Ada', expected an address" in shown
    assert "12 of 13 rules are kept" in shown


def twice(entries):
    for entry in entries:
        yield entry
        if isinstance(entry, SourceImage):
            yield entry


def changed(kind, **fields):
    def change(entries):
        for entry in entries:
            yield with_fields(entry, **fields) if isinstance(entry, kind) else entry

    return change


def image_changed(**fields):
    def change(entries):
        for entry in entries:
            if isinstance(entry, SourceImage):
                entry = with_fields(entry, image=with_fields(entry.image, **fields))
            yield entry

    return change


def region_changed(**fields):
    def change(entries):
        for entry in entries:
            if isinstance(entry, SourceImage):
                regions = tuple(with_fields(each, **fields) for each in entry.regions)
                entry = with_fields(entry, regions=regions)
            yield entry

    return change


class Forgetful:
    """Entries that lack an image from the second reading on."""

    def __init__(self):
        self.read = 0

    def __call__(self, entries):
        self.read += 1
        listed = list(entries)
        return iter(listed if self.read == 1 else listed[:-1])


FAULTY = {
    "every declared split is there": lambda entries: iter(()),
    "terms are stated": image_changed(licence="MIT"),
    "ids are unique": twice,
    "categories are those of the label set": region_changed(category="dodo"),
    "pictures are there with the stated size": image_changed(size_bytes=1),
    "counts balance": changed(Count, number=7),
    "parsing again yields the same": Forgetful(),
    "every image has one of the shards": changed(SplitFacts, shards=3),
}


@pytest.mark.parametrize("rule", FAULTY)
def test_a_fault_breaks_its_rule(rule, written):
    home = written("coco")
    name_modules([str(home / "birds.py")])
    (spec,) = declared_by(str(home / "birds.py"))
    root = str(home / "data_root")
    assert list(RULES[rule](Fixture(spec, root))) == []
    fault = FAULTY[rule]
    faulty = replace(spec, parse=lambda split, store: fault(spec.parse(split, store)))
    assert list(RULES[rule](Fixture(faulty, root))) != []


@pytest.mark.parametrize("lost", [0, 1])
def test_a_division_that_loses_an_entry_breaks_a_rule(written, lost):
    home = written("coco")
    name_modules([str(home / "birds.py")])
    (spec,) = declared_by(str(home / "birds.py"))

    def divide(split, store, parts, indexes):
        entries = list(spec.parse(split, store))
        return Division(entries[: len(entries) - lost], iter(()))

    fixture = Fixture(replace(spec, divide=divide), str(home / "data_root"))
    faults = list(RULES["several workers read the same together"](fixture))
    assert len(faults) == lost


def test_an_entry_point_brings_in_a_source(written, monkeypatch, capsys):
    home = written(name="finches")
    info = home / "finches-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: finches\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[regionforge.sources]\nfinches = finches:SPEC\n")
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setattr(catalog.CATALOG, "_named", None)
    try:
        assert run(["sources", "finches", "--data-root", str(home / "data_root")]) == 0
        assert "finches  Finches; licence: CC0" in capsys.readouterr().out
    finally:
        monkeypatch.undo()
        monkeypatch.setattr(catalog.CATALOG, "_named", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file"),
        ("SPEC = 3", "declares no data set: expected SPEC = DatasetSpec(...)"),
        ("x = (", "cannot be imported: "),
        ("import nowhere_at_all", "cannot be imported: No module named 'nowhere_at_all'"),
        ("from pipelines.datasets.coco.source import SPEC", "two data sets have the name 'coco'"),
    ],
)
def test_a_module_that_cannot_be_used(text, message, tmp_path, capsys):
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    words = ["sources", "--source-module", str(path), "--data-root", str(tmp_path)]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("name", "message"),
    [("coco", "a source has this name"), ("My Birds", "small letters"), ("birds", "is there")],
)
def test_a_name_that_cannot_be_used(name, message, tmp_path, capsys):
    (tmp_path / "birds").mkdir()
    assert run(["new-source", name, "--output", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["birds"]


def test_a_module_is_found_by_its_name(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="cannot be imported: No module named 'my_wrens'"):
        declared_by("my_wrens")
    assert run(["new-source", "my_wrens", "--output", str(tmp_path)]) == 0
    monkeypatch.syspath_prepend(str(tmp_path / "my_wrens"))
    assert [spec.name for spec in declared_by("my_wrens")] == ["my_wrens"]


def broken(home, old, new):
    """Change the module of a source, and return its path and the number of the changed line."""
    module = home / "birds.py"
    text = module.read_text("utf-8")
    before, match, after = text.partition(old)
    assert match
    module.write_text(f"{before}{new}{after}", "utf-8")
    return module, before.count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "def parse(",
            "def prase(",
            r"birds\.py, line \d+: NameError: name 'parse' is not defined",
        ),
        ("def parse(", "def parse((", r"birds\.py, line \d+: .*(invalid syntax|parenthesi)"),
        ("import csv", "import csvv", "No module named 'csvv'"),
    ],
)
def test_a_module_that_cannot_be_imported_has_one_line(
    old, new, message, written, tmp_path, capsys
):
    home = written()
    module, _ = broken(home, old, new)
    capsys.readouterr()
    assert run(["check-source", str(module), "--data-root", str(home / "data_root")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: the source module {module} cannot be imported: ")
    assert re.search(message, error)


@pytest.mark.parametrize("command", ["check-source", "build", "build --workers 2", "dry run"])
def test_a_fault_of_a_source_has_one_line_with_its_place(command, written, tmp_path, new_process):
    home = written()
    module, line = broken(home, "    yield from", '    {}["wings"]\n    yield from')
    root, output = str(home / "data_root"), str(tmp_path / "out")
    words = ["build", "--sources", "birds", "--source-module", str(module), "--output", output]
    words += {"build --workers 2": ["--workers", "2"], "dry run": ["--dry-run"]}.get(command, [])
    if command == "check-source":
        words = ["check-source", str(module)]
    done = new_process(*words, "--data-root", root)
    assert done.returncode == 1
    error = done.stderr
    assert "Traceback" not in error
    assert f"source birds fails on train: {module}, line {line}: KeyError: 'wings'" in error
