"""Whole records for the view of one at a time: picture, regions, conversation and facts."""

from dataclasses import dataclass

from PIL import Image

from pipelines.preview.record import (
    Piece,
    Record,
    ShownRegion,
    answers,
    pieces,
    record_facts,
    shown_regions,
)
from pipelines.report.outline import Outline, outline
from pipelines.report.pictures import Thumbnail, whole
from schemas.sample import MULTI_TASK


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a conversation, split at its placeholders."""

    role: str
    task: str  # of an assistant's message in a conversation of several tasks; else empty
    pieces: list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A record as its template shows it."""

    id: str
    task: str
    width: int  # of the stored image, pixels; 0: text only
    height: int
    picture: Thumbnail | None
    missing: str  # why there is no picture
    regions: list[ShownRegion]  # the large ones first, so that small ones are drawn on top
    outlines: dict[int, Outline]  # of masks, by the number of the region
    turns: list[Turn]
    answers: list[tuple[str, list[tuple[str, bool]]]]
    facts: dict[str, str]


def make_sample(record: Record, image: Image.Image | None, missing: str) -> Sample:
    """Return a record as its template shows it.

    Args:
        record: a row of a shard.
        image: the record's picture; None: it is not there.
        missing: why there is no picture.
    """
    regions = shown_regions(record)
    return Sample(
        id=record["id"],
        task=record["task"],
        width=record["width"] or 0,
        height=record["height"] or 0,
        picture=whole(image) if image else None,
        missing=missing,
        regions=sorted(regions, key=lambda region: (-region.box_area, region.number)),
        outlines={region.number: outline(region.mask) for region in regions if region.mask},
        turns=_turns(record, len(regions)),
        answers=answers(record),
        facts=record_facts(record),
    )


def _turns(record: Record, regions: int) -> list[Turn]:
    tasks = iter(record["turn_tasks"] if record["task"] == MULTI_TASK else ())
    return [
        Turn(
            message["role"],
            next(tasks, "") if message["role"] == "assistant" else "",
            pieces(message["content"], regions),
        )
        for message in record["messages"]
    ]
