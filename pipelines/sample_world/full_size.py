"""Data of a real data set's size, for benchmarks: many pictures, or very many annotations.

Both are COCO-format files with a folder of pictures. The annotations are blobs with COCO's
spread of sizes and of polygon lengths, laid anywhere; they do not follow what is drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.sample_world.draw import add_grain, draw, jpeg_bytes
from pipelines.sample_world.instances import Instances, Record, image_record, write_instances
from pipelines.sample_world.scene import generator, make_scene
from pipelines.sample_world.shapes import COLOURS, SHAPES

FRAMES = ((640, 480), (480, 640), (640, 427), (500, 375), (640, 640))  # width, height; pixels
DISTINCT_PHOTOS = 256
BOXES_PER_PHOTO = 7.3
LINKS_PER_FILE = 60_000  # ext4 allows 65,000
ANNOTATIONS_AT_ONCE = 20_000

_NO_SUCH_ID = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # the gaps in COCO's 1 to 90
CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in _NO_SUCH_ID)


@dataclass(frozen=True, kw_only=True)
class CocoSet:
    """Where a data set in COCO's format lies."""

    annotations: Path
    pictures: Path


def write_photo_set(root: Path, count: int = 20_000, target_bytes: int = 110_000) -> CocoSet:
    """Write JPEGs of a photograph's weight, 640 x 480, with 7.3 annotations each on average.

    A few hundred pictures are drawn, with grain that gives them the wanted weight, and repeated.
    Each file has bytes of its own all the same: a JPEG comment segment holds its number.

    Args:
        root: the folder to write into. What an earlier call with equal arguments finished is kept.
        count: how many pictures.
        target_bytes: the mean size of a file; 60,000 to 210,000 can be reached.
    """
    made = CocoSet(annotations=root / "annotations.json", pictures=root / "images")
    parameters = {"photos": count, "bytes": target_bytes}
    if not _is_finished(root, parameters):
        _start(root)
        _write_photos(made.pictures, count, target_bytes)
        sides = np.tile(FRAMES[0], (count, 1))
        _write_annotations(made.annotations, sides, round(count * BOXES_PER_PHOTO))
        _finish(root, parameters)
    return made


def write_annotation_set(root: Path, images: int = 118_287, boxes: int = 860_001) -> CocoSet:
    """Write an annotation file of COCO train2017's size, in bounded memory.

    The file has about 420 MB, near to train2017's 448 MB. Every picture it names exists, as one
    of many links to a few plain JPEGs of its size.

    Args:
        root: the folder to write into. What an earlier call with equal arguments finished is kept.
        images: how many pictures.
        boxes: how many annotations, one polygon each and no crowds.
    """
    made = CocoSet(annotations=root / "annotations.json", pictures=root / "images")
    parameters = {"images": images, "boxes": boxes}
    if not _is_finished(root, parameters):
        _start(root)
        kinds = generator("frames", images).integers(len(FRAMES), size=images)
        _link_pictures(root, made.pictures, kinds)
        _write_annotations(made.annotations, np.array(FRAMES)[kinds], boxes)
        _finish(root, parameters)
    return made


def _is_finished(root: Path, parameters: dict[str, int]) -> bool:
    marker = root / "finished.json"
    return marker.exists() and msgspec.json.decode(marker.read_bytes()) == parameters


def _start(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "finished.json").unlink(missing_ok=True)


def _finish(root: Path, parameters: dict[str, int]) -> None:
    (root / "finished.json").write_bytes(msgspec.json.encode(parameters))


def _name(number: int) -> str:
    return f"{number:012d}.jpg"


def _write_photos(folder: Path, count: int, target_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    strength = _fitting_grain([_photo(index) for index in range(4)], target_bytes)
    distinct = range(min(count, DISTINCT_PHOTOS))
    photos = [_grainy(_photo(index), strength, index) for index in distinct]
    for number in range(1, count + 1):
        photo = photos[number % len(photos)]
        (folder / _name(number)).write_bytes(_with_comment(photo, b"picture %d" % number))


def _photo(index: int) -> Image.Image:
    width, height = FRAMES[0]
    return draw(make_scene(f"photo/{index}", width=width, height=height, things=7))


def _grainy(image: Image.Image, strength: float, index: int) -> bytes:
    return jpeg_bytes(add_grain(image, strength, generator("grain", index)))


def _fitting_grain(images: list[Image.Image], target_bytes: int) -> float:
    """Return the strength of grain with which the images weigh most nearly the wanted bytes."""
    low, high = 0.0, 64.0
    for _ in range(8):
        strength = (low + high) / 2
        weight = fmean(len(_grainy(image, strength, k)) for k, image in enumerate(images))
        low, high = (strength, high) if weight < target_bytes else (low, strength)
    return strength


def _with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """Return a JFIF file with a comment segment after its header segment."""
    header_end = 4 + int.from_bytes(jpeg[4:6])
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return jpeg[:header_end] + segment + jpeg[header_end:]


def _link_pictures(root: Path, folder: Path, kinds: NDArray[np.int64]) -> None:
    """Make picture `i + 1` a link to a plain JPEG of the frame `kinds[i]`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, kind in enumerate(kinds.tolist()):
        plain = root / f"plain_{kind}_{index // LINKS_PER_FILE}.jpg"
        if not plain.exists():
            plain.write_bytes(jpeg_bytes(Image.new("RGB", FRAMES[kind], "grey"), quality=20))
        link = folder / _name(index + 1)
        link.unlink(missing_ok=True)
        link.hardlink_to(plain)


def _write_annotations(path: Path, sides: NDArray[np.int64], boxes: int) -> None:
    """Write the file for pictures 1 to n of `sides` (n, 2): width, height in pixels."""
    images = (
        image_record(number, _name(number), "train2017", (width, height))
        for number, (width, height) in enumerate(sides.tolist(), start=1)
    )
    contents = Instances(
        year=2017, images=images, annotations=_annotations(sides, boxes), categories=_categories()
    )
    write_instances(path, contents)


def _categories() -> list[Record]:
    names = [(colour, shape) for shape in SHAPES for colour in COLOURS]
    return [
        {"supercategory": shape, "id": number, "name": f"{colour} {shape}"}
        for number, (colour, shape) in zip(CATEGORY_IDS, names, strict=False)
    ]


def _annotations(sides: NDArray[np.int64], boxes: int) -> Iterator[Record]:
    """Yield annotations in no order of pictures; low category ids are the most frequent."""
    for start in range(0, boxes, ANNOTATIONS_AT_ONCE):
        rng = generator("annotations", start)
        count = min(ANNOTATIONS_AT_ONCE, boxes - start)
        pictures = rng.integers(len(sides), size=count)
        favoured = (len(CATEGORY_IDS) * rng.random(count) ** 2).astype(np.int64)
        categories = np.array(CATEGORY_IDS)[favoured]
        numbers = range(start + 1, start + count + 1)
        labels = zip((pictures + 1).tolist(), categories.tolist(), numbers, strict=True)
        blobs = _blobs(rng, sides[pictures])
        for blob, (picture, category, number) in zip(blobs, labels, strict=True):
            yield blob | {"image_id": picture, "category_id": category, "id": number}


def _blobs(rng: np.random.Generator, sides: NDArray[np.int64]) -> Iterator[Record]:
    """Yield one ragged polygon for each row of `sides` (n, 2): width, height in pixels.

    Numbers per polygon have a mean near 47 and the root of the area a median near 42 pixels, as
    in COCO's files; larger things have longer polygons.
    """
    spread = rng.standard_normal((2, len(sides)))
    radii = np.exp(3.15 + 1.18 * spread[0]).clip(3, sides.min(axis=1) * 0.48)
    lengths = np.exp(2.96 + 0.66 * (0.6 * spread[0] + 0.8 * spread[1])).clip(4, 300).astype(int)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    owner = np.repeat(np.arange(len(sides)), lengths)
    angle = 2 * np.pi * (np.arange(ends[-1]) - starts[owner]) / lengths[owner]
    reach = radii[owner] * rng.normal(1, 0.12, ends[-1])
    centres = radii[:, None] + rng.random((len(sides), 2)) * (sides - 2 * radii[:, None])
    points = centres[owner] + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = points.clip(0, sides[owner]).round(2)
    yield from _records(points, starts, ends)


def _records(
    points: NDArray[np.float64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[Record]:
    """Yield box, area and polygon of each slice of `points` (N, 2): x, y in pixels."""
    following = np.roll(points, -1, axis=0)
    following[ends - 1] = points[starts]
    cross = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    areas = (np.abs(np.add.reduceat(cross, starts)) / 2).tolist()
    low = np.minimum.reduceat(points, starts)
    boxes = np.hstack([low, np.maximum.reduceat(points, starts) - low]).round(2).tolist()
    numbers = points.ravel().tolist()
    for area, box, start, end in zip(areas, boxes, starts.tolist(), ends.tolist(), strict=True):
        polygon = numbers[2 * start : 2 * end]
        yield {"segmentation": [polygon], "area": area, "iscrowd": 0, "bbox": box}
