"""Data sets in COCO's format: many real JPEGs, or as many annotations as COCO has.

The annotations are random polygons whose sizes and corner counts are distributed as in COCO. They
do not match the content of the pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.full_size_world.blobs import blobs
from bench.full_size_world.counts import scaled
from bench.full_size_world.pictures import FRAMES, link_pictures
from pipelines.sample_world.draw import add_grain, draw, jpeg_bytes
from pipelines.sample_world.instances import Instances, Record, image_record, write_instances
from pipelines.sample_world.scene import generator, make_scene
from pipelines.sample_world.shapes import COLOURS, SHAPES

IMAGES, BOXES = 118_287, 860_001  # numbers of train2017
DISTINCT_PHOTOS = 256
_BOXES_PER_PHOTO = 7.3
_ANNOTATIONS_AT_ONCE = 20_000

_NO_SUCH_ID = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # ids that COCO does not use
CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in _NO_SUCH_ID)


@dataclass(frozen=True, kw_only=True)
class CocoSet:
    """The annotation file and the picture folder of a data set in COCO's format."""

    annotations: Path
    pictures: Path


def write_photo_set(root: Path, count: int = 20_000, target_bytes: int = 110_000) -> CocoSet:
    """Write JPEGs of 640 x 480 pixels, as large as photographs' files, with 7.3 annotations each.

    A few hundred pictures are drawn, with grain for the wanted file size, and repeated. Each file
    still has unique bytes, since a JPEG comment segment holds the number of the picture.

    Args:
        root: the folder to write into; a finished data set of equal arguments is kept.
        count: number of pictures.
        target_bytes: mean size of a file, from 60,000 to 210,000 bytes.
    """
    made = CocoSet(annotations=root / "annotations.json", pictures=root / "images")
    parameters = {"photos": count, "bytes": target_bytes}
    if not _is_finished(root, parameters):
        _start(root)
        _write_photos(made.pictures, count, target_bytes)
        sides = np.tile(FRAMES[0], (count, 1))
        _write_annotations(made.annotations, sides, round(count * _BOXES_PER_PHOTO))
        _finish(root, parameters)
    return made


def write_annotation_set(root: Path, images: int = IMAGES, boxes: int = BOXES) -> CocoSet:
    """Write an annotation file of COCO train2017's size, in bounded memory.

    The file has about 420 MB; train2017's has 448 MB. Every picture in it exists, as a link to one
    of a few plain JPEGs with the picture's width and height.

    Args:
        root: the folder to write into; a finished data set of equal arguments is kept.
        images: number of pictures.
        boxes: number of annotations, each with one polygon and none a crowd.
    """
    made = CocoSet(annotations=root / "annotations.json", pictures=root / "images")
    parameters = {"images": images, "boxes": boxes}
    if not _is_finished(root, parameters):
        _start(root)
        _write_annotation_set(made, root / "plain", images, boxes)
        _finish(root, parameters)
    return made


def write_coco(root: Path, scale: float) -> None:
    """Write data like COCO's train2017 below `root/coco`, scaled to a share of the images."""
    folder = root / "coco"
    made = CocoSet(
        annotations=folder / "annotations" / "instances_train2017.json",
        pictures=folder / "train2017",
    )
    _write_annotation_set(made, folder / "plain", scaled(IMAGES, scale), scaled(BOXES, scale))


def frames(images: int) -> NDArray[np.int64]:
    """Return the widths and heights in pixels of all pictures, by number: (images, 2)."""
    kinds = generator("frames", images).integers(len(FRAMES), size=images)
    return np.array(FRAMES)[kinds]


def _write_annotation_set(made: CocoSet, plain: Path, images: int, boxes: int) -> None:
    sides = frames(images)
    numbered = enumerate(sides.tolist(), start=1)
    names = ((name_of(number), (width, height)) for number, (width, height) in numbered)
    link_pictures(plain, made.pictures, names)
    _write_annotations(made.annotations, sides, boxes)


def _is_finished(root: Path, parameters: dict[str, int]) -> bool:
    marker = root / "finished.json"
    return marker.exists() and msgspec.json.decode(marker.read_bytes()) == parameters


def _start(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "finished.json").unlink(missing_ok=True)


def _finish(root: Path, parameters: dict[str, int]) -> None:
    (root / "finished.json").write_bytes(msgspec.json.encode(parameters))


def name_of(number: int) -> str:
    """Return the file name of a picture in COCO 2017, e.g. `000000000139.jpg`."""
    return f"{number:012d}.jpg"


def _write_photos(folder: Path, count: int, target_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    strength = _fitting_grain([_photo(index) for index in range(4)], target_bytes)
    distinct = range(min(count, DISTINCT_PHOTOS))
    photos = [_grainy(_photo(index), strength, index) for index in distinct]
    for number in range(1, count + 1):
        photo = photos[number % len(photos)]
        (folder / name_of(number)).write_bytes(_with_comment(photo, b"picture %d" % number))


def _photo(index: int) -> Image.Image:
    width, height = FRAMES[0]
    return draw(make_scene(f"photo/{index}", width=width, height=height, things=7))


def _grainy(image: Image.Image, strength: float, index: int) -> bytes:
    return jpeg_bytes(add_grain(image, strength, generator("grain", index)))


def _fitting_grain(images: list[Image.Image], target_bytes: int) -> float:
    """Return the strength of grain for which the mean file size is nearest to the target."""
    low, high = 0.0, 64.0
    for _ in range(8):
        strength = (low + high) / 2
        weight = fmean(len(_grainy(image, strength, k)) for k, image in enumerate(images))
        low, high = (strength, high) if weight < target_bytes else (low, strength)
    return strength


def _with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """Return a JPEG file with a comment segment added after the header segment."""
    header_end = 4 + int.from_bytes(jpeg[4:6])
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return jpeg[:header_end] + segment + jpeg[header_end:]


def _write_annotations(path: Path, sides: NDArray[np.int64], boxes: int) -> None:
    """Write the annotation file of pictures with `sides` (n, 2): widths and heights in pixels."""
    images = (
        image_record(number, name_of(number), "train2017", (width, height))
        for number, (width, height) in enumerate(sides.tolist(), start=1)
    )
    contents = Instances(
        year=2017, images=images, annotations=_annotations(sides, boxes), categories=categories()
    )
    write_instances(path, contents)


def categories() -> list[Record]:
    """Return 80 category records with COCO's ids."""
    names = [(colour, shape) for shape in SHAPES for colour in COLOURS]
    return [
        {"supercategory": shape, "id": number, "name": f"{colour} {shape}"}
        for number, (colour, shape) in zip(CATEGORY_IDS, names, strict=False)
    ]


def _annotations(sides: NDArray[np.int64], boxes: int) -> Iterator[Record]:
    """Yield annotations of random pictures; low category ids are the most frequent."""
    for start in range(0, boxes, _ANNOTATIONS_AT_ONCE):
        rng = generator("annotations", start)
        count = min(_ANNOTATIONS_AT_ONCE, boxes - start)
        pictures = rng.integers(len(sides), size=count)
        favoured = (len(CATEGORY_IDS) * rng.random(count) ** 2).astype(np.int64)
        categories = np.array(CATEGORY_IDS)[favoured]
        numbers = range(start + 1, start + count + 1)
        labels = zip((pictures + 1).tolist(), categories.tolist(), numbers, strict=True)
        things = blobs(rng, sides[pictures])
        for blob, (picture, category, number) in zip(things, labels, strict=True):
            yield blob | {"iscrowd": 0, "image_id": picture, "category_id": category, "id": number}
