"""`validate` names every fault of a recipe, with its line, and reads no data."""

from itertools import pairwise

import pytest
import yaml

from pipelines.cli.parser import run
from pipelines.recipes import recipe_names
from pipelines.storage import files
from pipelines.storage.yaml_lines import YamlLines

# Each faulty line ends with a comment: a part of the message about it.
FAULTY = """\
name: mine
styl: regiongpt  # styl: there is no such key; did you mean style?
merge: true
mode: one_turn_one  # tasks are merged in the mode multi_turn_all only
masks: wobbly  # expected annotated, dilated, eroded, not 'wobbly'
per_category: 0  # expected 1 or more, not 0
sources:
  - {name: cocoa, per_category: 20}  # there is no source 'cocoa'; did you mean coco?
  - name: visual_genome
    splits: [trian]  # there is no split 'trian'; did you mean train?
    tasks: [singing]
    tasks: [region_caption]  # the key stands twice, and only the last one counts
  - {name: vcr, year: 2017}  # sources.2.year: expected none: there is one only, not 2017
  - {name: flickr30k, paths: {imges: /x}}  # nothing is called 'imges' there; did you mean images?
  - {name: llava, editon: x}  # editon: there is no such key; did you mean edition?
  - {name: pope, label_set: X}  # sources.5.label_set: expected none
  - {per_image: many}  # sources.6.per_image: expected a whole number or all, not 'many'
wordings: {region_caption_fraze: [a]}  # did you mean region_caption_phrase?
weights: {vcr: {region_caption: 2}}  # expected 1 or less, not 2
guard_paths: {pope: {rondom: /x}}  # the guard reads no pope.rondom; did you mean random?
rec_negatives: 0.7  # expected 0.5 at most
no_box_share: yes please  # no_box_share: expected a number, not 'yes please'
"""


def test_every_fault_is_named_with_its_line(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(FAULTY, encoding="utf-8")
    assert run(["validate", str(path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    expected = [
        (number, line.partition("  # ")[2])
        for number, line in enumerate(FAULTY.splitlines(), 1)
        if "  # " in line
    ]
    by_line: dict[int, list[str]] = {}
    for line in shown:
        number, _, text = line.removeprefix(f"{path}:").partition(": ")
        by_line.setdefault(int(number), []).append(text)
    for number, part in expected:
        assert part in " / ".join(by_line.get(number, [])), (number, shown)
    assert list(by_line) == [number for number, _ in expected]


@pytest.mark.parametrize("name", recipe_names())
def test_our_recipes_are_valid(name, capsys):
    assert run(["validate", name]) == 0
    *needs, verdict = capsys.readouterr().out.splitlines()
    assert verdict == f"{name}: valid"
    flags = {"eval_rec": "--detections refcocog=FILE", "regiongpt_finetune": "--recapd DIR"}
    assert [flags[name] in line for line in needs] == ([True] if name in flags else [])


def test_nothing_is_read_but_the_recipe(tmp_path, capsys, monkeypatch):
    path = tmp_path / "mine.yaml"
    own = {"name": "coco", "annotations": "/none.json", "images": "/none", "label_set": "Mine"}
    path.write_text(yaml.safe_dump({"name": "mine", "sources": [own]}), encoding="utf-8")
    opened: list[str] = []
    open_read = files.open_read

    def open_and_note(path):
        opened.append(path)
        return open_read(path)

    monkeypatch.setattr(files, "open_read", open_and_note)
    monkeypatch.setattr(files, "exists", lambda path: pytest.fail(path))
    assert run(["validate", str(path)]) == 0
    assert opened == [str(path)]
    assert capsys.readouterr().out == f"{path}: valid\n"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- a\n", "expected keys such as name, style and sources"),
        ("name: [", "neither YAML nor JSON"),
        ("name: mine\n", ": sources: expected a list of one at least"),
        ("name: mine\nsources: coco\n", ":2: sources: expected a list of one at least"),
        ("sources: [{name: coco}, {name: coco}]\n", ":1: sources: source 'coco' is given more"),
        ("sources: [coco]\n", ":1: sources.0: expected keys with values, not 'coco'"),
        ("sources: [{name: vcr, tasks: [region_caption]}]\n", ":1: sources.0: source 'vcr' cannot"),
        ("name: coco\nsources: [{name: coco}]\n", ":1: name: a recipe cannot be named 'coco'"),
        (
            "evaluation: true\nmode: one_turn_all\nsources: [{name: pope}]\n",
            ":2: mode: recipe 'all': mode one_turn_all: expected one_turn_one",
        ),
        ("sources: [{name: coco}]\nweights: {vcr: {}}\n", ":2: weights.vcr: "),
        (
            "paper: {title: x, reports: [{wear: y}]}\nsources: [{name: vcr}]\n",
            "did you mean where?",
        ),
        ("1: 2\nsources: [{name: vcr}]\n", ":1: "),
    ],
)
def test_a_fault_of_each_kind(tmp_path, capsys, text, part):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert run(["validate", str(path)]) == 1
    assert part in capsys.readouterr().out


def test_an_item_with_a_fault_does_not_make_its_list_too_short(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nsources: [{name: coco, per_categry: 2}]\n", encoding="utf-8")
    assert run(["validate", str(path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert (
        line == f"{path}:2: sources.0.per_categry: there is no such key; did you mean per_category?"
    )


def test_a_recipe_that_is_not_there(capsys):
    assert run(["validate", "eval_cocoa", "eval_pope"]) == 1
    shown = capsys.readouterr().out
    assert "there is no recipe 'eval_cocoa'; did you mean eval_coco?" in shown
    assert shown.endswith("eval_pope: valid\n")


def test_lines_of_documents():
    lines = YamlLines("a:\n  - {b: 1}\n  -\n    c: 2\n    c: 3\nd: 4\n")
    for path, line in {("a", 0, "b"): 2, ("a", 1, "c"): 5, ("d",): 6, ("a", 7): 1, (): 1}.items():
        assert lines.line(path) == line, path
    assert list(lines.repeated()) == [(("a", 1, "c"), 5)]
    assert YamlLines("a: [").line(("a",)) is None
    bomb = "a: &a [x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefgh")
    )
    assert list(YamlLines(bomb).repeated()) == []
    assert YamlLines("[" * 3000).line(()) is None
