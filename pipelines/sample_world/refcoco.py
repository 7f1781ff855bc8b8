"""The sample world in the layouts of RefCOCO, RefCOCO+ and RefCOCOg: phrases for COCO's things.

    refcoco/refs(unc).p    refcoco+/refs(unc).p    refcocog/refs(umd).p    instances.json in each

Pictures are COCO's train2014. A phrase is true of one thing and of no other thing in the
picture. RefCOCO's phrases may name a place, RefCOCO+'s never do, RefCOCOg's are longer and relate a
thing to another. In testA all things are round, in testB no thing is. A `file_name` has the number
of the ref (RefCOCO, RefCOCO+) or of the annotation (RefCOCOg) and is no real file. `raw` is the
typed phrase, `sent` the cleaned one, without capitals and punctuation (in RefCOCOg kept as words).

Planted: every fifth ref has a phrase twice, under two sentence ids; some RefCOCOg phrases hold
a letter outside ASCII; `instances.json` has crowds and flat boxes, and no ref is about them. About
a picture with an EXIF turn, no phrase mentions left, right, top or bottom.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.sample_world import coco
from pipelines.sample_world.coco import ROUND, Picture, scattered
from pipelines.sample_world.instances import Instances, Record, write_instances
from pipelines.sample_world.python2 import pickled
from pipelines.sample_world.scene import Progress, World
from pipelines.sample_world.words import Words
from schemas.ids import rank

SENTENCES = 3  # per ref, at most
_REPEATING = 5  # one ref in this number has a phrase twice
_UNC = ("train", "train", "train", "val", "testA", "train", "train", "testB")
_UMD = ("train", "train", "train", "val", "test", "train", "train", "test")
_PUNCTUATION = re.compile(r"[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One of the three data sets: its folder, its pickle, and its kind of phrases."""

    folder: str
    split_by: str
    splits: tuple[str, ...]  # the splits of the pictures, in turn
    phrases: Callable[[Words, int], list[str]]  # returns all phrases that identify a thing
    by_annotation: bool = False  # RefCOCOg's file names and cleaning


def write_refcoco(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write `root/refcoco`, whose phrases may name places."""
    _write(root, world, REFCOCO, on_progress)


def write_refcoco_plus(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write `root/refcoco+`, whose phrases name no places."""
    _write(root, world, REFCOCO_PLUS, on_progress)


def write_refcocog(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write `root/refcocog`, whose phrases relate one thing to another."""
    _write(root, world, REFCOCOG, on_progress)


def _write(root: Path, world: World, edition: Edition, on_progress: Progress | None) -> None:
    images: list[Record] = []
    annotations: list[Record] = []
    refs: list[Record] = []
    train2014 = [p for p in coco.pictures(world) if p.splits[2014] == "train"]
    for position, picture in enumerate(train2014):
        picture_refs = _refs(picture, position, edition)
        if picture_refs:
            images.append(coco.image(picture, 2014))
            annotations += coco.annotations(picture)
            refs += picture_refs
        if on_progress:
            on_progress(position + 1, len(train2014))
    file = Instances(
        year=2014,
        images=sorted(images, key=scattered),
        annotations=sorted(annotations, key=scattered),
        categories=coco.categories(),
    )
    write_instances(root / edition.folder / "instances.json", file)
    refs.sort(key=lambda ref: rank("order", ref["ref_id"]))
    (root / edition.folder / f"refs({edition.split_by}).p").write_bytes(pickled(refs))


def _refs(picture: Picture, position: int, edition: Edition) -> list[Record]:
    """Return the refs of one picture; ids of refs grow by ten a picture, of sentences by fifty."""
    words = Words(scene=picture.scene, sides=picture.oddity != "turned")
    split = edition.splits[position % len(edition.splits)]
    refs: list[Record] = []
    for index, record in enumerate(coco.things(picture)):
        is_round = picture.scene.things[index].shape in ROUND
        if split in ("testA", "testB") and is_round != (split == "testA"):
            continue
        phrases = _chosen(edition.phrases(words, index), picture, index)
        if not phrases:
            continue
        ref_id = position * 10 + index + 1
        if ref_id % _REPEATING == 0:
            phrases.append(phrases[0])
        ending = record["id"] if edition.by_annotation else len(refs)
        stem = picture.file_name(2014).removesuffix(".jpg")
        sentences = [
            _sentence(phrase, position * 50 + index * 5 + k, edition)
            for k, phrase in enumerate(phrases)
        ]
        refs.append(
            {
                "sent_ids": [sentence["sent_id"] for sentence in sentences],
                "file_name": f"{stem}_{ending}.jpg",
                "ann_id": record["id"],
                "ref_id": ref_id,
                "image_id": picture.number,
                "split": split,
                "sentences": sentences,
                "category_id": record["category_id"],
            }
        )
    return refs


def _chosen(phrases: list[str], picture: Picture, index: int) -> list[str]:
    key = picture.number, index
    return sorted(phrases, key=lambda phrase: rank("sentence", *key, phrase))[:SENTENCES]


def _sentence(phrase: str, sent_id: int, edition: Edition) -> Record:
    """Return the record of a sentence, typed in one of several ways and cleaned."""
    if edition.by_annotation:
        raw = f"{phrase.capitalize()}." if sent_id % 2 else phrase
        sent = phrase.replace(",", " ,").lower()
    else:
        raw = (phrase, phrase.upper(), f"{phrase.capitalize()}.", phrase.replace(" on ", ", on "))[
            sent_id % 4
        ]
        sent = _PUNCTUATION.sub("", raw).lower()
    return {"tokens": sent.split(" "), "raw": raw, "sent_id": sent_id, "sent": sent}


def _with_places(words: Words, index: int) -> list[str]:
    return [str(each) for each in words.descriptions(index)]


def _without_places(words: Words, index: int) -> list[str]:
    return [str(each) for each in words.descriptions(index) if not each.position]


def _relating(words: Words, index: int) -> list[str]:
    """Return the relations of a thing, and two longer descriptions; every seventh has an "à".

    The second one compares the thing with no other and names no part of the picture.
    """
    ending = "in the picture, voilà" if index == 6 else "in the picture"
    coloured = [each for each in words.descriptions(index) if each.colour and not each.position]
    forms = (f"the only {{}} {ending}", f"the {{}} drawn on {words.scene.ground}")
    return words.related(index) + [form.format(each) for each in coloured[:1] for form in forms]


REFCOCO = Edition(folder="refcoco", split_by="unc", splits=_UNC, phrases=_with_places)
REFCOCO_PLUS = Edition(folder="refcoco+", split_by="unc", splits=_UNC, phrases=_without_places)
REFCOCOG = Edition(
    folder="refcocog", split_by="umd", splits=_UMD, phrases=_relating, by_annotation=True
)
