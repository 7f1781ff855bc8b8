"""Data like RefCOCO's three editions in full size: refs in a pickle, boxes in COCO's format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.full_size_world import blobs, coco, prose
from bench.full_size_world.counts import scaled, write_json
from pipelines.sample_world.instances import LICENSES, Record, image_record
from pipelines.sample_world.python2 import PlainValue, pickled
from pipelines.sample_world.scene import generator

_DISTINCT = 20_000


@dataclass(frozen=True, kw_only=True)
class Edition:
    """An edition of RefCOCO: its numbers of refs, sentences, images and boxes, and its splits."""

    folder: str
    refs: int
    sentences: int
    images: int
    boxes: int
    split_by: str
    splits: tuple[str, ...]  # splits of consecutive pictures, repeated
    words: float  # mean number of words in a sentence


_UNC = (*("train",) * 17, "val", "testA", "testB")
_UMD = (*("train",) * 17, "val", "test", "test")
REFCOCO = Edition(
    folder="refcoco", refs=50_000, sentences=142_210, images=19_994, boxes=196_771,
    split_by="unc", splits=_UNC, words=3.6,
)  # fmt: skip
REFCOCO_PLUS = Edition(
    folder="refcoco+", refs=49_856, sentences=141_564, images=19_992, boxes=196_737,
    split_by="unc", splits=_UNC, words=3.5,
)  # fmt: skip
REFCOCOG = Edition(
    folder="refcocog", refs=49_822, sentences=95_010, images=25_799, boxes=208_960,
    split_by="umd", splits=_UMD, words=8.4,
)  # fmt: skip


def write_refcoco(root: Path, scale: float) -> None:
    """Write data like RefCOCO below `root/refcoco`, scaled to a share of COCO's pictures."""
    _write(root, REFCOCO, scale)


def write_refcoco_plus(root: Path, scale: float) -> None:
    """Write data like RefCOCO+ below `root/refcoco+`, scaled to a share of COCO's pictures."""
    _write(root, REFCOCO_PLUS, scale)


def write_refcocog(root: Path, scale: float) -> None:
    """Write data like RefCOCOg below `root/refcocog`, scaled to a share of COCO's pictures."""
    _write(root, REFCOCOG, scale)


def _write(root: Path, edition: Edition, scale: float) -> None:
    images, boxes = scaled(edition.images, scale), scaled(edition.boxes, scale)
    rng = generator(edition.folder, images)
    more = rng.integers(1, images + 1, size=boxes - images).tolist()
    owners = [*range(1, images + 1), *more]  # every image has a box
    categories = rng.choice(coco.CATEGORY_IDS, size=boxes).tolist()
    folder = root / edition.folder
    write_json(
        folder / "instances.json",
        [
            b'{"info":{},"licenses":' + msgspec.json.encode(LICENSES) + b',"images":[',
            _images(images, scale),
            b'],"annotations":[',
            _annotations(edition, owners, categories),
            b'],"categories":' + msgspec.json.encode(coco.categories()) + b"}",
        ],
    )
    count = min(scaled(edition.refs, scale), boxes)
    refs: list[PlainValue] = [
        ref | {"ann_id": k + 1, "image_id": owners[k], "category_id": categories[k]}
        for k, ref in enumerate(_refs(edition, owners[:count]))
    ]
    (folder / f"refs({edition.split_by}).p").write_bytes(pickled(refs))


def _images(count: int, scale: float) -> Iterator[bytes]:
    sides = coco.frames(scaled(coco.IMAGES, scale)).tolist()
    for number in range(1, count + 1):
        name = f"COCO_train2014_{coco.name_of(number)}"
        width, height = sides[number - 1]
        yield msgspec.json.encode(image_record(number, name, "train2014", (width, height)))


def _annotations(edition: Edition, owners: list[int], categories: list[int]) -> Iterator[bytes]:
    template = b'{"id":%d,"image_id":%d,"category_id":%d,"iscrowd":0,%b}'
    shapes = blobs.pool(edition.folder, blobs.COCO, min(len(owners), _DISTINCT))
    for k, (owner, category) in enumerate(zip(owners, categories, strict=True)):
        yield template % (k + 1, owner, category, shapes[k % len(shapes)])


def _refs(edition: Edition, owners: list[int]) -> Iterator[Record]:
    """Yield a ref for each given picture; all refs of a picture belong to one split."""
    rng = generator("refs", edition.folder, len(owners))
    counts = (1 + rng.poisson(edition.sentences / edition.refs - 1, len(owners))).tolist()
    said = iter(prose.phrases(f"refs {edition.folder}", sum(counts), edition.words))
    first = 0
    for number, (owner, count) in enumerate(zip(owners, counts, strict=True)):
        sentences: list[Record] = []
        for k in range(count):
            text = next(said)
            sent_id = first + k
            words = text.split(" ")
            sentences.append({"tokens": words, "raw": text, "sent_id": sent_id, "sent": text})
        yield {
            "sent_ids": list(range(first, first + count)),
            "file_name": f"COCO_train2014_{owner:012d}_{number % 19}.jpg",
            "ref_id": number,
            "split": edition.splits[owner % len(edition.splits)],
            "sentences": sentences,
        }
        first += count
