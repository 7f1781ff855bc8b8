"""A captioner without a model: it makes sentences from boxes, class names and measured pixels.

The captioner needs no server and states measured facts only: the position and size of a box, its
position relative to the nearest boxes, and the dominant color of its pixels (without the pixels of
other boxes, as long as enough remain). It reads annotations, not prompts. An example:

    The red mug is in the lower left of the picture and takes up less than a tenth of it. It looks
    mainly red. It is about as wide as tall. It lies to the left of the plate.
"""

from collections import Counter
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from pipelines.recap.captioning.captioner import AnnotatedRegion, Answer, CaptionTarget, Request
from pipelines.recap.captioning.colours import Colour, outside, outstanding, sampled
from pipelines.recap.captioning.positions import distance, gaps, holds, position_in
from schemas.geometry import Box
from transforms.crop import SHOWN_SIDE, window

_MAX_KINDS = 8  # kinds of objects named in an image's caption; others are counted
_MAX_NEIGHBOURS = 2  # other boxes named in a region's caption
_MIN_FREE = 0.3  # share of a box outside other boxes from which the overlap is left out
_OBLONG = 1.5  # ratio of the longer to the shorter side of an oblong box

# Phrases by the minimum share of the picture that a box covers, largest first.
_SHARES = (
    (0.5, "more than half of it"),
    (0.25, "between a quarter and a half of it"),
    (0.1, "between a tenth and a quarter of it"),
    (0.02, "less than a tenth of it"),
    (0.0, "less than a fiftieth of it"),
)
_MIXED = "muted or mixed"


class BuiltinCaptioner:
    """A captioner that makes its answers from the annotations and pixels of an image."""

    def __init__(self, context: float = 0.0) -> None:
        """Make a captioner; `context` is the margin of the crops, as a share of a box's sides."""
        self._context = context

    async def ask(self, request: Request) -> Answer:
        """Return a caption of the request's region, or of the whole image if that is the target."""
        image = await request.load_image()
        target = image.target
        assert image.jpeg is not None
        assert target is not None, "it reads annotations"
        with Image.open(BytesIO(image.jpeg)) as opened:
            picture = sampled(opened.convert("RGB"))
        if target.region is None:
            return Answer(" ".join(_sentences_of_image(target, outstanding(picture))))
        others = _others(target, target.region)
        colour = self._colour(picture, target, target.region, others)
        return Answer(" ".join(_sentences_of_region(target, target.region, others, colour)))

    async def close(self) -> None:
        """Do nothing, since this captioner holds no connection."""

    def _colour(
        self,
        crop: Image.Image,
        target: CaptionTarget,
        region: AnnotatedRegion,
        others: Sequence[AnnotatedRegion],
    ) -> Colour | None:
        """Return the dominant color of a region's pixels in its crop, or None."""
        size = target.width, target.height
        x0, y0, x1, y1 = window(region.bbox, self._context, *size, SHOWN_SIDE)
        across, down = crop.width / (x1 - x0), crop.height / (y1 - y0)

        def shown(box: Box) -> Box:
            left, right = (box[0] - x0) * across, (box[2] - x0) * across
            return left, (box[1] - y0) * down, right, (box[3] - y0) * down

        inside = ~outside(crop.size, [shown(region.bbox)])
        free = inside & outside(crop.size, [shown(other.bbox) for other in others])
        return outstanding(crop, free if free.sum() >= _MIN_FREE * inside.sum() else inside)


def _sentences_of_image(target: CaptionTarget, colour: Colour | None) -> list[str]:
    regions = target.regions
    if not regions:
        return ["No object is marked in the picture."]
    counts = sorted(
        Counter(region.category for region in regions).items(), key=lambda item: (-item[1], item[0])
    )
    kinds = [name if count == 1 else f"{name} ({count})" for name, count in counts[:_MAX_KINDS]]
    if rest := sum(count for _, count in counts[_MAX_KINDS:]):
        kinds.append(f"{rest} more")
    objects = "object" if len(regions) == 1 else "objects"
    sentences = [f"The picture shows {len(regions)} marked {objects}: {_listed(kinds)}."]
    largest = max(regions, key=lambda region: _area(region.bbox))
    if len(regions) > 1 and _leads(largest, regions):
        position = position_in(target, largest.bbox)
        sentences.append(f"The largest object is the {largest.category} {position}.")
    colours = f"{colour.name} stands out" if colour else f"the colors are {_MIXED}"
    return [*sentences, f"In the picture as a whole, {colours}."]


def _sentences_of_region(
    target: CaptionTarget,
    region: AnnotatedRegion,
    others: Sequence[AnnotatedRegion],
    colour: Colour | None,
) -> list[str]:
    share = _area(region.bbox) / (target.width * target.height)
    part = next(words for minimum, words in _SHARES if share >= minimum)
    position = position_in(target, region.bbox)
    return [
        f"The {region.category} is {position} of the picture and takes up {part}.",
        _hue(colour),
        f"It is {_form(region.bbox)}.",
        *_size(region, others),
        *_relations(region, others),
    ]


def _hue(colour: Colour | None) -> str:
    if colour is None:
        return f"The colors within its bounds are {_MIXED}."
    # A color of less than half of a box may be the color of the object's surroundings.
    mainly = f"It looks mainly {colour.name}."
    return mainly if colour.prevails else f"Within its bounds, {colour.name} stands out."


def _form(box: Box) -> str:
    ratio = (box[2] - box[0]) / (box[3] - box[1])
    if ratio >= _OBLONG:
        return "clearly wider than tall"
    return "clearly taller than wide" if ratio <= 1 / _OBLONG else "about as wide as tall"


def _size(region: AnnotatedRegion, others: Sequence[AnnotatedRegion]) -> list[str]:
    if len(others) < 2:
        return []
    count = len(others) + 1
    if _leads(region, others):
        return [f"It is the largest of {count} marked objects."]
    if all(_area(region.bbox) < _area(other.bbox) for other in others):
        return [f"It is the smallest of {count} marked objects."]
    return []


def _relations(region: AnnotatedRegion, others: Sequence[AnnotatedRegion]) -> list[str]:
    nearest = sorted(
        others, key=lambda other: (distance(region.bbox, other.bbox), other.bbox, other.category)
    )
    relations = [_relation(region, other, others) for other in nearest[:_MAX_NEIGHBOURS]]
    return [f"It {' and '.join(dict.fromkeys(relations))}."] if relations else []


def _relation(
    region: AnnotatedRegion, other: AnnotatedRegion, others: Sequence[AnnotatedRegion]
) -> str:
    """Return the position of a region relative to another one: "lies above the plate"."""
    name = _noun(region, other, others)
    box, other_box = region.bbox, other.bbox
    across, down = gaps(box, other_box)
    if across < 0 and down < 0:
        if holds(other_box, box):
            return f"lies within the bounds of {name}"
        within = holds(box, other_box)
        return f"has {name} within its bounds" if within else f"overlaps the bounds of {name}"
    if across >= down:
        return f"lies to the {'left' if box[0] < other_box[0] else 'right'} of {name}"
    return f"lies {'above' if box[1] < other_box[1] else 'below'} {name}"


def _noun(
    region: AnnotatedRegion, other: AnnotatedRegion, others: Sequence[AnnotatedRegion]
) -> str:
    if other.category == region.category:
        return f"another {other.category}"
    alone = sum(each.category == other.category for each in others) == 1
    return f"{'the' if alone else 'one'} {other.category}"


def _others(target: CaptionTarget, region: AnnotatedRegion) -> list[AnnotatedRegion]:
    others = list(target.regions)
    if region in others:
        others.remove(region)
    return others


def _leads(region: AnnotatedRegion, regions: Sequence[AnnotatedRegion]) -> bool:
    """Return whether a region is larger than all other regions."""
    return all(_area(region.bbox) > _area(each.bbox) for each in regions if each is not region)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
