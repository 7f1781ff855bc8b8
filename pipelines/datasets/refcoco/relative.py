"""Relative expressions, which point at an object by a comparison with others of the same picture.

"left guy" or "the bigger one" fits some object of nearly every picture, so such an expression of
another picture could be true. `is_relative` knows them by their words: places in the picture, sizes
and other comparisons, numbers and ordinals, negations, words for what a picture shows or cuts off,
and words that name nothing ("thing"). Expressions of fewer than three words, which hardly say
anything ("red shirt"), count as relative.
"""

import re

MIN_WORDS = 3

_WORD = re.compile(r"[^\W_]+")
_COMPARED = (  # adjectives that compare, in any degree
    "big bright clean clear close dark deep fat full high large light long low near new old short"
    " skinny small straight tall thick thin tiny wide young"
)
_IRREGULAR = (
    "better best bigger biggest fatter fattest farther farthest further furthest least less more"
    " most skinnier skinniest thinner thinnest tinier tiniest worse worst"
)
_OTHERS = """
    left right lefty righty leftmost rightmost middle mid center centre centered central front back
    rear behind top bottom upper lower uppermost above below beneath under over up down far away
    side sides edge corner end beside next between foreground background forward outside inside
    outer inner opposite across towards toward facing horizontal vertical north south east west
    clock oclock clockwise
    first second third fourth fifth sixth seventh eighth ninth tenth last final
    one two three four five six seven eight nine ten both pair couple several all each every
    other others another else same only single alone main half part partial partially piece rest
    whole whichever any just
    little giant huge mini medium massive enormous size sized
    not no without nothing none dont doesnt isnt cant t
    picture pic photo image frame screen camera view viewer us me we you your i visible showing
    shown seen see hidden blurry blurred cut cropped
    row column line group bunch
    thing things object objects item items stuff something anything
"""


def _degrees(adjective: str) -> tuple[str, str, str]:
    stem = adjective.removesuffix("e")
    return adjective, f"{stem}er", f"{stem}est"


RELATIVE_WORDS = frozenset(
    [
        *(degree for adjective in _COMPARED.split() for degree in _degrees(adjective)),
        *_IRREGULAR.split(),
        *_OTHERS.split(),
    ]
)


def is_relative(text: str) -> bool:
    """Return whether an expression is relative, or too short to be distinguished from one.

    `man in front` and `red shirt` are, `a woman with a brown dog` is not.
    """
    words = _WORD.findall(text.lower())
    return len(words) < MIN_WORDS or any(
        word in RELATIVE_WORDS or word[0].isdigit() or word.endswith("most") for word in words
    )
