"""Records on their way to a shard, without their pixels.

Messages follow the rules of the record: `<image>` occurs once, in the first user turn;
`<regionK>`, 1-based, stands for `regions[K - 1]`. Between stages an image travels with all its
conversations as one `Draft`; its pixels are read only by the writer.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Literal

import msgspec

from schemas.classes import KnownClasses
from schemas.geometry import Box
from schemas.item import AbsentExpression, Attribute, CaptionProvenance, Item, RegionCaption
from schemas.mask import Mask
from schemas.rejection import Kind
from schemas.text import storable

IMAGE_TOKEN = "<image>"
MAX_LISTED = 100  # category names that a prompt lists; of a longer set it gives only the name


def region_token(number: int) -> str:
    """Return the placeholder of a region, numbered from 1."""
    return f"<region{number}>"


class Task(StrEnum):
    """The tasks of assistant turns."""

    REGION_CLASSIFICATION = "region_classification"
    REGION_CAPTION = "region_caption"
    REGION_DETAILED_CAPTION = "region_detailed_caption"
    MULTI_REGION_CAPTION = "multi_region_caption"
    REGION_RELATIONSHIP = "region_relationship"
    REFERRING_EXPRESSION_COMPREHENSION = "referring_expression_comprehension"
    REGION_REASONING = "region_reasoning"
    IMAGE_CONVERSATION = "image_conversation"
    IMAGE_CAPTION = "image_caption"
    REGION_ATTRIBUTE = "region_attribute"
    REGION_YES_NO = "region_yes_no"
    REGION_COUNT = "region_count"
    MULTI_REGION_ANSWER = "multi_region_answer"


# The pixels that annotations are drawn in: as stored in the file, or upright, as EXIF turns them.
Frame = Literal["stored", "upright"]
MULTI_TASK = "multi_task"  # the task of a record with turns of several tasks


class Region(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A box of the record, with a mask if there is one."""

    region_id: str  # the owner's id
    bbox: Box  # xyxy, pixels, inside the image
    mask: Mask | None = None
    area: float | None = None  # the owner's, square pixels; independent of box and mask
    category: str | None = None  # the owner's spelling
    score: float | None = None  # a detector's confidence
    caption: str | None = None  # the detailed caption of conversations
    captions: tuple[RegionCaption, ...] = ()
    attributes: tuple[Attribute, ...] = ()


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The text and role of one turn."""

    role: Literal["system", "user", "assistant"]
    content: str


class Evaluation(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """The right answers of one thing that is asked, and the choices where there are some."""

    turn: int  # the assistant turn that answers, from 0
    position: int = 0  # the part of an answer about several regions, from 0
    item_id: str
    group: str
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    label: int | None = None


class Conversation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The conversation of a record, without the image."""

    id: str
    turn_tasks: tuple[Task, ...]  # one per assistant turn
    regions: tuple[Region, ...]
    messages: tuple[Message, ...]
    prompts: tuple[str, ...]  # ids of the wordings used, one per user turn
    evaluation: tuple[Evaluation, ...] = ()
    captioner: CaptionProvenance | None = None

    @property
    def task(self) -> str:
        """The task of all turns, or `multi_task` where tasks differ."""
        return str(self.turn_tasks[0]) if len(set(self.turn_tasks)) == 1 else MULTI_TASK


class ImageInfo(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An image's id, file, annotated size and licence."""

    source: str
    split: str
    image_id: str  # unique in its source and split
    file_name: str | None  # the owner's, checked to stay below its folder; None: text only
    folder: str  # the path of the file below the data root
    width: int | None  # as annotated, pixels; None: text only, or the owner states none
    height: int | None  # as annotated, pixels; None as for `width`
    size_bytes: int  # of the image file
    licence: str
    shards: int  # the number of shards of its split
    frame: Frame | None = None  # of its annotations, as stated by the user; None: by their size


class LabelSet(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A set of category names.

    Each image carries its set from stage to stage. So the names are one value, which all images of
    a split share once it is decoded.
    """

    name: str  # e.g. "COCO-80"
    listed: bytes  # `categories` in msgpack

    @classmethod
    def of(cls, name: str, categories: Sequence[str]) -> "LabelSet":
        """Return the set of categories in the owner's spelling, in the order of the owner's ids."""
        return cls(name, msgspec.msgpack.encode(tuple(map(storable, categories))))

    @property
    def categories(self) -> tuple[str, ...]:
        """The owner's spelling of each name, in the order of the owner's ids."""
        return _listed_names(self.listed)

    def brief(self) -> "LabelSet":
        """Return the set in the form stored with each image: a large set without its names."""
        return self if len(self.categories) <= MAX_LISTED else LabelSet.of(self.name, ())


@lru_cache(maxsize=64)
def _listed_names(listed: bytes) -> tuple[str, ...]:
    return msgspec.msgpack.decode(listed, type=tuple[str, ...])


class ScreenedImage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An image with its usable regions and items."""

    image: ImageInfo
    regions: tuple[Region, ...]
    items: tuple[Item, ...] = ()
    label_set: LabelSet | None = None  # `brief`
    # By region id: the JSON text of a COCO `segmentation`, for masks that are still to be made.
    segmentations: dict[str, bytes] = {}
    # Expressions of other images for questions without an answer, in an order by hash.
    absent: tuple[AbsentExpression, ...] = ()
    classes: KnownClasses | None = None  # None: no task needs them, or the owner states nothing


class Draft(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The conversations of one image, before its pixels are read."""

    image: ImageInfo
    conversations: tuple[Conversation, ...]
    items: tuple[tuple[Kind, str], ...] = ()  # of the conversations

    def region_ids(self) -> list[str]:
        """Return the ids of the regions in the conversations, each once."""
        ids = [region.region_id for talk in self.conversations for region in talk.regions]
        return ids if len(self.conversations) == 1 else list(dict.fromkeys(ids))
