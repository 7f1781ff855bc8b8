"""Sentences that refer to objects: what becomes of them, whichever form their owner gave them."""

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import rejection, rejections
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.refcoco.candidates import Candidates
from schemas.item import Expression
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, LabelSet
from schemas.source import Count, Entry, SourceImage, SourceRegion, SplitInput, Volume
from schemas.text import MAX_CHARACTERS


class Said(msgspec.Struct, frozen=True, gc=False):
    """A sentence as its owner wrote it."""

    id: str
    ref: str  # whose sentences all refer to one object
    region_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A split's images by COCO number: those that can be used, those taken, and the others."""

    usable: Mapping[ItemId, ImageInfo]
    chosen: Collection[ItemId]
    refused: Mapping[str, Rejected]  # by the number as text
    candidates: Candidates | None  # for the sentences about them; None: the owner's regions are

    def cause(self, number: ItemId) -> Rejected | None:
        """Return why an image is not used; None where it could have been."""
        if number in self.usable:
            return None
        if found := self.refused.get(str(number)):
            return Rejected(Reason.IMAGE_REJECTED, f"image {number}: {found.reason}")
        return Rejected(Reason.UNKNOWN_IMAGE, f"image_id {number} is not among the images")


def shards(
    split: SplitInput,
    images: Images,
    said: Mapping[ItemId, Sequence[Said]],
    *,
    regions: int,
    categories: int,
) -> int:
    """Return into how many shards a split goes; an image has a record for each round of sentences.

    Args:
        split: that is read.
        images: of the split.
        said: the sentences about each.
        regions: of all images that can be used.
        categories: of the regions.
    """
    if images.candidates is not None:
        taken = {int(number): images.usable[number] for number in images.chosen}
        return images.candidates.shards(taken, {number: len(said[number]) for number in taken})
    rounds = {
        number: max(Counter(one.region_id for one in said[number]).values())
        for number in images.chosen
    }
    records = sum(rounds.values())
    volume = Volume(
        images=records,
        regions=max(records, regions * len(images.chosen) // max(1, len(images.usable))),
        categories=categories,
        picture_bytes=sum(images.usable[number].size_bytes * rounds[number] for number in rounds),
    )
    return split.sizing.shards(volume)


def described_images(
    split: SplitInput,
    images: Images,
    said: Mapping[ItemId, Sequence[Said]],
    shards: int,
    regions_of: Callable[[ItemId], Generator[Entry, None, tuple[SourceRegion, ...]]],
    label_set: LabelSet | None,
) -> Iterator[Entry]:
    """Yield a part's images with their regions and sentences, and what becomes of other sentences.

    Beside candidates, only the regions are kept that a sentence is about.

    Args:
        split: whose part is wanted.
        images: of the whole split.
        said: the sentences of the whole split, by image.
        shards: into which the split goes.
        regions_of: yields what is refused of an image's regions, and returns the others.
        label_set: of the regions' categories, in brief.
    """
    candidates = images.candidates
    if candidates is not None and split.leads:
        yield from candidates.refused()
    owned = [number for number in images.usable if split.owns(str(number))]
    taken = [number for number in owned if number in images.chosen]
    yield Count(Kind.IMAGE, "sampled_out", len(owned) - len(taken))
    for number in taken:
        regions = yield from regions_of(number)
        if candidates is not None:
            referents = _referents(regions, said[number])
            yield Count(Kind.ANNOTATION, "sampled_out", len(regions) - len(referents))
            regions = referents + (yield from candidates.of(int(number)))
        # An evaluation asks about every sentence or compares with it, as published ones do.
        items = yield from _expressions(split, said[number], repeated=split.evaluation)
        image = replace(images.usable[number], shards=shards)
        yield SourceImage(image, regions, items, label_set)
    for number, sentences in said.items():
        if number in images.chosen or not split.owns(str(number)):
            continue
        if cause := images.cause(number):
            yield from rejections(split, Kind.SENTENCE, [(one.id, cause) for one in sentences])
        else:
            yield Count(Kind.SENTENCE, "sampled_out", len(sentences))


def _referents(
    regions: Sequence[SourceRegion], sentences: Sequence[Said]
) -> tuple[SourceRegion, ...]:
    spoken_of = {one.region_id for one in sentences}
    return tuple(region for region in regions if region.region_id in spoken_of)


def _expressions(
    split: SplitInput, sentences: Sequence[Said], *, repeated: bool
) -> Generator[Entry, None, tuple[Expression, ...]]:
    """Yield the sentences of an image that repeat others, and return the rest.

    Args:
        split: whose they are.
        sentences: about one image.
        repeated: return those as well that say the same of the same; only ids are told apart.
    """
    taken: dict[str, Expression] = {}
    told: dict[tuple[str, str, str], str] = {}
    for one in sorted(sentences, key=lambda one: (len(one.id), one.id, one.text)):
        words = " ".join(one.text[: MAX_CHARACTERS + 1].split())  # more is refused later on
        if one.id in taken:
            cause = Rejected(Reason.DUPLICATE_ID, f"id {one.id} stands more than once")
        elif not repeated and (first := told.get((one.ref, one.region_id, words))):
            cause = Rejected(Reason.DUPLICATE, f"{words[:80]!r} is said of it by {first} as well")
        else:
            told[one.ref, one.region_id, words] = one.id
            taken[one.id] = Expression(one.id, one.region_id, one.text)
            continue
        yield rejection(split, Kind.SENTENCE, one.id, cause)
    return tuple(taken.values())
