"""Items: an owner's sentences, relationships, questions and dialogues about an image.

An item refers to regions by their ids. Sources yield items as their owners wrote them; the screen
cleans their text and rejects items whose regions cannot be used.
"""

from collections.abc import Sequence
from itertools import chain
from typing import ClassVar, Literal

import msgspec

from schemas.rejection import Kind


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Words of a passage that refer to regions."""

    text: str
    region_ids: tuple[str, ...]


CaptionKind = Literal["phrase", "sentence", "paragraph"]

# Text in pieces; the pieces joined, with their blanks, are the owner's text.
Passage = tuple[str | Mention, ...]


class _Tagged(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """The base of items: encoded, an item names its class."""


class Expression(_Tagged, frozen=True, gc=False):
    """A phrase or sentence about one region."""

    id: str
    region_id: str
    text: str

    kind: ClassVar[Kind] = Kind.SENTENCE
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions."""
        return (self.region_id,)


class AbsentExpression(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An expression of another image, which is true of nothing in this image."""

    id: str  # the owner's id of the sentence
    text: str


class CaptionProvenance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The model and sampling parameters that wrote the captions of an image, and their scorers."""

    model: str
    sampling: str  # JSON
    global_caption: str | None = None
    judge_model: str | None = None
    scorer: str | None = None  # identity of the CLIP scorer; None: nothing was scored


class RegionCaption(msgspec.Struct, frozen=True, gc=False):
    """A text about a region that a captioner wrote, with its scores; None: not scored."""

    kind: CaptionKind
    text: str
    # CLIP similarity with the crop, -1 to 1: mean over sentences, weighted by their words.
    clip: float | None = None
    clip_min: float | None = None  # the same of the least similar sentence
    judge: float | None = None  # probability that all of the text is true


AttributeName = Literal["colour", "material", "shape", "state", "text", "attribute"]


class Attribute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A property of a region."""

    name: AttributeName  # `attribute`: the owner's own, of no stated sort
    value: str


class CaptionRef(_Tagged, frozen=True, gc=False):
    """A reference to the detailed caption of one region; its text is looked up later."""

    id: str
    region_id: str

    kind: ClassVar[Kind] = Kind.SENTENCE
    decides_sampling: ClassVar[bool] = False  # the item does not affect the choice of regions

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions."""
        return (self.region_id,)


class DetailedCaption(_Tagged, frozen=True, gc=False):
    """A detailed caption of one region that a captioner wrote."""

    id: str
    region_id: str
    text: str
    captions: tuple[RegionCaption, ...]  # all kept texts; `text` is one of them
    captioner: CaptionProvenance
    attributes: tuple[Attribute, ...] = ()

    kind: ClassVar[Kind] = Kind.SENTENCE
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions."""
        return (self.region_id,)


class RegionAttributes(_Tagged, frozen=True, gc=False):
    """The attributes of one region, as its owner wrote them."""

    id: str
    region_id: str
    attributes: tuple[Attribute, ...]

    kind: ClassVar[Kind] = Kind.ATTRIBUTE
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions."""
        return (self.region_id,)


class Relationship(_Tagged, frozen=True, gc=False):
    """A relationship of two regions: subject, predicate, object."""

    id: str
    subject_id: str
    predicate: str
    object_id: str

    kind: ClassVar[Kind] = Kind.RELATIONSHIP
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of both regions, subject first."""
        return (self.subject_id, self.object_id)


class GroundedCaption(_Tagged, frozen=True, gc=False):
    """A caption of the image with phrases that refer to regions."""

    id: str
    caption: Passage

    kind: ClassVar[Kind] = Kind.SENTENCE
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions, each once, in order of first mention."""
        return mentioned(self.caption)

    def phrases(self) -> list[Mention]:
        """Return the phrases that refer to regions, in order."""
        return [piece for piece in self.caption if isinstance(piece, Mention) and piece.region_ids]


class Choices(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Several passages, one of which is the right answer."""

    passages: tuple[Passage, ...]
    label: int  # the position of the right passage, from 0


class Question(_Tagged, frozen=True, gc=False):
    """A question about regions, with the right answer and the reason for it.

    The choices include the right one; only evaluations have choices, where the owner ships them.
    """

    id: str
    question: Passage
    answer: Passage
    rationale: Passage
    answers: Choices | None = None
    rationales: Choices | None = None

    kind: ClassVar[Kind] = Kind.QUESTION
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions, each once, in order of first mention."""
        passages = [self.question, self.answer, self.rationale]
        for choices in (self.answers, self.rationales):
            passages += choices.passages if choices else ()
        return mentioned(tuple(chain.from_iterable(passages)))


class Round(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request and its answer; `<image>` is not part of the text."""

    request: str
    answer: str


class Dialogue(_Tagged, frozen=True, gc=False):
    """A conversation about the image as a whole, or a text-only conversation."""

    id: str
    rounds: tuple[Round, ...]

    kind: ClassVar[Kind] = Kind.DIALOGUE
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return no ids: the text names no region."""
        return ()


class YesNoQuestion(_Tagged, frozen=True, gc=False):
    """A question about the image as a whole, answered by yes or no."""

    id: str
    text: str
    yes: bool  # the right answer

    kind: ClassVar[Kind] = Kind.QUESTION
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return no ids: the text names no region."""
        return ()


class RegionQuestion(_Tagged, frozen=True, gc=False):
    """A question about regions whose answer is scored: an option by its letter, or a sentence."""

    id: str
    group: str  # the name of the questions that are scored together
    question: Passage
    answer: Passage
    options: Choices | None = None  # lettered from A; the right one is the answer

    kind: ClassVar[Kind] = Kind.QUESTION
    decides_sampling: ClassVar[bool] = True

    def region_ids(self) -> tuple[str, ...]:
        """Return the ids of the item's regions, each once, in order of first mention."""
        options = self.options.passages if self.options else ()
        return mentioned(tuple(chain(self.question, *options, self.answer)))


Item = (
    Expression
    | CaptionRef
    | DetailedCaption
    | RegionAttributes
    | Relationship
    | GroundedCaption
    | Question
    | Dialogue
    | YesNoQuestion
    | RegionQuestion
)


def mentioned(passage: Passage) -> tuple[str, ...]:
    """Return the ids of a passage's regions, each once, in order of first mention."""
    return tuple(
        dict.fromkeys(
            region_id
            for piece in passage
            if isinstance(piece, Mention)
            for region_id in piece.region_ids
        )
    )


def plain_text(passage: Passage) -> str:
    """Return the passage as plain text."""
    return "".join(piece.text if isinstance(piece, Mention) else piece for piece in passage)


def kinds(items: Sequence[Item]) -> dict[Kind, int]:
    """Return the number of items of each kind."""
    counts: dict[Kind, int] = {}
    for item in items:
        counts[item.kind] = counts.get(item.kind, 0) + 1
    return counts
