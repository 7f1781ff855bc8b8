"""Sentences about objects and the images they belong to, in a form common to both file formats."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipelines.datasets.common.entries import rejection, rejections
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.candidates import Candidates
from schemas.item import AbsentExpression, Expression
from schemas.limits import MAX_TEXT_CHARACTERS
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SplitInput, Volume


class Sentence(msgspec.Struct, frozen=True, gc=False):
    """A sentence as its owner wrote it."""

    id: str
    ref: str  # the id of the ref; all sentences of a ref refer to one object
    region_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a split by COCO number: usable images, chosen images and refused images."""

    usable: Mapping[ItemId, ImageInfo]
    chosen: Collection[ItemId]
    refused: Collection[str]  # COCO numbers as text
    candidates: Candidates | None  # to match sentences with; None: the owner's regions
    # Returns expressions that are absent from an image, by its COCO number and its sentences.
    absent: Callable[[ItemId, Sequence[Expression]], tuple[AbsentExpression, ...]]


def shards(
    split: SplitInput,
    images: Images,
    sentences: Mapping[ItemId, Sequence[Sentence]],
    *,
    regions: int,
    categories: int,
) -> int:
    """Return the number of shards of a split.

    An image has a record for each sentence of the region with most sentences, and one for each
    choice among its regions; fewer where they are merged.

    Args:
        split: the split that is read.
        images: the images of the split.
        sentences: the sentences about each image.
        regions: the number of regions of all usable images.
        categories: the number of categories of these regions.
    """
    if images.candidates is not None:
        taken = {int(number): images.usable[number] for number in images.chosen}
        return images.candidates.shards(taken, {number: len(sentences[number]) for number in taken})
    by_image = {
        number: _records(sentences[number], split.sizing.choices) for number in images.chosen
    }
    records = sum(by_image.values())
    volume = Volume(
        images=records,
        regions=max(records, regions * len(images.chosen) // max(1, len(images.usable))),
        categories=categories,
        picture_bytes=sum(
            images.usable[number].size_bytes * by_image[number] for number in by_image
        ),
    )
    return split.sizing.shards(volume)


def _records(sentences: Sequence[Sentence], choices: float) -> int:
    """Return the number of records that an image's sentences make at most."""
    described = Counter(sentence.region_id for sentence in sentences)
    return max(described.values()) + round(len(sentences) * choices)


def unread(
    split: SplitInput, images: Images, sentences: Mapping[ItemId, Sequence[Sentence]]
) -> Iterator[Entry]:
    """Yield counts and rejections of a split's images that are not read, and of their sentences.

    Args:
        split: the split.
        images: the images of the whole split.
        sentences: the sentences of the whole split, by image.
    """
    if images.candidates is not None:
        yield from images.candidates.grouped.refused_entries(split)
    left_out = images.usable.keys() - images.chosen
    yield Count(Kind.IMAGE, "sampled_out", len(left_out))
    for image_number, unused in sentences.items():
        if image_number in images.chosen:
            continue
        if image_number in images.usable:
            yield Count(Kind.SENTENCE, "sampled_out", len(unused))
        elif str(image_number) in images.refused:
            yield Count(Kind.SENTENCE, "with_image", len(unused))
        else:
            detail = f"image_id {image_number} is not among the images"
            cause = Rejected(Reason.UNKNOWN_IMAGE, detail)
            yield from rejections(split, Kind.SENTENCE, [(item.id, cause) for item in unused])


def expressions(
    split: SplitInput, sentences: Sequence[Sentence]
) -> tuple[tuple[Expression, ...], list[Rejection]]:
    """Return the sentences of an image, and rejections of repeated ones.

    An evaluation uses every sentence, also repeated ones, as published evaluations do.
    """
    repeated = split.evaluation
    refused: list[Rejection] = []
    taken: dict[str, Expression] = {}
    first_ids: dict[tuple[str, str, str], str] = {}
    for sentence in sorted(sentences, key=_order):
        words = " ".join(sentence.text[: MAX_TEXT_CHARACTERS + 1].split())  # longer ones fail later
        if sentence.id in taken:
            cause = Rejected(Reason.DUPLICATE_ID, f"id {sentence.id} stands more than once")
        elif not repeated and (first := first_ids.get((sentence.ref, sentence.region_id, words))):
            cause = Rejected(Reason.DUPLICATE, f"{words[:80]!r} is said of it by {first} as well")
        else:
            first_ids[sentence.ref, sentence.region_id, words] = sentence.id
            taken[sentence.id] = Expression(sentence.id, sentence.region_id, sentence.text)
            continue
        refused.append(rejection(split, Kind.SENTENCE, sentence.id, cause))
    return tuple(taken.values()), refused


def _order(sentence: Sentence) -> tuple[int, str, str]:
    return len(sentence.id), sentence.id, sentence.text
