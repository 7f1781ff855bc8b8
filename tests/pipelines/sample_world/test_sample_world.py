"""The sample world: the same bytes every time, COCO's schema, and drawings that match."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from bench.full_size_world import coco as full_size
from bench.full_size_world.coco import write_annotation_set, write_photo_set
from pipelines.sample_world import write_world
from pipelines.sample_world.coco import CATEGORY_IDS, pictures
from pipelines.sample_world.draw import draw
from pipelines.sample_world.look import Look
from pipelines.sample_world.scene import Scene, Thing, World, make_scene
from pipelines.sample_world.shapes import COLOURS, GREYS, SHAPES
from pipelines.sample_world.world import WRITERS

FILES = ("train2014", "val2014", "train2017", "val2017")
IMAGE_KEYS = {
    "license", "file_name", "coco_url", "height", "width", "date_captured", "flickr_url", "id",
}  # fmt: skip
ANNOTATION_KEYS = {
    "segmentation", "area", "iscrowd", "image_id", "bbox", "category_id", "id",
}  # fmt: skip


@pytest.fixture(scope="module")
def coco(sample_world):
    return sample_world / "coco"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def read(coco: Path, name: str):
    return json.loads((coco / "annotations" / f"instances_{name}.json").read_bytes())


def eroded(mask):
    """Return a boolean image less its outermost pixels."""
    padded = np.pad(mask, 1)
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def square(x: float, y: float, side: float, colour: str = "red") -> Thing:
    outline = np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)])
    return Thing(shape="square", colour=colour, parts=(outline,))


def test_the_same_seed_writes_the_same_bytes_in_the_same_folder_too(sample_world, tmp_path):
    calls = []
    write_world(tmp_path, "small", on_progress=lambda *state: calls.append(state))
    assert digests(tmp_path) == digests(sample_world)
    check_progress(calls)
    write_world(tmp_path)
    assert digests(tmp_path) == digests(sample_world)


def check_progress(calls):
    """Check that it was told of every picture: data set, of how many, picture, of how many."""
    assert calls[:64] == [(1, 15, done, 64) for done in range(1, 65)]
    whole = [done for *_, done, total in calls if done == total]
    assert [number for number, of, done, total in calls if done == total] == list(range(1, 16))
    assert whole == [64, 64, 40, 40, 40, 40, 24, 24, 24, 24, 48, 24, 24, 24, 16]


def test_another_seed_draws_another_world(sample_world, tmp_path):
    write_world(tmp_path, seed=1)
    one, other = (
        {sha256 for path, sha256 in digests(root).items() if path.endswith(".jpg")}
        for root in (tmp_path, sample_world)
    )
    assert one & other == {hashlib.sha256(b"").hexdigest()}  # planted: a file of no bytes


def test_a_larger_world_begins_with_the_smaller_one():
    small, medium = pictures(World(seed=0, pictures=8)), pictures(World(seed=0, pictures=12))
    assert [p.number for p in small] == [p.number for p, _ in zip(medium, range(8), strict=False)]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_larger_world_holds_the_pictures_of_the_smaller_one(tmp_path, write):
    """And all that is said of each one of them, in the formats that have a file per picture."""
    for name, count in (("small", 16), ("large", 24)):
        write(tmp_path / name, World(seed=3, pictures=count))
    small, large = digests(tmp_path / "small"), digests(tmp_path / "large")
    lists = (".json", ".jsonl", ".p", "train.txt", "val.txt", "test.txt", "UNRELATED_CAPTIONS")
    kept = {path: sha256 for path, sha256 in small.items() if not path.endswith(lists)}
    kept |= {path: sha256 for path, sha256 in small.items() if "/vcr1images/" in path}
    assert kept.items() <= large.items()
    without_pictures = ("write_lvis", "write_refcoco", "write_detections", "write_pope")
    assert write.__name__.startswith(without_pictures) or kept


@pytest.mark.parametrize("name", FILES)
def test_files_have_cocos_schema(coco, name):
    file = read(coco, name)
    assert list(file) == ["info", "licenses", "images", "annotations", "categories"]
    assert all(set(image) == IMAGE_KEYS for image in file["images"])
    assert all(set(annotation) == ANNOTATION_KEYS for annotation in file["annotations"])
    assert all(set(category) == {"supercategory", "id", "name"} for category in file["categories"])
    assert {category["name"]: category["id"] for category in file["categories"]} == CATEGORY_IDS
    assert len(CATEGORY_IDS) >= 12
    assert max(CATEGORY_IDS.values()) == 90
    for records in (file["images"], file["annotations"]):
        ids = [record["id"] for record in records]
        assert len(set(ids)) == len(ids)
        assert ids != sorted(ids)


@pytest.mark.parametrize("name", FILES)
def test_the_pictures_a_file_names_are_there_in_the_stated_size(coco, name):
    images = read(coco, name)["images"]
    assert {path.name for path in (coco / name).iterdir()} == {i["file_name"] for i in images}
    for image in images:
        with Image.open(coco / name / image["file_name"]) as picture:
            picture.load()
            assert picture.size == (image["width"], image["height"])
        assert image["coco_url"].endswith(f"/{name}/{image['file_name']}")


@pytest.mark.parametrize("name", FILES)
def test_pycocotools_agrees_with_every_annotation(coco, name, capsys):
    api = COCO(str(coco / "annotations" / f"instances_{name}.json"))
    for annotation in api.loadAnns(api.getAnnIds()):
        mask = api.annToRLE(annotation)
        assert float(rle.area(mask)) == annotation["area"]
        if annotation["iscrowd"]:
            bounds = rle.toBbox(mask)
        else:
            points = np.concatenate([np.reshape(p, (-1, 2)) for p in annotation["segmentation"]])
            bounds = np.hstack([points.min(axis=0), np.ptp(points, axis=0)])
        assert np.abs(bounds - annotation["bbox"]).max() < 0.01
        image = api.loadImgs(annotation["image_id"])[0]
        x, y, width, height = annotation["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + width <= image["width"]
        assert y + height <= image["height"]


def test_2014_holds_the_pictures_of_2017_split_otherwise(coco):
    ids = {name: {image["id"] for image in read(coco, name)["images"]} for name in FILES}
    assert (len(ids["train2017"]), len(ids["val2017"])) == (48, 16)
    assert ids["train2014"] | ids["val2014"] == ids["train2017"] | ids["val2017"]
    assert ids["val2017"] < ids["val2014"]
    assert ids["val2014"] & ids["train2017"]
    number = min(ids["val2014"] & ids["train2017"])
    old = coco / "val2014" / f"COCO_val2014_{number:012d}.jpg"
    new = coco / "train2017" / f"{number:012d}.jpg"
    assert old.read_bytes() == new.read_bytes()


def test_a_picture_keeps_its_annotations_from_2014_to_2017(coco):
    def annotations(*names):
        records = [a for name in names for a in read(coco, name)["annotations"]]
        return {annotation["id"]: annotation for annotation in records}

    assert annotations("train2014", "val2014") == annotations("train2017", "val2017")


def test_rare_things_are_planted(coco):
    train, val = read(coco, "train2017"), read(coco, "val2017")
    annotated = {annotation["image_id"] for annotation in train["annotations"]}
    assert sum(image["id"] not in annotated for image in train["images"]) == 2
    flat = [a for a in train["annotations"] if a["bbox"][3] == 0]
    assert len({a["image_id"] for a in flat}) == len(flat) == 2
    assert all(a["area"] == 0 for a in flat)
    for file in (train, val):
        crowds = [a for a in file["annotations"] if a["iscrowd"]]
        assert len(crowds) > 4
        assert all(isinstance(side, int) for a in crowds for side in a["bbox"])
        assert all(isinstance(count, int) for a in crowds for count in a["segmentation"]["counts"])
        assert any(len(a["segmentation"]) == 2 for a in file["annotations"] if not a["iscrowd"])
    opened = [Image.open(path) for path in (coco / "train2017").iterdir()]
    assert sorted(image.mode for image in opened).count("L") == 1
    assert [image.getexif().get(0x0112) for image in opened].count(6) == 1
    for image in opened:
        image.close()


def test_every_class_colour_and_size_is_drawn(coco):
    things = [t for p in pictures(World(seed=0, pictures=64)) for t in p.scene.things]
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.colour for thing in things} == set(COLOURS)
    assert {thing.size for thing in things} == {"small", "medium", "large"}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("grey", [False, True])
def test_what_is_seen_of_a_thing_has_its_colour(grey):
    for index in range(12):
        key, colours = f"colour/{index}", GREYS if grey else tuple(COLOURS)
        scene = make_scene(key, width=320, height=240, things=6, look=Look(colours=colours))
        image = draw(scene).convert("L").convert("RGB") if grey else draw(scene)
        masks = [rle.decode(scene.mask(k)).astype(bool) for k in range(len(scene.things))]
        for k, thing in enumerate(scene.things):
            seen = masks[k] & ~sum(masks[k + 1 :], start=np.zeros_like(masks[k]))
            colour = np.median(np.asarray(image)[seen], axis=0)
            assert np.abs(colour - COLOURS[thing.colour]).max() < 4


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_a_mask_covers_the_pixels_that_its_thing_changes():
    shifts = []
    for index in range(24):
        scene = make_scene(f"mask/{index}", width=320, height=240, things=6, crowd=index == 0)
        bare = np.asarray(draw(replace(scene, things=()))).astype(int)
        for thing in scene.things:
            alone = replace(scene, things=(thing,))
            drawn = np.abs(np.asarray(draw(alone)) - bare).max(axis=2) > 12
            mask = rle.decode(alone.mask(0)).astype(bool)
            assert np.count_nonzero(eroded(mask) & ~drawn) < 3
            assert np.count_nonzero(eroded(eroded(drawn)) & ~mask) < 9
            shifts.append(np.argwhere(drawn).mean(axis=0) - np.argwhere(mask).mean(axis=0))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.1  # pixels


def test_relations_follow_paint_order_and_sides():
    things = (square(10, 10, 40), square(40, 40, 40), square(12, 150, 20), square(150, 12, 20))
    scene = Scene(key="by hand", width=200, height=200, ground="sand", things=things)
    assert scene.relation(0, 1) == "behind"
    assert scene.relation(1, 0) == "in front of"
    assert scene.relation(0, 2) == "above"
    assert scene.relation(2, 0) == "below"
    assert scene.relation(0, 3) == "left of"
    assert scene.relation(3, 0) == "right of"
    assert scene.relation(2, 3) in {"left of", "below"}


@pytest.mark.parametrize(("side", "size"), [(31, "small"), (33, "medium"), (97, "large")])
def test_size_is_measured_with_cocos_limits(side, size):
    assert square(1, 1, side).size == size


def test_photo_set(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(full_size, "DISTINCT_PHOTOS", 8)
    made = write_photo_set(tmp_path, count=30, target_bytes=60_000)
    files = sorted(made.pictures.iterdir())
    contents = {path.read_bytes() for path in files}
    assert len(contents) == 30
    assert abs(sum(map(len, contents)) / 30 - 60_000) < 3_000
    with Image.open(files[4]) as image:
        image.load()
        assert image.size == (640, 480)
    assert len(COCO(str(made.annotations)).anns) == round(30 * 7.3)


def test_annotation_set(tmp_path, capsys):
    made = write_annotation_set(tmp_path, images=500, boxes=3_600)
    api = COCO(str(made.annotations))
    assert (len(api.imgs), len(api.anns), len(api.cats)) == (500, 3_600, 80)
    lengths = [len(a["segmentation"][0]) for a in api.anns.values()]
    assert 40 < np.mean(lengths) < 52
    for annotation in list(api.anns.values())[:200]:
        points = np.reshape(annotation["segmentation"][0], (-1, 2))
        bounds = np.hstack([points.min(axis=0), np.ptp(points, axis=0)])
        assert np.abs(bounds - annotation["bbox"]).max() < 0.01
    for image in api.imgs.values():
        with Image.open(made.pictures / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"])


@pytest.mark.parametrize(
    ("write", "arguments"),
    [(write_photo_set, {"count": 3}), (write_annotation_set, {"images": 5, "boxes": 20})],
)
def test_full_size_sets_are_kept_until_the_arguments_change(tmp_path, write, arguments):
    made = write(tmp_path, **arguments)
    before = made.annotations.read_bytes()
    made.annotations.write_bytes(b"kept")
    write(tmp_path, **arguments)
    assert made.annotations.read_bytes() == b"kept"
    write(tmp_path, **{key: value + 1 for key, value in arguments.items()})
    assert len(made.annotations.read_bytes()) > len(before)
