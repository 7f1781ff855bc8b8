"""Data like Visual Genome 1.2 in full size: 5.4 million phrases, 2.3 million relationships."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.full_size_world import prose
from bench.full_size_world.counts import scaled, shared_out, starts_of, write_json, write_lines
from bench.full_size_world.pictures import COMMON_FRAME, link_pictures
from pipelines.sample_world.instances import HOST
from pipelines.sample_world.scene import generator

IMAGES, REGIONS, RELATIONSHIPS, OBJECTS = 108_077, 5_408_689, 2_316_104, 2_080_000
NAMES, PREDICATES = 9_000, 3_000
FRAME = (640, 480)  # width and height of the pictures in pixels
_DISTINCT_PHRASES = 400_000
_IMAGES_AT_ONCE = 5_000


def write_visual_genome(root: Path, scale: float) -> None:
    """Write three JSON files, a list of aliases, and pictures below `root/visual_genome`."""
    folder, images = root / "visual_genome", scaled(IMAGES, scale)
    paths = [_path(number) for number in range(1, images + 1)]
    link_pictures(folder / "plain", folder, ((path, FRAME) for path in paths))
    write_json(folder / "image_data.json", [b"[", _image_data(paths), b"]"])
    contents = {
        "region_descriptions": _regions(images, scaled(REGIONS, scale)),
        "relationships": _relationships(images, scaled(RELATIONSHIPS, scale)),
    }
    for name, records in contents.items():
        write_json(folder / f"{name}.json", [b"[", records, b"]"])
    groups = (f"{one},{one}s,{one} of".encode() for one in _predicates()[::3])
    write_lines(folder / "predicate_alias.txt", groups)


def _path(number: int) -> str:
    return f"VG_100K{'_2' if number % 2 else ''}/{number}.jpg"


def _image_data(paths: list[str]) -> Iterator[bytes]:
    template = (
        b'{"width":%d,"url":"%b/people/%b","height":%d,"image_id":%d,"coco_id":%b,"flickr_id":null}'
    )
    for number, path in enumerate(paths, start=1):
        coco_id = b"null" if number % 2 else b"%d" % number
        url = HOST.encode(), path.encode()
        yield template % (FRAME[0], *url, FRAME[1], number, coco_id)


def _regions(images: int, count: int) -> Iterator[bytes]:
    phrases = prose.phrases("vg", min(count, _DISTINCT_PHRASES), 5.3)
    said = [phrase.encode() for phrase in phrases]
    template = b'{"region_id":%d,"width":%d,"height":%d,"image_id":%d,"phrase":"%b","y":%d,"x":%d}'
    for first, counts in _by_image("vg regions", images, count):
        number = int(counts.sum())
        boxes = _boxes(f"vg regions {first}", number)
        drawn = generator("vg phrases", first).integers(len(said), size=number).tolist()
        owners = np.repeat(np.arange(first, first + len(counts)), counts).tolist()
        texts = [
            template % (first * 10_000 + k, w, h, owner, said[place], y, x)
            for k, (owner, place, (x, y, w, h)) in enumerate(zip(owners, drawn, boxes, strict=True))
        ]
        for place, part in enumerate(_parts(texts, counts), start=first):
            yield b'{"regions":[%b],"id":%d}' % (b",".join(part), place)


def _relationships(images: int, count: int) -> Iterator[bytes]:
    template = (
        b'{"predicate":"%b","object":%b,"relationship_id":%d,"synsets":["be.v.01"],"subject":%b}'
    )
    predicates = [name.encode() for name in _predicates()]
    per_relationship = OBJECTS / RELATIONSHIPS
    for first, counts in _by_image("vg relationships", images, count):
        number = int(counts.sum())
        objects = np.maximum(2, (counts * per_relationship).round().astype(np.int64))
        things = _objects(first, int(objects.sum()))
        rng = generator("vg ends", first)
        base, room = (np.repeat(of, counts) for of in (starts_of(objects), objects))
        subjects, steps = (rng.random((2, number)) * [room, room - 1]).astype(np.int64)
        targets = (subjects + 1 + steps) % room  # nothing is related to itself
        ends = (base + np.stack([targets, subjects])).tolist()
        kinds = prose.zipf(f"vg predicates {first}", number, len(predicates)).tolist()
        texts = [
            template % (predicates[kind], things[target], first * 1_000 + k, things[subject])
            for k, (kind, target, subject) in enumerate(zip(kinds, *ends, strict=True))
        ]
        for place, part in enumerate(_parts(texts, counts), start=first):
            yield b'{"relationships":[%b],"image_id":%d}' % (b",".join(part), place)


def _objects(first: int, number: int) -> list[bytes]:
    template = b'{"name":"%b","h":%d,"object_id":%d,"synsets":["%b.n.01"],"w":%d,"y":%d,"x":%d}'
    names = [name.encode() for name in prose.names(NAMES)]
    drawn = prose.zipf(f"vg objects {first}", number, NAMES).tolist()
    boxes = _boxes(f"vg objects {first}", number)
    return [
        template % (names[place], h, first * 1_000 + k, names[place], w, y, x)
        for k, (place, (x, y, w, h)) in enumerate(zip(drawn, boxes, strict=True))
    ]


def _predicates() -> list[str]:
    return list(dict.fromkeys(prose.phrases("vg predicates", PREDICATES, 1.6)))


def _by_image(key: str, images: int, total: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield slices of images: number of the first image, from 1, and items per image, (n,)."""
    counts = shared_out(generator(key), total, images)
    for start in range(0, images, _IMAGES_AT_ONCE):
        yield start + 1, counts[start : start + _IMAGES_AT_ONCE]


def _boxes(key: str, count: int) -> list[list[int]]:
    """Return random boxes as x, y, width and height in whole pixels."""
    rng = generator("boxes", key)
    sizes = 6 + rng.random((count, 2)) ** 2 * (np.array(COMMON_FRAME) - 12)
    corners = rng.random((count, 2)) * (np.array(COMMON_FRAME) - sizes)
    return np.hstack([corners, sizes]).astype(np.int64).tolist()


def _parts(texts: list[bytes], counts: NDArray[np.int64]) -> Iterator[list[bytes]]:
    """Yield the texts of each image, as consecutive slices of the given counts."""
    for start, count in zip(starts_of(counts).tolist(), counts.tolist(), strict=True):
        yield texts[start : start + count]
