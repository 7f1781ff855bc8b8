"""The picture of a case with the regions of its record, for a page that fetches nothing."""

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO

from model.errors import InputError
from model.picture import Picture, read_picture
from schemas.errors import RegionForgeError
from schemas.html import Html, element
from train.evaluation.answers import Answer, AskedRegion

PictureOf = Callable[[Answer], Picture | None]  # None: the record has no picture

_MAX_SIDE = 480  # pixels
_QUALITY = 80

# Colours that most people can distinguish; black text is readable on each.
_COLOURS = ("#ff6b6b", "#5aa9ff", "#ffd43b", "#4ade80", "#e58cff", "#ff9f45", "#34d8dc", "#c5e84d")


def colour(number: int) -> str:
    """Return the colour of a region by its number, from 1."""
    return _COLOURS[(number - 1) % len(_COLOURS)]


def figure(answer: Answer, picture_of: PictureOf) -> Html:
    """Return the picture with its regions, or the reason why it cannot be shown.

    The region that the entry is about has a thicker edge.
    """
    try:
        picture = picture_of(answer)
        if picture is None:
            return Html("")
        image = read_picture(picture)
    except (InputError, RegionForgeError) as error:
        return element("p", f"The picture cannot be shown: {error}", class_="absent")
    width, height = image.size
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    out = BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True)
    source = f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
    return element(
        "figure",
        element("img", src=source, alt="", width=image.width, height=image.height),
        element(
            "svg",
            *(_box(number, region, answer) for number, region in enumerate(answer.regions, 1)),
            viewBox=f"0 0 {width} {height}",
            preserveAspectRatio="none",
        ),
        *(_tag(number, region, (width, height)) for number, region in enumerate(answer.regions, 1)),
    )


def _box(number: int, region: AskedRegion, answer: Answer) -> Html:
    x0, y0, x1, y1 = region.bbox
    asked = "asked" if region.region_id == answer.item_id else ""
    return element(
        "rect",
        x=x0,
        y=y0,
        width=x1 - x0,
        height=y1 - y0,
        stroke=colour(number),
        class_=asked,
    )


def _tag(number: int, region: AskedRegion, size: tuple[int, int]) -> Html:
    left, top = (100 * value / side for value, side in zip(region.bbox[:2], size, strict=True))
    style = f"left:{left:.2f}%;top:{top:.2f}%;background:{colour(number)}"
    return element("b", str(number), style=style, title=region.category or "")
