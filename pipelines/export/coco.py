"""COCO's format of instances: pictures, annotations and categories in one file of JSON.

    {"info": {...},
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [79.5, 92.2, 240.5, 280.3],
                      "segmentation": {"size": [427, 640], "counts": "..."}, "area": 41023.5,
                      "iscrowd": 0, "region_id": "1043"}, ...],
     "images": [{"id": 1, "file_name": "images/coco/train/000000000009.jpg", "width": 640,
                 "height": 427, "license": 1}, ...],
     "categories": [{"id": 1, "name": "bowl"}, ...], "licenses": [{"id": 1, "name": "CC BY 4.0"}]}

`bbox` is x, y, width, height, in pixels of the picture; masks are COCO's compressed run lengths.
The ids of pictures and annotations count from 1, and so do those of categories, in the order in
which they first occur: records have the names of categories, not the owner's ids. A region that
several conversations are about is one annotation; `area` is the owner's, else the mask's, else the
box's. What a region has beyond that stands under our names for it.

Source: https://cocodataset.org/#format-data
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count, groupby
from typing import Any

import msgspec

from pipelines.export import losses
from pipelines.export.boxes import in_stored_pixels
from pipelines.export.losses import Record
from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.layout import exported_instances
from schemas.mask import Mask

LOST = frozenset({losses.CAPTIONS, losses.MESSAGES, losses.EVALUATION, losses.PROVENANCE})

_KEPT = ("region_id", "score", "caption", "attributes")


class _Ids(dict[str, int]):
    """Ids of names, from 1, in the order in which they are asked for."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self) + 1
        return self[name]

    def listed(self) -> list[dict[str, Any]]:
        """Return the names with their ids, as COCO's files list them."""
        return [{"id": number, "name": name} for name, number in self.items()]


def write(part: Part, target: Target) -> None:
    """Write a split; the annotations at once, the pictures after them, by way of a spool."""
    categories, licences = _Ids(), _Ids()
    annotation_ids = count(1)
    with (
        target.open(exported_instances(part.config, part.split)) as file,
        tempfile.TemporaryFile(dir=target.folder) as images,
    ):
        info = {"description": f"{part.config} / {part.split}, exported from a RegionForge build"}
        file.write(b'{"info":' + msgspec.json.encode(info) + b',\n"annotations":[')
        comma, image_comma = b"\n", b"\n"
        for image_id, (file_name, records) in enumerate(_by_image(part, target), start=1):
            image = _image(image_id, file_name, records[0], licences)
            images.write(image_comma + msgspec.json.encode(image))
            image_comma = b",\n"
            for region in _distinct(records, target):
                annotation = _annotation(region, image, categories[region["category"]])
                annotation["id"] = next(annotation_ids)
                file.write(comma + msgspec.json.encode(annotation))
                comma = b",\n"
        file.write(b'],\n"images":[')
        images.seek(0)
        shutil.copyfileobj(images, file)
        tables = {"categories": categories.listed(), "licenses": licences.listed()}
        for name, listed in tables.items():
            file.write(f'],\n"{name}":['.encode() + msgspec.json.encode(listed)[1:-1])
        file.write(b"]}\n")


def _by_image(part: Part, target: Target) -> Iterator[tuple[str, list[Record]]]:
    """Yield each picture's path with its records, which stand together in a shard."""
    pictured = (pair for pair in target.pictured(part.records()) if pair[1] is not None)
    for _, group in groupby(pictured, key=lambda pair: pair[0]["id"].rsplit("/", 2)[0]):
        (first, content), *others = group
        assert content is not None
        file_name = target.picture(first, content, part.config)
        yield file_name, [first, *(record for record, _ in others)]


def _image(image_id: int, file_name: str, record: Record, licences: _Ids) -> dict[str, Any]:
    return {
        "id": image_id,
        "file_name": file_name,
        "width": record["width"],
        "height": record["height"],
        "license": licences[record["licence"]],
    }


def _distinct(records: Iterable[Record], target: Target) -> Iterator[Record]:
    """Yield the regions of a picture that have a category, each once; count the others."""
    seen = set()
    for region in (region for record in records for region in record["regions"]):
        key = region["region_id"], tuple(region["bbox"]), region["category"]
        if key in seen:
            continue
        seen.add(key)
        if region["category"] is None:
            target.lost[losses.UNCLASSIFIED] += 1
        else:
            yield region


def _mask_area(mask: Record) -> int:
    height, width = mask["size"]
    return Mask(height=height, width=width, counts=mask["counts"]).area()


def _annotation(region: Record, image: Record, category: int) -> dict[str, Any]:
    x0, y0, x1, y1 = in_stored_pixels(tuple(region["bbox"]))
    width, height = round(x1 - x0, 3), round(y1 - y0, 3)
    area, mask = region["area"], region["mask"]
    if area is None:
        area = _mask_area(mask) if mask else width * height
    return {
        "image_id": image["id"],
        "category_id": category,
        "bbox": [x0, y0, width, height],
        **({"segmentation": mask} if mask else {}),
        "area": area,
        "iscrowd": 0,
        **{name: region[name] for name in _KEPT if region[name]},
    }
