"""A captioner without a model: sentences that follow from boxes, class names and measured pixels.

It needs no server, and says nothing that it has not measured: where a box lies and how large it
is, how it lies to its nearest neighbours, and which color stands out among its pixels (those of
other boxes left out, as long as enough remain). It reads annotations, not prompts.
"""

from collections import Counter
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from pipelines.recap.captioning.captioner import Answer, Neighbour, Request, Subject
from pipelines.recap.captioning.colours import Colour, outside, outstanding, sampled
from pipelines.recipes.recap import BUILTIN_MODEL
from schemas.geometry import Box
from transforms.crop import window

KINDS = 8  # of objects named in the caption of an image; others are counted
NEIGHBOURS = 2  # named in the caption of a region
FREE = 0.3  # share of a box's pixels outside other boxes, for those to be left out
OBLONG = 1.5  # of one side to the other

# Thirds of the picture, in which the centre of a box lies: down, then across.
PLACES = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the middle", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)
# Share of the picture that a box covers at least, largest first.
SHARES = (
    (0.5, "more than half of it"),
    (0.25, "between a quarter and a half of it"),
    (0.1, "between a tenth and a quarter of it"),
    (0.02, "less than a tenth of it"),
    (0.0, "less than a fiftieth of it"),
)
MIXED = "muted or mixed"


class BuiltinCaptioner:
    """Answers requests from what they hold: see `Captioner`."""

    def __init__(self, context: float = 0.0) -> None:
        """Take the share of a box's sides that its crops show around it."""
        self._context = context

    @property
    def model(self) -> str:
        """What provenance calls it."""
        return BUILTIN_MODEL

    @property
    def sampling(self) -> dict[str, float | int | str]:
        """It does not sample."""
        return {}

    async def ask(self, request: Request) -> Answer:
        """Return a caption of the region, or of the image where no region is asked about."""
        subject = request.subject
        with Image.open(BytesIO(request.jpeg)) as opened:
            picture = sampled(opened.convert("RGB"))
        if subject.region is None:
            return Answer(" ".join(_of_image(subject, outstanding(picture))))
        others = _others(subject, subject.region)
        colour = self._colour(picture, subject, subject.region, others)
        return Answer(" ".join(_of_region(subject, subject.region, others, colour)))

    async def close(self) -> None:
        """Nothing is held."""

    def _colour(
        self,
        crop: Image.Image,
        subject: Subject,
        region: Neighbour,
        others: Sequence[Neighbour],
    ) -> Colour | None:
        """Return the color that stands out where the region lies in its crop."""
        x0, y0, x1, y1 = window(region.bbox, self._context, subject.width, subject.height)
        across, down = crop.width / (x1 - x0), crop.height / (y1 - y0)

        def shown(box: Box) -> Box:
            left, right = (box[0] - x0) * across, (box[2] - x0) * across
            return left, (box[1] - y0) * down, right, (box[3] - y0) * down

        own = ~outside(crop.size, [shown(region.bbox)])
        free = own & outside(crop.size, [shown(other.bbox) for other in others])
        return outstanding(crop, free if free.sum() >= FREE * own.sum() else own)


def _of_image(subject: Subject, colour: Colour | None) -> list[str]:
    regions = subject.regions
    if not regions:
        return ["No object is marked in the picture."]
    counts = sorted(
        Counter(region.category for region in regions).items(), key=lambda item: (-item[1], item[0])
    )
    kinds = [name if count == 1 else f"{name} ({count})" for name, count in counts[:KINDS]]
    if rest := sum(count for _, count in counts[KINDS:]):
        kinds.append(f"{rest} more")
    objects = "object" if len(regions) == 1 else "objects"
    sentences = [f"The picture shows {len(regions)} marked {objects}: {_listed(kinds)}."]
    largest = max(regions, key=lambda region: _area(region.bbox))
    if len(regions) > 1 and _leads(largest, regions):
        place = _place(largest.bbox, subject)
        sentences.append(f"The largest object is the {largest.category} {place}.")
    told = f"{colour.name} stands out" if colour else f"the colors are {MIXED}"
    return [*sentences, f"In the picture as a whole, {told}."]


def _of_region(
    subject: Subject, region: Neighbour, others: Sequence[Neighbour], colour: Colour | None
) -> list[str]:
    share = _area(region.bbox) / (subject.width * subject.height)
    part = next(words for least, words in SHARES if share >= least)
    place = _place(region.bbox, subject)
    return [
        f"The {region.category} is {place} of the picture and takes up {part}.",
        _hue(colour),
        f"It is {_form(region.bbox)}.",
        *_size(region, others),
        *_relations(region, others),
    ]


def _hue(colour: Colour | None) -> str:
    if colour is None:
        return f"The colors within its bounds are {MIXED}."
    # Less than half of a box may well be what lies around or before the object.
    mainly = f"It looks mainly {colour.name}."
    return mainly if colour.prevails else f"Within its bounds, {colour.name} stands out."


def _form(box: Box) -> str:
    ratio = (box[2] - box[0]) / (box[3] - box[1])
    if ratio >= OBLONG:
        return "clearly wider than tall"
    return "clearly taller than wide" if ratio <= 1 / OBLONG else "about as wide as tall"


def _size(region: Neighbour, others: Sequence[Neighbour]) -> list[str]:
    if len(others) < 2:
        return []
    count = len(others) + 1
    if _leads(region, others):
        return [f"It is the largest of {count} marked objects."]
    if all(_area(region.bbox) < _area(other.bbox) for other in others):
        return [f"It is the smallest of {count} marked objects."]
    return []


def _relations(region: Neighbour, others: Sequence[Neighbour]) -> list[str]:
    nearest = sorted(
        others, key=lambda other: (_distance(region.bbox, other.bbox), other.bbox, other.category)
    )
    told = [_relation(region, other, others) for other in nearest[:NEIGHBOURS]]
    return [f"It {' and '.join(dict.fromkeys(told))}."] if told else []


def _relation(region: Neighbour, other: Neighbour, others: Sequence[Neighbour]) -> str:
    """Return how a region lies to another one: what holds of the boxes."""
    name = _noun(region, other, others)
    one, two = region.bbox, other.bbox
    across, down = _gaps(one, two)
    if across < 0 and down < 0:
        if _holds(two, one):
            return f"lies within the bounds of {name}"
        return (
            f"has {name} within its bounds"
            if _holds(one, two)
            else f"overlaps the bounds of {name}"
        )
    if across >= down:
        return f"lies to the {'left' if one[0] < two[0] else 'right'} of {name}"
    return f"lies {'above' if one[1] < two[1] else 'below'} {name}"


def _noun(region: Neighbour, other: Neighbour, others: Sequence[Neighbour]) -> str:
    if other.category == region.category:
        return f"another {other.category}"
    alone = sum(each.category == other.category for each in others) == 1
    return f"{'the' if alone else 'one'} {other.category}"


def _others(subject: Subject, region: Neighbour) -> list[Neighbour]:
    others = list(subject.regions)
    if region in others:
        others.remove(region)
    return others


def _leads(region: Neighbour, regions: Sequence[Neighbour]) -> bool:
    """Tell whether a region is larger than all others."""
    return all(_area(region.bbox) > _area(each.bbox) for each in regions if each is not region)


def _place(box: Box, subject: Subject) -> str:
    across = int((box[0] + box[2]) / 2 / subject.width * 3)
    down = int((box[1] + box[3]) / 2 / subject.height * 3)
    return PLACES[min(down, 2)][min(across, 2)]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _gaps(one: Box, two: Box) -> tuple[float, float]:
    """Return how far boxes are apart, across and down; below 0 where they share an interval."""
    across = max(one[0], two[0]) - min(one[2], two[2])
    return across, max(one[1], two[1]) - min(one[3], two[3])


def _distance(one: Box, two: Box) -> float:
    """Return the squared distance of two boxes' centres."""
    across, down = one[0] + one[2] - two[0] - two[2], one[1] + one[3] - two[1] - two[3]
    return across * across + down * down


def _holds(outer: Box, inner: Box) -> bool:
    within = outer[0] <= inner[0] and outer[1] <= inner[1]
    return within and outer[2] >= inner[2] and outer[3] >= inner[3]


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
