"""The pictures that a judge sees: cut out by GAR's rule, and sent in order with their names."""

import doctest
import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipelines.judge import pictures as module
from pipelines.judge.build import read_build
from pipelines.judge.pictures import item_pictures, shown_box
from schemas.errors import InputFileError
from schemas.judged import read_judged

SIZE = (400, 300)  # width, height
# A mask of 100 x 20 pixels: raised to 56 pixels in height, then as much again on each side.
BOX = (150, 100, 250, 120)
SHOWN = (50, 26, 350, 194)


def evaluated(coco_file, run_build, seed):
    """A build that asks about the regions 11, 12 (in the corner), 21 and 13 (without a mask)."""
    owner = coco_file()
    for number in (1, 2):
        noise = np.random.default_rng(number + seed).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
        Image.fromarray(noise).save(owner.pictures / f"{number}.png")
        item = {"id": number, "file_name": f"{number}.png", "width": SIZE[0], "height": SIZE[1]}
        owner.data["images"].append(item)
    x0, y0, x1, y1 = BOX
    whole = {"segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]], "bbox": [x0, y0, 100, 20]}
    owner.region(11, 1, **whole)
    owner.region(12, 1, segmentation=[[0, 0, 10, 0, 10, 10, 0, 10]], bbox=[0, 0, 10, 10])
    owner.region(13, 2, bbox=[5, 5, 20, 20], segmentation=[])
    owner.region(21, 2, **whole)
    request = {"tasks": ("region_classification",)}
    output = run_build(owner.save(), evaluation=True, request=request)
    return owner, read_build(str(output.folder))


@pytest.fixture(scope="module")
def build(coco_file, run_build):
    return evaluated(coco_file, run_build, seed=0)


def opened(jpeg: bytes) -> np.ndarray:
    with Image.open(BytesIO(jpeg)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB"), dtype=float)


def test_examples():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((150, 100, 250, 120), (150.0, 82.0, 250.0, 138.0)),
        ((0, 0, 1, 1), (-27.5, -27.5, 28.5, 28.5)),
        ((10, 20, 66, 76), (10.0, 20.0, 66.0, 76.0)),
    ],
)
def test_small_sides_are_raised_about_the_middle(box, shown):
    mask = np.zeros((200, 300), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    assert shown_box(mask) == shown


def test_a_region_and_its_mask_are_cut_out(build):
    owner, evaluated = build
    crop, mask = item_pictures("dlc", evaluated, "11", None)
    x0, y0, x1, y1 = SHOWN
    with Image.open(owner.pictures / "1.png") as image:
        cut = np.asarray(image.convert("RGB"), dtype=float)[y0:y1, x0:x1]
    assert opened(crop.jpeg).shape == cut.shape
    assert abs(opened(crop.jpeg) - cut).mean() < 12  # noise, as JPEG keeps it
    white = opened(mask.jpeg)[:, :, 0] > 127
    rows, columns = np.nonzero(white)
    inside = (rows.min() + y0, rows.max() + 1 + y0, columns.min() + x0, columns.max() + 1 + x0)
    assert inside == (BOX[1], BOX[3], BOX[0], BOX[2])
    assert crop.name == "The part of the picture around the object that is described:"
    assert mask.name == "In that part, the pixels of the object that is described in white:"


def test_a_cut_ends_where_the_picture_ends(build):
    crop, mask = item_pictures("dlc", build[1], "12", None)
    # About the middle (5, 5) 56 pixels, then 56 more to each side: up to 5 + 28 + 56.
    assert opened(crop.jpeg).shape == opened(mask.jpeg).shape == (89, 89, 3)


def test_of_a_relation_the_whole_picture_and_all_regions_are_sent(build):
    sent = item_pictures("gar", build[1], "11", None)
    assert [picture.name for picture in sent] == [
        "The whole picture:",
        "The part of the picture around <Prompt0>:",
        "In that part, the pixels of <Prompt0> in white:",
    ]
    assert opened(sent[0].jpeg).shape == (300, 400, 3)


@pytest.mark.parametrize(
    ("item", "message"),
    [("99", "asks nothing about '99'"), ("13", "'13' has no mask to send: record coco/")],
)
def test_what_cannot_be_sent(build, item, message):
    with pytest.raises(InputFileError, match=message):
        item_pictures("dlc", build[1], item, None)


def test_pictures_that_the_build_refers_to(coco_file, run_build):
    owner = coco_file().good(1).save()
    output = run_build(
        owner, evaluation=True, images="reference", request={"tasks": ("region_classification",)}
    )
    build = read_build(str(output.folder))
    with pytest.raises(InputFileError, match="give --image-root"):
        item_pictures("dlc", build, "11", None)
    assert len(item_pictures("dlc", build, "11", str(owner.pictures))) == 2


YES = {"prompt": "Kind: ", "answer": "A. Yes"}


def test_the_judge_is_sent_pictures_and_the_file_says_so(build, dlc, judging, judge, tmp_path):
    bench = dlc(_11="A pot.", _21="A pan.")
    server = judging(YES)
    flags = ("--with-picture", "--shards", build[1].folder)
    done = judge(bench, server, *flags, "--output", tmp_path / "seen")
    assert done.returncode == 0, done.stderr
    assert "with pictures" in done.stdout
    run = read_judged(tmp_path / "seen").run
    assert run.pictures
    assert [prompt.split("/")[0] for prompt in run.prompts][2:] == ["judge_crop", "judge_mask"]
    lines = [line for line in server.log() if "canary" not in line["id"]]
    assert len(lines) == 8
    image = ["user text", "user image_url"]
    assert all(line["parts"] == [*image, *image, "user text"] for line in lines)
    # Without pictures the same questions are asked anew, and the runs are kept apart.
    done = judge(bench, server, "--output", tmp_path / "seen")
    assert "which differ in pictures (True, False), prompts" in done.stderr
    assert "8 calls" in judge(bench, server, "--output", tmp_path / "text").stdout
    assert "0 calls" in judge(bench, server, *flags, "--output", tmp_path / "seen").stdout


def test_another_picture_is_judged_anew(build, coco_file, run_build, dlc, judging, judge, tmp_path):
    bench, server = dlc(_11="A pot.", _21="A pan."), judging(YES)
    _, other = evaluated(coco_file, run_build, seed=5)
    for folder in (build[1].folder, other.folder):
        flags = ("--with-picture", "--shards", folder, "--output", tmp_path / "o")
        assert "8 calls" in judge(bench, server, *flags).stdout


def test_a_judge_that_sees_no_pictures(build, dlc, judging, judge):
    server = judging(YES, blind=True)
    done = judge(dlc(_11="A pot."), server, "--with-picture", "--shards", build[1].folder)
    assert done.returncode == 1
    assert "drops pictures" in done.stderr
    assert "What it says of pictures would be made up" in done.stderr


def test_an_item_that_the_build_does_not_ask_about(build, dlc, judging, judge):
    done = judge(dlc(_99="A pot."), judging(YES), "--with-picture", "--shards", build[1].folder)
    assert done.returncode == 1
    assert "asks nothing about '99': no picture to send" in done.stderr


def test_real_pictures_are_cut_out(samples):
    folder = samples / "benchmarks" / "dlc_bench"
    data = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    from pycocotools import mask as coco_mask

    for record in data["annotations"]:
        rle = record["segmentation"] | {"counts": record["segmentation"]["counts"].encode()}
        x, y, width, height = coco_mask.toBbox(rle)
        x0, y0, x1, y1 = shown_box(coco_mask.decode(rle).astype(bool))
        wide, tall = max(width, 56), max(height, 56)
        assert (x1 - x0, y1 - y0) == (wide, tall)
        assert (x0 + x1, y0 + y1) == (2 * x + width, 2 * y + height)
