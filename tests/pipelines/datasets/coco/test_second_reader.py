"""A second reader of COCO's files, which shares no code with ours, agrees with what was built.

It knows the format from its description: `json` for the lists, pycocotools for the masks, Pillow
for the pictures.
"""

import contextlib
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from pycocotools import mask as rle
from pycocotools.coco import COCO

PIXELS = 0.01  # boxes agree to so much


class SecondReader:
    """One annotation file and its folder of pictures, and what ought to become of them."""

    def __init__(self, file: Path, pictures: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco = COCO(str(file))
        self.pictures = pictures
        content = json.loads(file.read_bytes())
        self.images = {image["id"]: image for image in content["images"]}
        self.names = {category["id"]: category["name"] for category in content["categories"]}
        self.kept: dict[str, dict[str, Any]] = {}
        self.rejected: Counter[tuple[str, str]] = Counter()
        for annotation in content["annotations"]:
            if fault := self._fault(annotation):
                self.rejected["annotation", fault] += 1
            else:
                self.kept[str(annotation["id"])] = annotation
        with_regions = {annotation["image_id"] for annotation in self.kept.values()}
        if bare := len(self.images.keys() - with_regions):
            self.rejected["image", "no_regions"] = bare
        self.described = {str(number) for number in with_regions}

    @staticmethod
    def _fault(annotation: dict[str, Any]) -> str:
        if annotation["iscrowd"]:
            return "crowd"
        return "" if annotation["bbox"][2] and annotation["bbox"][3] else "box_zero_area"

    def orientation(self, image_id: int) -> int:
        with Image.open(self.pictures / self.images[image_id]["file_name"]) as image:
            return int(image.getexif().get(0x0112, 1))

    def box(self, annotation: dict[str, Any]) -> tuple[float, ...]:
        """The box xyxy, in the upright picture."""
        image = self.images[annotation["image_id"]]
        x, y, width, height = annotation["bbox"]
        x0, x1 = max(0, x), min(image["width"], x + width)
        y0, y1 = max(0, y), min(image["height"], y + height)
        if self.orientation(image["id"]) == 6:  # a quarter turn clockwise
            return image["height"] - y1, x0, image["height"] - y0, x1
        return x0, y0, x1, y1

    def mask(self, annotation: dict[str, Any]) -> np.ndarray:
        """The pixels, turned as any viewer turns the picture."""
        pixels = Image.fromarray(self.coco.annToMask(annotation) * np.uint8(255))
        exif = Image.Exif()
        exif[0x0112] = self.orientation(annotation["image_id"])
        stored = io.BytesIO()
        pixels.save(stored, "PNG", exif=exif)
        with Image.open(stored) as picture:
            return np.asarray(ImageOps.exif_transpose(picture)) > 0


@pytest.fixture(scope="module", params=["drawn world", "tinycoco", "a user's own file"])
def case(request, run_build):
    """The second reader of each split, and what was built from the same files."""
    if request.param == "drawn world":
        root = request.getfixturevalue("sample_world")
        options = {"request": {"label_set": "Shapes-15"}, "shard_bytes": 300_000}
        output = run_build(root, guard=False, **options)
        return readers(root), output
    if request.param == "tinycoco":
        root = request.getfixturevalue("tinycoco")
        return readers(root), run_build(root)
    folder = request.getfixturevalue("samples") / "coco" / "mmpose_person"
    own = {"annotations": str(folder / "test_coco.json"), "images": str(folder)}
    output = run_build(Path(), request={**own, "label_set": "Person"})
    return {"train": SecondReader(folder / "test_coco.json", folder)}, output


def readers(root: Path) -> dict[str, SecondReader]:
    return {
        split: SecondReader(
            root / "coco" / "annotations" / f"instances_{split}2017.json",
            root / "coco" / f"{split}2017",
        )
        for split in ("train", "val")
    }


def pairs(case):
    """Every region built, with its record, the owner's annotation and the second reader."""
    splits, output = case
    for split, reader in splits.items():
        for row in output.rows(f"coco/{split}-*.arrow"):
            for region in row["regions"]:
                yield row, region, reader.kept[region["region_id"]], reader


def test_the_same_images_and_regions(case):
    splits, output = case
    assert {row["split"] for row in output.rows()} == splits.keys()
    for split, reader in splits.items():
        rows = output.rows(f"coco/{split}-*.arrow")
        built = [region["region_id"] for row in rows for region in row["regions"]]
        assert sorted(built) == sorted(reader.kept)
        assert sorted(row["id"].split("/")[2] for row in rows) == sorted(reader.described)


def test_regions_are_on_their_own_pictures(case):
    for row, _, annotation, reader in pairs(case):
        image = reader.images[annotation["image_id"]]
        assert row["id"].split("/")[2] == str(image["id"])
        assert row["image"]["path"] == image["file_name"]


def test_pictures_are_the_owners_own_or_turned_upright(case):
    for row, _, annotation, reader in pairs(case):
        name, orientation = row["image"]["path"], reader.orientation(annotation["image_id"])
        with Image.open(io.BytesIO(row["image"]["bytes"])) as built:
            assert built.size == (row["width"], row["height"])
            assert built.getexif().get(0x0112, 1) == 1
        if orientation == 1:
            assert row["image"]["bytes"] == (reader.pictures / name).read_bytes()


def test_boxes_agree(case):
    for _, region, annotation, reader in pairs(case):
        assert region["bbox"] == pytest.approx(reader.box(annotation), abs=PIXELS, rel=0)


def test_masks_agree_pixel_for_pixel(case):
    masks = 0
    for row, region, annotation, reader in pairs(case):
        if not reader.mask(annotation).any():
            assert region["mask"] is None
            continue
        size, counts = region["mask"]["size"], region["mask"]["counts"]
        assert size == [row["height"], row["width"]]
        built = rle.decode({"size": size, "counts": counts.encode()})
        assert np.array_equal(built, reader.mask(annotation))
        masks += 1
    assert masks


def test_areas_are_the_owners(case):
    areas = [(region["area"], annotation["area"]) for _, region, annotation, _ in pairs(case)]
    assert [area for area, _ in areas] == [np.float32(stated) for _, stated in areas]
    assert len(set(areas)) > 1


def test_category_names_agree(case):
    for _, region, annotation, reader in pairs(case):
        assert region["category"] == reader.names[annotation["category_id"]]


def test_answers_name_the_regions_that_were_asked_about(case):
    splits, output = case
    names = {
        region_id: reader.names[annotation["category_id"]]
        for reader in splits.values()
        for region_id, annotation in reader.kept.items()
    }
    asked = []
    for row in output.rows():
        turns = [message["content"] for message in row["messages"]]
        for question, answer in zip(turns[::2], turns[1::2], strict=True):
            (number,) = re.findall(r"<region(\d+)>", question)
            asked.append(row["regions"][int(number) - 1]["region_id"])
            assert answer == names[asked[-1]]
    assert sorted(asked) == sorted(names)


def test_counts_agree_reason_by_reason(case):
    splits, output = case
    rejected: Counter[tuple[str, str]] = sum((r.rejected for r in splits.values()), Counter())
    ledger = output.ledger()
    assert output.booked(ledger, "rejected") == rejected
    assert not output.sampled_out()
    assert rejected["annotation", "crowd"] or len(splits) == 1
    for split, reader in splits.items():
        stages = ledger.sources["coco"][split]
        assert stages["read"]["image"].read == len(reader.images)
        assert stages["read"]["annotation"].read == len(reader.coco.anns)
        assert stages["write"]["image"].kept == len(reader.described)
        assert stages["write"]["annotation"].kept == len(reader.kept)


def test_the_card_counts_the_same(case):
    splits, output = case
    for split, reader in splits.items():
        assert output.manifest().rows("coco", split) == len(reader.described)
