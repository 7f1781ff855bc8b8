"""The demonstration: every source in both styles, and what the sample world planted in them."""

import json
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.datasets.catalog import dataset
from pipelines.plan import make_plan
from pipelines.recipes import recipe_names
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.tasks import tasks_of
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.sample_world import SOURCES
from regionforge.demo_steps import MIX, recipe_of_all, run_demo
from schemas.errors import UsageError
from schemas.style import Style

pytestmark = pytest.mark.timeout(600)  # the first of them runs it all


@pytest.fixture(scope="module")
def printed(run_there):
    """What a demonstration printed that passed, in a folder with packages named like ours.

    Two steps of each stage of training are enough to go through.
    """
    done = run_there("demo", "--max-steps", 2)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(printed, foreign_folder):
    """The folder of that demonstration."""
    return foreign_folder / "demo_output"


def left_out(shards, source: str) -> Counter:
    """Kinds and reasons of what is rejected of a source, but for what no task of the style uses."""
    path = shards / "_rejected" / f"{source}.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    entries = [json.loads(line) for line in text.splitlines()]
    return Counter(f"{e['kind']} {e['reason']}" for e in entries if e["reason"] != "not_used")


def annotations(path) -> Any:
    return json.loads(path.read_bytes())["annotations"]


@pytest.mark.parametrize("style", Style)
def test_every_source_with_a_task_is_built(demo, style):
    built = {path.parent.name for path in (demo / f"shards_{style}").glob("*/*.arrow")}
    assert built == {name for name in SOURCES if dataset(name).tasks.get(style)}


def test_the_page_shows_every_source_to_train_on(demo):
    page = (demo / "preview.html").read_text(encoding="utf-8")
    for name in {name for name in SOURCES if dataset(name).tasks}:
        assert re.search(rf"\b{name}/(train|val|test)", page), name


@pytest.fixture(scope="module", params=Style)
def unguarded(demo, request, tmp_path_factory):
    """The demonstration's world built with the pictures of evaluations in all splits."""
    folder = tmp_path_factory.mktemp("unguarded")
    recipe = recipe_of_all(request.param).model_copy(update={"guard": False})
    launch(make_plan(recipe, str(demo / "world"), str(folder)), LaunchOptions())
    return folder


def test_what_was_planted_is_left_out_and_nothing_else(demo, unguarded):
    world, shards = demo / "world", unguarded
    coco = [
        annotation
        for split in ("train", "val")
        for annotation in annotations(
            world / "coco" / "annotations" / f"instances_{split}2017.json"
        )
    ]
    crowds = sum(annotation["iscrowd"] for annotation in coco)
    assert left_out(shards, "coco") == {
        "annotation crowd": crowds,
        "annotation box_zero_area": 2,
        "image no_regions": 2,
    }
    assert left_out(shards, "lvis") == {"image no_regions": 2}
    for name, file in {
        "refcoco": "refcoco/refs(unc).p",
        "refcoco_plus": "refcoco+/refs(unc).p",
        "refcocog": "refcocog/refs(umd).p",
    }.items():
        refs = pickle.loads((world / file).read_bytes())
        sentences = [[sentence["sent"] for sentence in ref["sentences"]] for ref in refs]
        boxes = annotations((world / file).with_name("instances.json"))
        assert left_out(shards, name) == {
            "sentence duplicate": sum(len(texts) - len(set(texts)) for texts in sentences),
            "annotation crowd": sum(annotation["iscrowd"] for annotation in boxes),
            "annotation box_zero_area": 2,
        }
    v3det = [
        (split, annotation)
        for split in ("train", "val")
        for annotation in annotations(
            world / "v3det" / "annotations" / f"v3det_2023_v1_{split}.json"
        )
    ]
    gone = {3 + 2 * position for position in (7, 16)}
    assert left_out(shards, "v3det") == {
        "annotation crowd": sum(annotation["iscrowd"] for _, annotation in v3det),
        "image image_missing": len(gone),
        "image no_regions": 1,
    }
    boxless = sum(
        path.read_text(encoding="utf-8").count("<nobndbox>")
        for path in (world / "flickr30k_entities" / "Annotations").iterdir()
    )
    assert left_out(shards, "flickr30k") == {
        "annotation no_regions": boxless,
        "annotation duplicate": 2,  # a box that is there twice, and one under another chain
        "sentence no_regions": 5 + 1,  # of the empty picture, and the caption of another one
        "image no_regions": 1,
    }
    genome = left_out(shards, "visual_genome")
    assert {reason for reason in genome if reason.startswith("image")} == {
        "image image_empty", "image image_size_mismatch", "image no_regions"
    }  # fmt: skip
    assert genome["sentence duplicate"] == 4
    for name in ("llava_pretrain", "vcr"):
        assert left_out(shards, name) == {}


def records(folder: Path, config: str) -> list[dict[str, Any]]:
    """Every record of a config, in order."""
    rows = []
    for path in sorted(folder.glob(f"{config}/*.arrow")):
        with pa.ipc.open_stream(path) as stream:
            rows += stream.read_all().to_pylist()
    return rows


def test_the_mix_holds_the_captions_that_were_kept(demo):
    kept = {
        (row["id"].split("/")[2], region["region_id"]): region["caption"]
        for row in records(demo / "recapd", "recapd")
        for region in row["regions"]
    }
    merged = records(demo / MIX, "v3det")
    assert {"region_classification", "region_detailed_caption"} in [
        set(row["turn_tasks"]) for row in merged
    ]
    captions = {
        (row["id"].split("/")[2], region["region_id"]): region["caption"]
        for row in merged
        for region in row["regions"]
        if region["caption"]
    }
    assert captions
    assert captions.items() <= kept.items()


def test_the_mix_shows_the_share_of_every_task(demo, printed):
    recipe = make_recipe(load_recipe(MIX) | {"no_recapd": True}, MIX)
    tasks = {
        (source.name, str(task)) for source in recipe.sources for task in tasks_of(recipe, source)
    }
    tasks.add(("v3det", "region_detailed_caption"))
    manifest = json.loads((demo / MIX / "manifest.json").read_bytes())
    counted = {(shard["config"], task) for shard in manifest["shards"] for task in shard["turns"]}
    assert counted == tasks
    card = (demo / MIX / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (\w+) \| [\d,]+ \| [\d.]+% \|", card, re.MULTILINE)
    assert set(rows) == tasks
    shown = printed.split(f"The mix {MIX}")[1].split("Evaluations")[0]
    cells = {tuple(re.findall(r"\w+", line)[:2]) for line in shown.splitlines() if "%" in line}
    assert tasks <= cells


def test_every_evaluation_is_built(demo):
    names = {name for name in recipe_names() if name.startswith("eval_")}
    assert {path.parent.name for path in demo.glob("eval_*/manifest.json")} == names
    page = (demo / "preview.html").read_text(encoding="utf-8")
    assert page.count('<ol class="answers">') >= len(names)


def test_a_tiny_model_is_trained_in_two_stages_and_asked_after_each(demo, printed):
    file = demo / "proof_world" / "v3det" / "annotations" / "v3det_2023_v1_val.json"
    boxes = len(annotations(file))
    commands = re.findall(r"^\$ regionforge (\w+)", printed, re.MULTILINE)
    assert commands == ["train", "evaluate"] * 2
    for run in ("run_stage1", "run_stage2"):
        log = (demo / run / "log.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["step"] for line in log] == [0, 1]
        assert (demo / run / "final" / "model.safetensors").is_file()
        answers = demo / run / "evaluation" / "eval_v3det" / "predictions.jsonl"
        assert len(answers.read_text(encoding="utf-8").splitlines()) == boxes
        figures = json.loads((answers.parent / "report.json").read_bytes())["figures"]
        assert ("accuracy", boxes) in {(each["name"], each["count"]) for each in figures}
    page = demo / "run_stage2" / "evaluation" / "eval_v3det" / "report.html"
    assert printed.rstrip().endswith(f"open {page.resolve()} in a browser")
    assert page.read_text(encoding="utf-8").count("<img ") >= 4


def test_a_folder_with_somebodys_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(UsageError, match="files of yours"):
        run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
