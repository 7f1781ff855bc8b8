"""Guard: no image that an evaluation is done on goes into a split to train on.

Data sets share pictures, under ids of their own. Each picture is compared by the one name it bears
in its data set: COCO's number, Visual Genome's id, the id of a Flickr photo. A picture that bears
another name elsewhere (Visual Genome's `coco_id`) is forbidden under all of its names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import SourceImage
from transforms.ledger import LedgerDoFn, StageLedger, booked, passed_on

Forbidden = Mapping[str, str]  # name of a picture to the evaluation that is done on it

_COCO_NAME = re.compile(r"(?:COCO_[a-z]+\d{4}_)?(\d{12})(?:\.\w+)?", re.ASCII)
_LAST_NUMBER = re.compile(r"\d+$", re.ASCII)
# V3Det's: two numbers of its own, then the photo, its secret, and the letter of a size.
_PHOTO_NAME = re.compile(r"\d+_\d+_(\d+)_[0-9a-f]+(?:_[a-z])?\.\w+", re.ASCII)


def coco_name(number: int | str) -> str:
    """Return the name of a picture of COCO, by its number, in every release the same."""
    return f"coco/{number}"


def visual_genome_name(image_id: int | str) -> str:
    """Return the name of a picture of Visual Genome by its id, or by its file with its end.

    The two need not agree. GQA's pictures are of the same ids.
    """
    return f"visual_genome/{image_id}"


def flickr_name(photo: int | str) -> str:
    """Return the name of a Flickr photo."""
    return f"flickr/{photo}"


def coco_file_name(path: str) -> str | None:
    """Return the name of the picture in a file called as COCO calls its own; None: it is not."""
    found = _COCO_NAME.fullmatch(path.rpartition("/")[2])
    return coco_name(int(found[1])) if found else None


def picture_name(owner: str, image: ImageInfo) -> str | None:
    """Return the name that a picture is known under beyond its own data set, if it has one.

    Args:
        owner: name of the source whose picture it is.
        image: with the owner's id and file name.
    """
    path = image.file_name
    if path is None:
        return None
    file = path.rpartition("/")[2]
    stem = file.rpartition(".")[0]
    match owner:
        case "coco" | "lvis" | "refcoco" | "refcoco_plus" | "refcocog":
            return coco_file_name(path)  # a user's own pictures may be COCO's under its names
        case "visual_genome":
            return visual_genome_name(image.image_id)
        case "flickr30k":
            return flickr_name(stem)
        case "v3det":
            found = _PHOTO_NAME.fullmatch(file)
            return flickr_name(found[1]) if found else None
        case "llava" if path.startswith("coco/"):
            number = _LAST_NUMBER.search(stem)
            return coco_name(int(number[0])) if number else None
        case "llava" if path.startswith("visual_genome/"):
            return visual_genome_name(file)
        case "llava" if path.startswith("gqa/") and stem.isdecimal():
            return visual_genome_name(stem)
    return None


def guard_image(
    source_image: SourceImage, owner: str, forbidden: Forbidden, ledger: StageLedger
) -> bool:
    """Tell whether an image may be trained on; what it takes along otherwise is sampled out.

    Args:
        source_image: the image.
        owner: name of the source whose picture it is.
        forbidden: names of pictures that are evaluated on.
        ledger: of the stage.
    """
    image = source_image.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(source_image.regions))
    ledger.items_read(image, source_image.items)
    name = picture_name(owner, image)
    if name is None or name not in forbidden:
        ledger.kept(image, Kind.IMAGE)
        ledger.kept(image, Kind.ANNOTATION, len(source_image.regions))
        ledger.items_kept(image, source_image.items)
        return True
    detail = f"it is {name}, of {forbidden[name]}; expected an image no evaluation is done on"
    ledger.reject(image, Kind.IMAGE, image.image_id, Rejected(Reason.EVALUATION_IMAGE, detail))
    ledger.sampled_out(image, Kind.ANNOTATION, len(source_image.regions))
    for item in source_image.items:
        ledger.sampled_out(image, item.kind)
    return False


class _GuardImages(LedgerDoFn):
    stage = Stage.GUARD

    def __init__(self, owners: Mapping[tuple[str, str], str], forbidden: Forbidden) -> None:
        self._owners = owners
        self._forbidden = forbidden

    def process(self, element: Sequence[SourceImage]) -> Iterator[Any]:
        yield [found for found in element if self._may_pass(found)]
        yield from self.settle()

    def _may_pass(self, source_image: SourceImage) -> bool:
        owner = self._owners.get((source_image.image.source, source_image.image.split))
        forbidden = {} if owner is None else self._forbidden
        return guard_image(source_image, owner or "", forbidden, self.ledger)


@dataclass
class GuardImages(beam.PTransform[PCollection[list[SourceImage]], Any]):
    """Batches of SourceImage -> the same without what is evaluated on; or all, where unguarded."""

    owners: Mapping[tuple[str, str], str]  # of the splits to train on, by source and split
    forbidden: Forbidden

    def expand(self, pcoll: PCollection[list[SourceImage]]) -> Any:
        """Apply `guard_image` to every image of a split to train on."""
        if not self.owners or not self.forbidden:
            return passed_on(pcoll)
        return pcoll | booked(_GuardImages(self.owners, self.forbidden))
