"""Cards: what is judged at a glance, a crop beside its caption, or a picture beside its turns."""

from collections.abc import Iterator, Sequence

import msgspec
from PIL import Image

from pipelines.preview.record import Record, detailed_caption
from pipelines.report.choose import image_rank
from pipelines.report.pictures import Thumbnail, cut_out, small
from schemas.geometry import Box
from schemas.ids import image_of, rank
from schemas.rejection import RejectedCaption, Rejection

KEPT = "kept"
_TURNS = 4  # messages of a record on its card; the page of the record shows all

ShareBox = tuple[float, float, float, float]  # x, y, width, height; percent of the picture


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A caption of a region, kept or rejected, or a record without captions of regions."""

    rank: int  # by hash
    id: str  # the record's; of a rejected caption: source, split and image
    region: str  # the region's id; empty: the record as a whole
    source: str
    task: str
    outcome: str  # `KEPT`, or the reason code of the rejection
    category: str  # empty: none
    texts: list[str]  # the caption, or the first messages of the conversation
    note: str = ""  # why it was rejected; or what is not shown here
    clip: float | None = None  # CLIP similarity
    clip_min: float | None = None
    judge: float | None = None
    picture: Thumbnail | None = None
    missing: str = ""  # why there is no picture
    boxes: list[ShareBox] = []  # the regions of a record
    link: str = ""  # to the record's own view


def record_cards(
    record: Record, image: Image.Image | None, missing: str, link: str
) -> Iterator[Card]:
    """Yield a card for each detailed caption of a record, or else one for the record.

    Args:
        record: a row of a shard.
        image: the record's picture; None: it is not there.
        missing: why there is no picture.
        link: where the whole record is shown.
    """
    captioned = [region for region in record["regions"] or () if region["caption"] is not None]
    for region in captioned:
        scores = detailed_caption(region)
        yield Card(
            rank=rank("report", record["id"], region["region_id"]),
            id=record["id"],
            region=region["region_id"],
            source=record["source"],
            task=record["task"],
            outcome=KEPT,
            category=region["category"] or "",
            texts=[region["caption"]],
            clip=scores.get("clip"),
            clip_min=scores.get("clip_min"),
            judge=scores.get("judge"),
            picture=cut_out(image, tuple(region["bbox"])) if image else None,
            missing=missing,
            link=link,
        )
    if not captioned:
        yield _whole_record(record, image, missing, link)


def rejected_card(
    rejection: Rejection,
    caption: RejectedCaption,
    task: str,
    image: Image.Image | None,
    missing: str,
) -> Card:
    """Return the card of a rejected caption; see `record_cards`."""
    key = f"{rejection.source}/{rejection.split}/{caption.image}"
    usable = image is not None and _inside(caption.box, image)
    return Card(
        rank=rank("report", key, rejection.id),
        id=key,
        region=rejection.id,
        source=rejection.source,
        task=task,
        outcome=rejection.reason,
        category=caption.category or "",
        texts=[caption.text] if caption.text else [],
        note=rejection.detail.removesuffix(f"; caption: {caption.text}"),
        picture=cut_out(image, caption.box) if image is not None and usable else None,
        missing=missing if image is None else "its box lies outside this picture",
        clip=caption.clip,
        clip_min=caption.clip_min,
        judge=caption.judge,
    )


def _inside(box: Box, image: Image.Image) -> bool:
    x0, y0, x1, y1 = box
    return 0 <= x0 < x1 <= image.width and 0 <= y0 < y1 <= image.height


def _whole_record(record: Record, image: Image.Image | None, missing: str, link: str) -> Card:
    messages = record["messages"]
    further = len(messages) - _TURNS
    return Card(
        rank=image_rank(image_of(record["id"])),
        id=record["id"],
        region="",
        source=record["source"],
        task=record["task"],
        outcome=KEPT,
        category=_only_category(record["regions"] or ()),
        texts=[message["content"] for message in messages[:_TURNS]],
        note=f"and {further} further messages" if further > 0 else "",
        picture=small(image) if image else None,
        missing=missing,
        boxes=_shares(record) if image else [],
        link=link,
    )


def _only_category(regions: Sequence[Record]) -> str:
    names = {region["category"] or "" for region in regions}
    return names.pop() if len(names) == 1 else ""


def _shares(record: Record) -> list[ShareBox]:
    width, height = record["width"], record["height"]
    shares = []
    for region in record["regions"] or ():
        x0, y0, x1, y1 = region["bbox"]
        shares.append(
            (100 * x0 / width, 100 * y0 / height, 100 * (x1 - x0) / width, 100 * (y1 - y0) / height)
        )
    return shares
