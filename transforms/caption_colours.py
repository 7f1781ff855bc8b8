"""The color that a sentence claims for its object, and whether measured pixels contradict it.

Only plain claims count ("a red cup", "The cup is red", "Its color is red"), and only where nearly
no pixel has the color, and few have one that may pass for it, while another one covers most of the
object.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from transforms.caption_names import own_names

_LEAST = 0.02  # share of an object's pixels that a claimed color has at least
_LEAST_ALIKE = 0.15  # the same of the claimed color and of all that may pass for it
_MOST = 0.5  # share of the pixels from which another color contradicts it

# What a measured color may be called as well, by the light or by whom.
ALIKE: Mapping[str, tuple[str, ...]] = {
    "red": ("pink", "orange", "brown", "purple"),
    "orange": ("red", "yellow", "brown"),
    "yellow": ("orange", "brown", "green"),
    "green": ("yellow", "turquoise"),
    "turquoise": ("green", "blue"),
    "blue": ("turquoise", "purple", "black"),
    "purple": ("blue", "pink", "red"),
    "pink": ("red", "purple", "orange"),
    "brown": ("red", "orange", "yellow", "black"),
    "black": ("brown", "blue"),
    "white": ("pink", "yellow"),
}
_COLOUR = f"(?P<color>{'|'.join(ALIKE)})"
_SHADE = r"(?:(?:mainly|mostly|entirely|all|bright|dark|light|deep|pale|vivid|solid|plain) )*"
_END = r"(?=$| ?[.,;:]| in colou?r| and (?:has|is|its)\b| all over)"


def wrong_colour(sentence: str, class_name: str, shares: Mapping[str, float]) -> str:
    """Return the color that a sentence claims and pixels contradict; else empty.

    Args:
        sentence: a sentence or phrase about an object.
        class_name: the object's class in readable form.
        shares: the share of its pixels that each color has, by the names of `ALIKE`; muted
            pixels, which have no name, are the rest.

    >>> wrong_colour("A red cup stands there.", "cup", {"blue": 0.9})
    'red'
    >>> wrong_colour("A red cup stands there.", "cup", {"blue": 0.9, "red": 0.05})
    ''
    """
    most = max(shares, key=lambda name: shares[name], default="")
    if not most or shares[most] < _MOST:
        return ""
    for color in _claimed(sentence.lower(), class_name):
        like = (color, *ALIKE[color])
        named, alike = shares.get(color, 0.0), sum(shares.get(name, 0.0) for name in like)
        if most not in like and named < _LEAST and alike < _LEAST_ALIKE:
            return color
    return ""


def _claimed(lower: str, class_name: str) -> Iterator[str]:
    # A class that is named by a color, such as a red panda, claims none.
    rest = lower if not re.search(_COLOUR, class_name.lower()) else ""
    for pattern in _claims(class_name):
        yield from (match["color"] for match in pattern.finditer(rest))


@lru_cache(maxsize=4096)
def _claims(class_name: str) -> tuple[re.Pattern[str], ...]:
    own = own_names(class_name)
    return (
        re.compile(rf"^(?:an?|the|this) (?:[^\W_]+,? ){{0,2}}?{_SHADE}{_COLOUR} {own}"),
        re.compile(rf"^(?:it|this|the {own}) is {_SHADE}{_COLOUR}{_END}"),
        re.compile(rf"^its colou?r is {_SHADE}{_COLOUR}{_END}"),
    )
