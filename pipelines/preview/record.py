"""The parts of a record for display: placeholders apart from words."""

import re
from dataclasses import dataclass
from typing import Any

from schemas.colours import colour_of
from schemas.geometry import Box
from schemas.mask import Mask, RunLengths, from_run_lengths
from schemas.rejection import Rejected
from schemas.sample import region_token

Record = dict[str, Any]  # a row of a shard, as Python objects
Piece = str | int  # words, or `<image>`; or the number of a region

SCORES = ("score", "CLIP", "least CLIP", "judge")  # names of a region's scores, where shown

_MAX_CHOICES = 10  # choices shown in full; of more choices, only the right ones are shown

_PLACEHOLDER = re.compile(r"(<image>|<region\d+>)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRegion:
    """A region of a record, with the number of its placeholder."""

    number: int  # from 1
    name: str  # of its category; may be empty
    caption: str
    box: Box  # xyxy, pixels of the stored image
    scores: dict[str, str]  # those of `SCORES` that it has, with three decimals
    mask: Mask | None
    mask_share: str  # of the image, in percent; empty without a mask
    area: str  # the owner's, square pixels; empty where the owner states none
    attributes: str  # each as `name: value`
    further: list[tuple[str, str]]  # other captions: kind with scores, and text

    @property
    def colour(self) -> str:
        """The region's colour wherever it is shown, as #rrggbb."""
        return colour_of(self.number)

    @property
    def box_area(self) -> float:
        """The area of the region's box, square pixels."""
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


def shown_regions(record: Record) -> list[ShownRegion]:
    """Return the regions of a record, in order."""
    return [
        _shown_region(number, region, (record["height"], record["width"]))
        for number, region in enumerate(record["regions"], start=1)
    ]


def pieces(content: str, regions: int) -> list[Piece]:
    """Return a message split at its placeholders; placeholders of regions become numbers."""
    numbers = {region_token(number): number for number in range(1, regions + 1)}
    return [numbers.get(part, part) for part in _PLACEHOLDER.split(content) if part]


def answers(record: Record) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Return the name of each entry of an evaluation with its answers, each True if it is right.

    The answers are the choices, or else the references. Of many choices, such as the names of a
    label set, wrong choices are left out.
    """
    return [(entry_name(entry), _answers(entry)) for entry in record["evaluation"] or ()]


def entry_name(entry: Record) -> str:
    """Return the name of an entry of an evaluation: its turn and position, as they are stored."""
    return f"turn {entry['turn']}, position {entry['position']}"


def record_facts(record: Record) -> dict[str, str]:
    """Return the facts of a record other than its conversation and regions, by label."""
    names = ("id", "source", "split", "task", "licence", "image_hash")
    facts = {name: record[name] for name in names}
    if record["image"]:
        facts["image"] = f"{record['image']['path']}, {record['width']} × {record['height']}"
    facts |= record["provenance"] or {}
    for entry in record["evaluation"] or ():
        facts |= {f"{name} ({entry_name(entry)})": value for name, value in entry.items()}
    return {
        name.replace("_", " "): ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
        for name, value in facts.items()
        if value not in (None, [])
    }


def detailed_caption(region: Record) -> Record:
    """Return the entry of a region's detailed caption, with its scores; empty without one."""
    return next(iter(_captions(region, detailed=True)), {})


def _answers(entry: Record) -> list[tuple[str, bool]]:
    texts = entry["choices"] or ()
    choices = [(text, number == entry["label"]) for number, text in enumerate(texts)]
    if not choices:
        return [(text, True) for text in entry["references"] or ()]
    return [choice for choice in choices if choice[1] or len(choices) <= _MAX_CHOICES]


def _shown_region(number: int, region: Record, size: tuple[int | None, int | None]) -> ShownRegion:
    mask, share = _mask(region["mask"], size)
    return ShownRegion(
        number=number,
        name=region["category"] or "",
        caption=region["caption"] or "",
        box=tuple(region["bbox"]),
        scores=_scores(region),
        mask=mask,
        mask_share=share,
        area="" if region["area"] is None else f"{region['area']:.6g}",
        attributes=", ".join(f"{a['name']}: {a['value']}" for a in region["attributes"] or ()),
        further=list(map(_labelled, _captions(region, detailed=False))),
    )


def _captions(region: Record, *, detailed: bool) -> list[Record]:
    """Return the captions of a region that are its detailed caption, or those that are not."""
    texts = region["captions"] or ()
    return [text for text in texts if (text["text"] == region["caption"]) is detailed]


def _scores(region: Record) -> dict[str, str]:
    """Return the score of a region's detector, and those of its detailed caption."""
    return _named_scores(region["score"], detailed_caption(region))


def _named_scores(detected: float | None, caption: Record) -> dict[str, str]:
    values = (detected, *(caption.get(name) for name in ("clip", "clip_min", "judge")))
    named = zip(SCORES, values, strict=True)
    return {name: f"{value:.3f}" for name, value in named if value is not None}


def _labelled(caption: Record) -> tuple[str, str]:
    """Return a caption's kind with its scores, and its text."""
    scores = [f"{name} {score}" for name, score in _named_scores(None, caption).items()]
    return ", ".join([str(caption["kind"]), *scores]), str(caption["text"])


def _mask(stored: Record | None, size: tuple[int | None, int | None]) -> tuple[Mask | None, str]:
    """Return a region's mask and the mask's share of the image, after checking the run lengths."""
    height, width = size
    if stored is None or height is None or width is None:
        return None, ""
    try:
        run_lengths = RunLengths(tuple(stored["size"]), stored["counts"])
        mask = from_run_lengths(run_lengths, height, width)
    except Rejected:
        return None, "unreadable"
    return mask, f"{100 * mask.area() / (height * width):.3g}%"
