"""Sentences about objects and the images they belong to, in a form common to both file formats."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import rejection, rejections
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.candidates import Candidates
from schemas.item import AbsentExpression, Expression
from schemas.limits import MAX_TEXT_CHARACTERS
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, LabelSet
from schemas.source import Count, Entry, SourceImage, SourceRegion, SplitInput, Volume


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


def described_images(
    split: SplitInput,
    images: Images,
    sentences: Mapping[ItemId, Sequence[Sentence]],
    shards: int,
    regions_of: Callable[[ItemId], Generator[Entry, None, tuple[SourceRegion, ...]]],
    label_set: LabelSet | None,
) -> Iterator[Entry]:
    """Yield a part's images with regions and sentences, and counts and rejections of the rest.

    An image with candidates keeps, of the owner's regions, only those that a sentence refers to.

    Args:
        split: the part that is read.
        images: the images of the whole split.
        sentences: the sentences of the whole split, by image.
        shards: the number of shards of the split.
        regions_of: yields rejections of an image's regions, and returns the other regions.
        label_set: the set of the regions' category names, as `LabelSet.brief` returns it.
    """
    candidates = images.candidates
    if candidates is not None and split.leads:
        yield from candidates.grouped.refused_entries(split)
    owned = [number for number in images.usable if split.owns(str(number))]
    taken = [number for number in owned if number in images.chosen]
    yield Count(Kind.IMAGE, "sampled_out", len(owned) - len(taken))
    for number in taken:
        regions = yield from regions_of(number)
        if candidates is not None:
            referents = yield from _referents(split, regions, sentences[number])
            regions = referents + (yield from candidates.of(int(number)))
        # An evaluation uses every sentence, also repeated ones, as published evaluations do.
        items = yield from _expressions(split, sentences[number], repeated=split.evaluation)
        image = replace(images.usable[number], shards=shards)
        absent = images.absent(number, items)
        yield SourceImage(image, regions, items, label_set, absent)
    for number, unused in sentences.items():
        if number in images.chosen or not split.owns(str(number)):
            continue
        if number in images.usable:
            yield Count(Kind.SENTENCE, "sampled_out", len(unused))
        elif str(number) in images.refused:
            yield Count(Kind.SENTENCE, "with_image", len(unused))
        else:
            cause = Rejected(Reason.UNKNOWN_IMAGE, f"image_id {number} is not among the images")
            yield from rejections(split, Kind.SENTENCE, [(item.id, cause) for item in unused])


def _referents(
    split: SplitInput, regions: Sequence[SourceRegion], sentences: Sequence[Sentence]
) -> Generator[Entry, None, tuple[SourceRegion, ...]]:
    """Yield rejections of regions that no sentence refers to, and return the other regions."""
    spoken_of = {sentence.region_id for sentence in sentences}
    cause = Rejected(Reason.NOT_USED, "no sentence is about it, and a detector's boxes are offered")
    others = [region.region_id for region in regions if region.region_id not in spoken_of]
    yield from rejections(split, Kind.ANNOTATION, [(name, cause) for name in others])
    return tuple(region for region in regions if region.region_id in spoken_of)


def _expressions(
    split: SplitInput, sentences: Sequence[Sentence], *, repeated: bool
) -> Generator[Entry, None, tuple[Expression, ...]]:
    """Yield rejections of repeated sentences of an image, and return the other sentences.

    Args:
        split: the split of the sentences.
        sentences: the sentences about one image.
        repeated: whether to keep sentences with the same words as another sentence of the ref.
    """
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
        yield rejection(split, Kind.SENTENCE, sentence.id, cause)
    return tuple(taken.values())


def _order(sentence: Sentence) -> tuple[int, str, str]:
    return len(sentence.id), sentence.id, sentence.text
