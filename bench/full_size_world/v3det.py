"""Data like V3Det's train split in full size: 13,204 categories, with a folder for each."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench.full_size_world import prose
from bench.full_size_world.counts import scaled, write_json
from bench.full_size_world.pictures import COMMON_FRAME, link_pictures
from pipelines.sample_world.instances import Record
from pipelines.sample_world.scene import generator

IMAGES, BOXES, CATEGORIES = 183_354, 1_357_377, 13_204
TWICE = 36  # number of names that two categories share
FOLDERS = 13_058  # categories with pictures
FRAME = (640, 480)  # width and height of the pictures in pixels


def write_v3det(root: Path, scale: float) -> None:
    """Write data like V3Det's train split below `root/v3det`, scaled to a share of the images."""
    folder, images = root / "v3det", scaled(IMAGES, scale)
    names = [_name(number) for number in range(1, images + 1)]
    link_pictures(folder / "plain", folder, ((name, FRAME) for name in names))
    write_json(
        folder / "annotations" / "v3det_2023_v1_train.json",
        [
            b'{"images":[',
            _images(names),
            b'],"annotations":[',
            _annotations(images, scaled(BOXES, scale)),
            b'],"categories":' + msgspec.json.encode(_categories()) + b"}",
        ],
    )


def _name(number: int) -> str:
    category = number * 7_919 % FOLDERS + 1  # a prime, so that a folder's pictures are far apart
    return f"images/n{category:08d}/{number % 97}_{category}_{number:011d}_c.jpg"


def _images(names: list[str]) -> Iterator[bytes]:
    template = b'{"id":%d,"file_name":"%b","height":%d,"width":%d}'
    for number, name in enumerate(names, start=1):
        yield template % (number, name.encode(), FRAME[1], FRAME[0])


def _annotations(images: int, count: int) -> Iterator[bytes]:
    """Yield annotations without ids, as in V3Det's documentation of the format."""
    template = (
        b'{"image_id":%d,"category_id":%d,"bbox":[%.1f,%.1f,%.1f,%.1f],"iscrowd":0,"area":%.2f}'
    )
    rng = generator("v3det", images)
    pictures = rng.integers(1, images + 1, size=count).tolist()
    categories = (prose.zipf("v3det", count, CATEGORIES) + 1).tolist()
    sizes = 8 + rng.random((count, 2)) ** 2 * (np.array(COMMON_FRAME) - 16)
    corners = rng.random((count, 2)) * (np.array(COMMON_FRAME) - sizes)
    boxes = np.hstack([corners, sizes]).round(1).tolist()
    for picture, category, (x, y, w, h) in zip(pictures, categories, boxes, strict=True):
        yield template % (picture, category, x, y, w, h, w * h)


def _categories() -> list[Record]:
    category_names = prose.names(CATEGORIES - TWICE)
    infos = prose.sentences("v3det categories", 4 * CATEGORIES, 14)
    return [
        {
            "id": number,
            "name": name,
            "name_zh": f"\u56fe\u5f62{number}",
            "cat_info": infos[number - 1 :: CATEGORIES][:1],
            "cat_info_gpt": infos[number - 1 :: CATEGORIES][1:2],
            "cat_info_gpt4": infos[number - 1 :: CATEGORIES][2:3],
            "cat_info_gpt4v": infos[number - 1 :: CATEGORIES][3:],
            "novel": number % 2 == 0,
            "exemplar_image": f"exemplar_images/{number}.jpg",
        }
        for number, name in enumerate([*category_names, *category_names[:TWICE]], start=1)
    ]
