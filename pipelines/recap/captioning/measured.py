"""The checks of a caption by annotations and pixels: its subject, its places and its colours."""

import re
from collections.abc import Mapping, Sequence

from pipelines.recap.captioning.captioner import CaptionTarget
from pipelines.recap.captioning.colours import NAMES
from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recap.captioning.views import LazyImageView
from schemas.rejection import Reason, Rejected
from transforms.caption_colours import wrong_colour
from transforms.caption_names import described_other
from transforms.caption_places import Placed, wrong_place
from transforms.sentences import sentences

_NAMES_COLOUR = re.compile(rf"\b(?:{'|'.join(NAMES)})\b")


async def check_subject(caption: Captioned, position: int, view: LazyImageView) -> None:
    """Raise `Rejected` where a caption describes another annotated class than its region's.

    Args:
        caption: the caption.
        position: the region's position among those of its image.
        view: the picture, of which the annotations alone are used.
    """
    regions = (await view.target()).regions
    own = regions[position].category
    others = sorted({region.category for region in regions} - {own})
    if other := described_other(caption.text, own, others):
        what = f"describes {other!r} in place of {own!r}"
        raise Rejected(Reason.CAPTION_OTHER_CLASS, f"{what}; caption: {caption.text}")


async def contradictions(
    units: Sequence[str], position: int, region_id: str, view: LazyImageView
) -> Mapping[str, Rejected]:
    """Return why boxes or pixels contradict some units of a caption, by unit.

    Args:
        units: texts or sentences about a region.
        position: the region's position among those of its image.
        region_id: its id.
        view: the picture; its pixels are read only where a unit names a colour.

    Raises:
        PictureRefused: the picture cannot be used.
    """
    target = await view.target()
    placed = _placed(target, position)
    named = any(_NAMES_COLOUR.search(unit.lower()) for unit in units)
    shares = (await view.get()).regions[region_id].colours if named else {}
    contradictions = {unit: _contradiction(unit, placed, shares) for unit in units}
    return {unit: cause for unit, cause in contradictions.items() if cause is not None}


def _contradiction(unit: str, placed: Placed, shares: Mapping[str, float]) -> Rejected | None:
    for sentence in sentences(unit):
        if words := wrong_place(sentence, placed):
            what = f"says {words!r} of the box {', '.join(f'{side:.0f}' for side in placed.box)}"
            size = f"of a picture of {placed.width} x {placed.height} pixels"
            return Rejected(Reason.CAPTION_WRONG_PLACE, f"{what} {size}")
        if colour := wrong_colour(sentence, placed.class_name, shares):
            most = max(shares, key=lambda name: shares[name])
            seen = f"{shares[most]:.0%} of its pixels are {most}"
            return Rejected(Reason.CAPTION_WRONG_COLOUR, f"says {colour!r}, but {seen}")
    return None


def _placed(target: CaptionTarget, position: int) -> Placed:
    region = target.regions[position]
    others = [each for number, each in enumerate(target.regions) if number != position]
    return Placed(
        width=target.width,
        height=target.height,
        box=region.bbox,
        class_name=region.category,
        others=[(other.category, other.bbox) for other in others],
    )
