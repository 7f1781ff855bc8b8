"""The guard on whole data roots: the sample world's, by what its pictures are, and real samples."""

import hashlib
import json
import pickle
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from pipelines.cli import parser as cli
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.sample_world import SOURCES
from pipelines.verify import verify

SHARING = {"coco", "lvis", "refcoco", "refcoco_plus", "refcocog", "visual_genome", "llava"}
LABELLED = ("coco", "lvis", "v3det")
REMOVED = ("image", "evaluation_image")
TESTED = (1, 2, 3, 4, 5, 6)  # images of Visual Genome; two are COCO's as well


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def root(sample_world, tmp_path_factory):
    """The sample world, and a list of Visual Genome's images to test on."""
    root = tmp_path_factory.mktemp("world") / "root"
    shutil.copytree(sample_world, root)
    lines = "\n".join(map(str, TESTED))
    (root / "visual_genome" / "test_ids.txt").write_text(lines, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def evaluated(root):
    """Digests of the files of all pictures that an evaluation is done on."""
    numbers = {int(path.stem) for path in (root / "coco" / "val2017").iterdir()}
    for path in root.glob("refcoco*/refs*.p"):
        refs = pickle.loads(path.read_bytes())
        numbers |= {ref["image_id"] for ref in refs if ref["split"] != "train"}
    for path in root.glob("pope/*.json"):
        for line in path.read_text(encoding="utf-8").splitlines():
            numbers.add(int(json.loads(line)["image"].split("_")[-1].removesuffix(".jpg")))
    files = [path for path in root.glob("coco/*/*.jpg") if int(path.stem[-12:]) in numbers]
    images = json.loads((root / "visual_genome" / "image_data.json").read_bytes())
    urls = [image["url"] for image in images if image["image_id"] in TESTED]
    files += [root / "visual_genome" / "/".join(url.split("/")[-2:]) for url in urls]
    for name in ("val", "test"):
        photos = (root / "flickr30k_entities" / f"{name}.txt").read_text("utf-8").split()
        files += [root / "flickr30k_entities" / "flickr30k-images" / f"{n}.jpg" for n in photos]
    return {digest(path.read_bytes()) for path in files}


def trained_on(root: Path, output: Path, output_of, **options) -> dict[str, list[str]]:
    """Build every split to train on; return the digests of its pictures, source by source."""
    sources = tuple(
        SourceRequest(name=name, label_set="Shapes" if name in LABELLED else None)
        for name in SOURCES
        if dataset(name).tasks
    )
    launch(make_plan(Recipe(sources=sources, **options), str(root), str(output)), LaunchOptions())
    assert verify(str(output)).problems == []
    by_source = defaultdict(list)
    for row in output_of(output).rows("*/train-*.arrow"):
        if row["image"]:
            by_source[row["source"]].append(digest(row["image"]["bytes"]))
    return by_source


def test_no_picture_of_an_evaluation_is_trained_on(root, evaluated, tmp_path, output_of):
    loose = trained_on(root, tmp_path / "loose", output_of, guard=False)
    assert {name for name, digests in loose.items() if evaluated & set(digests)} == SHARING
    guarded = trained_on(root, tmp_path / "guarded", output_of)
    for name, digests in loose.items():
        # And nothing else is removed; pictures that are turned upright are other files.
        lost = set(digests) - set(guarded[name])
        assert len(lost - evaluated) <= (1 if name in SHARING else 0)
        assert set(guarded[name]) == set(digests) - lost
        assert not evaluated & set(guarded[name])


def removed_from(output) -> set[str]:
    """The ids of the images that the guard removed."""
    listed = output.rejected()
    return {item_id for kind, item_id, why in listed if (kind, why) == REMOVED}


def test_real_sentences_guard_real_pictures(samples, tmp_path, output_of, capfd):
    # The pictures that this sample calls val2017 are of COCO's train2017.
    own = samples / "coco" / "tinycoco"
    path = samples / "refcoco" / "minigpt4_eval" / "refcoco_val.json"
    records = json.loads(path.read_bytes())
    numbers = {int(record["img_id"].split("_")[2]) for record in records}
    words = ["build", "--sources", "coco", "--output", str(tmp_path / "out")]
    words += ["--data-root", str(tmp_path), "--label-set", "COCO-80"]
    words += ["--coco-annotations", str(own / "annotations" / "instances_val2017.json")]
    words += ["--coco-images", str(own / "images" / "val2017")]
    assert cli.run([*words, "--verbose", "--path", f"refcoco.val={path}"]) == 0
    assert "guard, refcoco: 1,500 pictures" in capfd.readouterr().err
    output = output_of(tmp_path / "out")
    declared = json.loads((own / "annotations" / "instances_val2017.json").read_bytes())["images"]
    clash = numbers & {image["id"] for image in declared}
    assert 444010 in clash
    assert set(map(int, removed_from(output))) == clash
    assert not clash & set(map(int, output.images()))
    (guard_list,) = [item for item in output.manifest().identity.guard if item.pictures]
    assert guard_list.sha256 == digest("\n".join(sorted(f"coco/{n}" for n in numbers)).encode())


def test_real_questions_and_lists(samples, tmp_path):
    root = tmp_path / "root"
    for name, of in {
        "pope/coco_pope_random.json": "pope/coco_pope_random.json",
        "flickr30k_entities/val.txt": "flickr30k_entities/val.txt",
        "flickr30k_entities/test.txt": "flickr30k_entities/test.txt",
        "visual_genome/image_data.json": "visual_genome/v1.2/image_data.json",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(samples / of)
    (root / "visual_genome" / "test_ids.txt").write_text("2\n")
    own = samples / "coco" / "mmpose_person"
    request = SourceRequest(
        name="coco", annotations=str(own / "test_coco.json"), images=str(own), label_set="Person"
    )
    plan = make_plan(Recipe(sources=(request,)), str(root), str(tmp_path / "out"))
    numbers = {item.name: item.pictures for item in plan.guard.lists}
    assert (numbers["pope"], numbers["flickr30k"], numbers["visual_genome_test"]) == (500, 2000, 1)
    assert plan.guard.forbidden["coco/310196"] == "pope"


def test_recap_captions_none_of_them(sample_world, tmp_path, output_of):
    words = ["recap", "--source", "coco", "--data-root", str(sample_world), "--label-set", "S"]
    words += ["--captioner", "builtin", "--no-filter", "--per-image", "1"]
    outputs = [tmp_path / "loose", tmp_path / "guarded"]
    assert cli.run([*words, "--output", str(outputs[0]), "--no-guard"]) == 0
    assert cli.run([*words, "--output", str(outputs[1])]) == 0
    loose, guarded = (output_of(folder) for folder in outputs)
    assert len(guarded.manifest().identity.guard) == 9
    removed = removed_from(guarded)
    train = {row["id"].split("/")[2] for row in loose.rows("recapd/train-*.arrow")}
    left = {row["id"].split("/")[2] for row in guarded.rows("recapd/train-*.arrow")}
    assert removed & train
    assert left == train - removed
    asked = b"".join(
        path.read_bytes() for path in (outputs[1] / "_state" / "captions").rglob("*.jsonl")
    )
    assert asked
    assert [image for image in left if f"/train/{image}/".encode() not in asked] == []
    assert [image for image in removed if f"/train/{image}/".encode() in asked] == []
    assert verify(str(outputs[1])).problems == []
