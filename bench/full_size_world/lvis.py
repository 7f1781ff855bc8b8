"""Data like LVIS' train split in full size: 1.27 million polygons in COCO's pictures."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.full_size_world import blobs, coco, prose
from bench.full_size_world.counts import scaled, write_json
from pipelines.sample_world.instances import HOST, LICENSES, Record
from pipelines.sample_world.scene import generator

IMAGES, BOXES, CATEGORIES = 100_170, 1_270_141, 1_203
NEGATIVES, NOT_ALL_BOXED = 9, 1  # maximum of listed categories per image
_DISTINCT = 20_000


def write_lvis(root: Path, scale: float) -> None:
    """Write data like LVIS' train split below `root/lvis`, scaled to a share of COCO's pictures."""
    images = scaled(IMAGES, scale)
    write_json(
        root / "lvis" / "lvis_v1_train.json",
        [
            b'{"info":{},"licenses":' + msgspec.json.encode(LICENSES) + b',"images":[',
            _images(images),
            b'],"annotations":[',
            _annotations(images, scaled(BOXES, scale)),
            b'],"categories":' + msgspec.json.encode(_categories()) + b"}",
        ],
    )


def _images(count: int) -> Iterator[bytes]:
    template = (
        b'{"id":%d,"coco_url":"%b/train2017/%b","width":%d,"height":%d,"license":1,'
        b'"flickr_url":"%b/photographs/%d_z.jpg","date_captured":"2013-11-14 17:02:52",'
        b'"neg_category_ids":%b,"not_exhaustive_category_ids":%b}'
    )
    drawn = generator("lvis lists", count).integers(1, CATEGORIES + 1, (count, NEGATIVES + 1))
    host = HOST.encode()
    sides = coco.frames(scaled(coco.IMAGES, count / IMAGES)).tolist()
    for number, row in enumerate(drawn.tolist(), start=1):
        lists = row[number % NEGATIVES : NEGATIVES], row[NEGATIVES:] if number % 6 == 0 else []
        absent, not_all = map(msgspec.json.encode, lists)
        name = coco.name_of(number).encode()
        place = host, name, *sides[number - 1], host, number
        yield template % (number, *place, absent, not_all)


def _annotations(images: int, count: int) -> Iterator[bytes]:
    template = b'{"id":%d,"image_id":%d,"category_id":%d,%b}'
    rng = generator("lvis", images)
    shapes = blobs.pool("lvis", blobs.LVIS, min(count, _DISTINCT))
    drawn = rng.integers(len(shapes), size=count).tolist()
    pictures = rng.integers(1, images + 1, size=count).tolist()
    categories = (prose.zipf("lvis categories", count, CATEGORIES) + 1).tolist()
    each = enumerate(zip(pictures, categories, drawn, strict=True), start=1)
    for number, (picture, category, shape) in each:
        yield template % (number, picture, category, shapes[shape])


def _categories() -> list[Record]:
    glosses = prose.phrases("lvis glosses", CATEGORIES, 10)
    return [
        {
            "id": number,
            "name": name.replace(" ", "_"),
            "synonyms": [name.replace(" ", "_")],
            "synset": f"{name.replace(' ', '_')}.n.01",
            "def": gloss,
            "frequency": "f" if number < 406 else "c" if number < 867 else "r",
            "image_count": 100,
            "instance_count": 1_000,
        }
        for number, (name, gloss) in enumerate(
            zip(prose.names(CATEGORIES), glosses, strict=True), start=1
        )
    ]
