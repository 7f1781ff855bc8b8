"""The page about a data set of one's own is followed, with the files that Objects365 ships."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.cli.parser import run
from pipelines.conformance.rules import RULES
from pipelines.datasets.others import VARIABLE, declared_by, load_module, name_modules
from schemas.source import SourceImage

PAGE = Path(__file__).resolve().parents[3] / "docs" / "new_source.md"
SPLITS = {"train": 16, "val": 40}  # each with the folder of its pictures
FIELDS = {
    'splits=("train",)': 'splits=("train", "val")',
    "picture_name=unshared_picture": "picture_name=objects365_picture",
    "picture_owners=()": 'picture_owners=("objects365",)',
}


@pytest.fixture(autouse=True)
def no_modules(monkeypatch):
    """The modules that a test names are forgotten at its end."""
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def objects365(tmp_path):
    """A source that was written, and changed as the page says; its folder."""
    words = ["new-source", "objects365", "--format", "coco", "--output", str(tmp_path)]
    assert run(words) == 0
    home = tmp_path / "objects365"
    ship(home / "data_root" / "objects365")
    page = PAGE.read_text(encoding="utf-8")
    ((imported, function),) = re.findall(r"```python\n(from .*?)\n\n\n(.*?)```", page, re.DOTALL)
    module = (home / "objects365.py").read_text(encoding="utf-8")
    module = re.sub(r"from \S+picture_names import .*", imported, module)
    module = re.sub(r"def locate.*?\n\n\n", lambda _: function + "\n\n", module, flags=re.DOTALL)
    for before, now in FIELDS.items():
        assert module.count(before) == 1
        assert f"`{now}`" in page.replace("\n", " ")
        module = module.replace(before, now)
    (home / "objects365.py").write_text(module, encoding="utf-8")
    return home


def ship(folder: Path) -> None:
    """Lay the example's records and pictures out as the owner of Objects365 does."""
    example = json.loads((folder / "annotations.json").read_bytes())
    for number, (split, patch) in enumerate(SPLITS.items()):
        for image in example["images"]:
            image["id"] += 2 * number
            home = f"images/v2/patch{patch}"
            name = f"{home}/objects365_v2_{image['id']:08d}.jpg"
            (folder / home).mkdir(parents=True, exist_ok=True)
            shutil.copy(
                folder / "images" / ("owl.png", "pond.png")[image["id"] % 2 - 1], folder / name
            )
            image["file_name"] = name
        for box in example["annotations"]:
            box |= {"image_id": box["image_id"] + 2 * number, "isfake": 0, "isreflected": 0}
        file = folder / f"zhiyuan_objv2_{split}.json"
        file.write_text(json.dumps(example), encoding="utf-8")
    (folder / "annotations.json").unlink()


def test_objects365_is_read_as_the_page_says(objects365, tmp_path, capsys, output_of):
    module, root = str(objects365 / "objects365.py"), str(objects365 / "data_root")
    capsys.readouterr()
    assert run(["check-source", module, "--data-root", root, "--json"]) == 0
    rules = json.loads(capsys.readouterr().out)["rules"]
    assert [(each["rule"], each["problems"]) for each in rules] == [(rule, []) for rule in RULES]
    words = ["build", "--sources", "objects365", "--source-module", module, "--data-root", root]
    assert run([*words, "--output", str(tmp_path / "out")]) == 0
    rows = output_of(tmp_path / "out").rows()
    assert sorted({row["id"].split("/")[1] for row in rows}) == sorted(SPLITS)
    assert sum(len(row["regions"]) for row in rows) == 6


def test_the_guard_knows_its_pictures(objects365):
    name_modules([str(objects365 / "objects365.py")])
    (spec,) = declared_by(str(objects365 / "objects365.py"))
    tests = load_module(str(objects365 / "test_objects365.py"))
    splits = tests.Fixture(spec, str(objects365 / "data_root")).splits
    images = [
        entry for split in splits for entry in split.entries if isinstance(entry, SourceImage)
    ]
    names = sorted(spec.picture_name(entry.image) or "" for entry in images)
    assert names == [f"objects365/{number}" for number in range(1, 5)]
