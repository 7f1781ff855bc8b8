"""A new source is one module and its line in the table: everything else takes it up by itself.

A copy of the project gets the module `source.py` beside this file, its line, and a small data root
in the folder that the conformance suite looks into. Commands run there in a process of their own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
from PIL import Image

from pipelines.conformance.rules import RULES
from pipelines.datasets.catalog import CATALOG, build_table
from pipelines.datasets.spec import DatasetSpec

CHECKOUT = Path(__file__).resolve().parents[4]
MODULE = Path(__file__).with_name("source.py")
TABLE = "pipelines/datasets/catalog.py"
DATASET_TESTS = "tests/pipelines/datasets"
DATA_ROOT = f"{DATASET_TESTS}/birds/data_root"
IMPORT = "from pipelines.datasets.birds.source import SPEC as BIRDS\n"
LINE, ABOVE = "        BIRDS,\n", "        COCO,\n"
TESTED = 2  # the picture that an evaluation is done on
RUN = """
import json, sys
from pipelines.cli.parser import run
sys.exit(max(map(run, json.loads(sys.argv[1]))))
"""


class House:
    """A copy of the project with the new source in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for package in ("schemas", "prompts", "transforms"):
            (root / package).symlink_to(CHECKOUT / package)
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / "pipelines", root / "pipelines", ignore=skipped)
        birds = root / "pipelines" / "datasets" / "birds"
        birds.mkdir()
        (birds / "__init__.py").write_text('"""Birds."""\n', encoding="utf-8")
        shutil.copyfile(MODULE, birds / "source.py")
        table = (root / TABLE).read_text(encoding="utf-8")
        first = table.index("from pipelines.datasets.")
        table = table[:first] + IMPORT + table[first:]
        (root / TABLE).write_text(table.replace(ABOVE, LINE + ABOVE), encoding="utf-8")

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python on the copy."""
        env = os.environ | {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True)

    def run(self, *commands: Sequence[str]) -> str:
        """Run commands of ours, which must succeed, and return what they print."""
        done = self.python("-c", RUN, json.dumps(commands))
        assert done.returncode == 0, done.stderr
        return done.stdout


def write_data_root(root: Path) -> None:
    """Write three pictures with a bird in each, and a question of POPE about one of them."""
    pictures = root / "coco" / "train2017"
    pictures.mkdir(parents=True)
    images, annotations = [], []
    for number in (1, TESTED, 3):
        name = f"{number:012}.jpg"
        Image.new("RGB", (48, 32), (40 * number, 90, 120)).save(pictures / name)
        images.append({"id": number, "file_name": name, "width": 48, "height": 32})
        box = {"id": 10 * number, "image_id": number, "category_id": 1, "bbox": [4, 6, 20, 10]}
        annotations.append({**box, "iscrowd": 0})
    categories = [{"id": 1, "name": "owl"}, {"id": 2, "name": "wren"}]
    file = {"images": images, "annotations": annotations, "categories": categories}
    question = {"question_id": 1, "image": f"COCO_val2014_{TESTED:012}.jpg"}
    for path, content in (
        ("birds/birds_train.json", file),
        ("pope/coco_pope_random.json", question | {"text": "Is it an owl?", "label": "yes"}),
    ):
        (root / path).parent.mkdir()
        (root / path).write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("house"))
    write_data_root(house.root / DATA_ROOT)
    return house


@pytest.fixture(scope="module")
def printed(house):
    """The output of the commands that list, build, caption and show the source."""
    root, shards = str(house.root / DATA_ROOT), str(house.root / "shards")
    builtin = ["--captioner", "builtin", "--no-filter", "--output", str(house.root / "captions")]
    return house.run(
        ["sources", "birds", "--data-root", root],
        ["build", "--sources", "birds", "--data-root", root, "--output", shards],
        ["recap", "--source", "birds", "--data-root", root, *builtin],
        ["preview", shards, "--html", str(house.root / "page.html")],
    )


def test_the_source_is_listed(house, printed):
    lines = printed.splitlines()
    assert "birds  Birds; licence: CC0" in lines
    assert f"    found   train  {house.root / DATA_ROOT}/birds/birds_train.json" in lines


def test_no_picture_of_an_evaluation_is_trained_on(house, printed, output_of):
    output = output_of(house.root / "shards")
    assert output.images() == ["1", "3"]
    assert ("image", str(TESTED), "evaluation_image") in output.rejected()


def test_the_card_names_and_cites_it(house, printed):
    card = (house.root / "shards" / "README.md").read_text(encoding="utf-8")
    assert "| `birds` (Birds) | train | 2 |" in card
    cited = card.split("## Citing")[1]
    assert "- Ada Finch. Birds in Pictures. 2024.\n" in cited
    assert cited.count("Microsoft COCO") == 1


def test_its_regions_are_captioned(house, printed, output_of):
    rows = output_of(house.root / "captions").rows()
    assert sorted(row["id"].split("/")[2] for row in rows) == ["1", "3"]
    assert all("owl" in row["regions"][0]["caption"] for row in rows)


def test_its_records_are_shown(house, printed):
    assert "birds/train" in (house.root / "page.html").read_text(encoding="utf-8")


def test_the_conformance_suite_takes_it_up(house):
    folders = ("tests", "tests/pipelines", DATASET_TESTS)
    shared = ("tests/forks.py", "tests/quick_beam.py", "tests/pipelines/reads.py")
    for name in (*(f"{folder}/conftest.py" for folder in folders), *shared):
        shutil.copyfile(CHECKOUT / name, house.root / name)
    shutil.copytree(CHECKOUT / "bench", house.root / "bench", ignore=lambda *_: {"data"})
    suite = f"{DATASET_TESTS}/test_conformance.py"
    shutil.copyfile(CHECKOUT / suite, house.root / suite)
    shutil.copyfile(CHECKOUT / "pyproject.toml", house.root / "pyproject.toml")
    done = house.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "birds", suite)
    assert done.returncode == 0, done.stdout
    assert f"{len(RULES)} passed" in done.stdout


REQUIRED = [
    field.name
    for field in fields(DatasetSpec)
    if field.default is MISSING and field.default_factory is MISSING
]


def test_all_that_others_need_is_required():
    assert {"licence", "picture_name", "papers", "task_definition"} <= set(REQUIRED)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_field_that_is_left_out_is_an_error(name):
    text = MODULE.read_text(encoding="utf-8")
    without = re.sub(rf"^    {name}=.*\n", "", text, count=1, flags=re.MULTILINE)
    assert without.count("\n") == text.count("\n") - 1
    with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{name}'"):
        exec(without, {})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('name="coco"', "two data sets have the name 'coco'"),
        ("papers=()", "data set 'birds': papers is empty, expected one at least"),
        ('licence=""', "data set 'birds': licence is empty, expected one at least"),
        ("tasks={}", "data set 'birds': tasks and evaluations are both empty"),
        (
            'task_definition="naming"',
            "data set 'birds': task_definition 'naming': expected None, or",
        ),
    ],
)
def test_a_declaration_that_cannot_be_used_is_an_error(line, message):
    field = re.compile(rf"^    {line.partition('=')[0]}=.*$", re.MULTILINE)
    text = field.sub(f"    {line},", MODULE.read_text(encoding="utf-8"))
    names: dict[str, DatasetSpec] = {}
    exec(text, names)
    with pytest.raises(ValueError, match=re.escape(message)):
        build_table((*CATALOG.values(), names["SPEC"]))
