"""The sample world in COCO's own layout: the editions 2014 and 2017 of the same pictures.

    coco/annotations/instances_{train,val}{2014,2017}.json
    coco/{train,val}2017/000000000123.jpg
    coco/{train,val}2014/COCO_train2014_000000000123.jpg

As in COCO, pictures and annotations keep their numbers from one edition to the other, val2017
is part of val2014, and the rest of val2014 is in train2017. Rare cases of COCO are planted at
fixed positions (`ODDITIES`, `CROWDED`), so that every world with oddities has them. Boxes and
polygons are in the frame of the stored pixels, also where an EXIF tag asks for the picture to be
turned.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pycocotools import mask as rle

from pipelines.sample_world.album import lay_out, picture_bytes
from pipelines.sample_world.instances import Instances, Record, image_record, write_instances
from pipelines.sample_world.scene import Progress, Scene, World
from pipelines.sample_world.shapes import SHAPES
from schemas.ids import rank
from schemas.mask import decode_counts

# By position in the world. All of ODDITIES lie in train2017; CROWDED counts modulo 8.
ODDITIES = {4: "empty", 20: "empty", 5: "flat", 21: "flat", 8: "grey", 12: "turned"}
CROWDED = (1, 7)

_IDS = (1, 2, 4, 7, 11, 13, 16, 27, 31, 44, 52, 64, 72, 84, 90)  # with gaps, as in COCO
CATEGORY_IDS = dict(zip(SHAPES, _IDS, strict=True))
ROUND = ("circle", "oval", "half circle", "crescent")
_ANGULAR = ("triangle", "square", "diamond", "pentagon", "hexagon")
_KEPT = 12_000  # pictures, as many as the largest world has


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: its COCO number, its split by edition, its scene, and its oddity if any."""

    number: int
    splits: dict[int, str]
    scene: Scene
    oddity: str

    def folder(self, year: int) -> str:
        """Return the folder of the picture in an edition, such as `train2017`."""
        return f"{self.splits[year]}{year}"

    def file_name(self, year: int) -> str:
        """Return the picture's file name in the folder of an edition."""
        prefix = f"COCO_{self.folder(year)}_" if year == 2014 else ""
        return f"{prefix}{self.number:012d}.jpg"


def pictures(world: World) -> Iterator[Picture]:
    """Yield all pictures in order of their numbers; every fourth is in val2017."""
    return (_picture(world, position) for position in range(world.pictures))


@lru_cache(_KEPT)
def _picture(world: World, position: int) -> Picture:
    """Return a picture; most data sets of a world are about the same ones, so they are kept."""
    number = 101 + 37 * position + rank("number", world.seed, position) % 37
    oddity = ODDITIES.get(position, "crowd" if position % 8 in CROWDED else "")
    oddity = oddity if world.look.odd else ""
    held_out = position % 4 == 3
    return Picture(
        number=number,
        splits={
            2014: "val" if held_out or position % 8 == 2 else "train",
            2017: "val" if held_out else "train",
        },
        scene=lay_out(f"coco/{world.seed}/{number}", oddity, look=world.look),
        oddity=oddity,
    )


def annotations(picture: Picture) -> list[Record]:
    """Return a picture's annotation records, the same in both editions; boxes are xywh, pixels."""
    records = things(picture)
    if picture.oddity == "flat":
        records.append(_flattened(records[-1]))
    return records


def things(picture: Picture) -> list[Record]:
    """Return an annotation record for each thing, in the order of the scene."""
    scene = picture.scene
    return [_record(picture.number, scene, index) for index in range(len(scene.things))]


def write_coco(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write four annotation files and four picture folders below `root/coco`."""
    images: dict[tuple[str, int], list[Record]] = defaultdict(list)
    boxes: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for done, picture in enumerate(pictures(world), start=1):
        _write_picture(root / "coco", picture)
        records = annotations(picture)
        for year, split in picture.splits.items():
            images[split, year].append(image(picture, year))
            boxes[split, year] += records
        if on_progress:
            on_progress(done, world.pictures)
    for split, year in images:
        file = Instances(
            year=year,
            images=sorted(images[split, year], key=scattered),
            annotations=sorted(boxes[split, year], key=scattered),
            categories=categories(),
        )
        write_instances(root / "coco" / "annotations" / f"instances_{split}{year}.json", file)


def categories() -> list[Record]:
    """Return COCO's category records of the classes that can be drawn."""
    return [
        {"supercategory": _supercategory(name), "id": number, "name": name}
        for name, number in CATEGORY_IDS.items()
    ]


def _supercategory(name: str) -> str:
    if name in ROUND:
        return "round"
    return "angular" if name in _ANGULAR else "symbol"


def image(picture: Picture, year: int) -> Record:
    """Return a picture's image record in an edition."""
    sides = (picture.scene.width, picture.scene.height)
    return image_record(picture.number, picture.file_name(year), picture.folder(year), sides)


def _record(number: int, scene: Scene, index: int) -> Record:
    """Return the annotation of a thing; a crowd gets a box of whole numbers, and run lengths."""
    thing, mask = scene.things[index], scene.mask(index)
    category = CATEGORY_IDS[thing.shape]
    segmentation: Any = [part.ravel().tolist() for part in thing.parts]
    x0, y0, x1, y1 = thing.box
    box: list[float] = [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]
    if thing.crowd:
        segmentation = {"counts": decode_counts(mask["counts"].decode()), "size": mask["size"]}
        box = [int(side) for side in rle.toBbox(mask)]
    return {
        "segmentation": segmentation,
        "area": int(rle.area(mask)) if thing.crowd else float(rle.area(mask)),
        "iscrowd": int(thing.crowd),
        "image_id": number,
        "bbox": box,
        "category_id": category,
        "id": (9000 + category) * 10**8 + number if thing.crowd else number * 20 + index,
    }


def _flattened(record: Record) -> Record:
    """Return an annotation with a box of height 0 at the top-left corner of another box."""
    x, y, *_ = record["bbox"]
    right = round(x + 1.03, 2)
    return record | {
        "segmentation": [[x, y, x, y, right, y, right, y]],
        "area": 0.0,
        "bbox": [x, y, 1.03, 0.0],
        "id": record["id"] + 1,
    }


def _write_picture(coco: Path, picture: Picture) -> None:
    """Write the 2017 picture, and for 2014 a link to the file, or a copy where links fail."""
    paths = {year: coco / picture.folder(year) / picture.file_name(year) for year in picture.splits}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    paths[2017].write_bytes(picture_bytes(picture.scene, picture.oddity))
    try:
        paths[2014].hardlink_to(paths[2017])
    except OSError:
        shutil.copyfile(paths[2017], paths[2014])


def scattered(record: Record) -> int:
    """Return a sort key that puts records in an arbitrary order, as in the owner's files."""
    return rank("order", record["id"])
