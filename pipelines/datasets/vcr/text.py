"""The conversion of VCR's tokens to readable English, with mentions of objects.

    ["Do", [1, 2], "belong", "in", [0], "'", "s", "well", "-", "kept", "garden", "?"]

A list of numbers stands for objects; punctuation stands by itself, apostrophes and hyphens
included. The blanks around a hyphen or an apostrophe are lost and are guessed from the words
next to it. Some annotators wrote the class after the number ("1person"): that is one mention.
"""

from collections.abc import Iterator, Sequence

from pipelines.datasets.coco.categories import COCO_NAMES
from prompts.detokenise import blanks_before
from schemas.item import Mention, Passage
from schemas.rejection import Reason, Rejected

Token = str | list[int]

# VCR writes COCO's names without their blanks.
SPACED = {name.replace(" ", ""): name for name in COCO_NAMES}


def spaced_name(category: str) -> str:
    """Return a class name with blanks between its words: `wine glass` for `wineglass`."""
    return SPACED.get(category, category)


def to_passage(tokens: Sequence[Token], categories: Sequence[str]) -> Passage:
    """Return a text with a mention for each object in it.

    Args:
        tokens: the tokens of the text; lists hold 0-based positions in `categories`.
        categories: the class of each object of the image; its position is the object's region id.

    Raises:
        Rejected: a list is empty, or names an object that the image does not have (`malformed`).
    """
    for token in tokens:
        if isinstance(token, list):
            _check_objects(token, len(categories))
    units = list(_units(tokens, categories))
    words = [unit if isinstance(unit, str) else "" for unit in units]
    pieces: list[str | Mention] = []
    text = ""
    for unit, blank in zip(units, blanks_before(words), strict=True):
        text += " " * blank
        if isinstance(unit, str):
            text += unit
            continue
        for part in _listed(unit, categories):
            if isinstance(part, Mention):
                pieces += [text, part] if text else [part]
                text = ""
            else:
                text += part
    return (*pieces, text) if text else tuple(pieces)


def _check_objects(objects: Sequence[int], count: int) -> None:
    if not objects:
        raise Rejected(Reason.MALFORMED, "a list of no objects in a text, expected one at least")
    for number in objects:
        if not 0 <= number < count:
            raise Rejected(
                Reason.MALFORMED, f"object {number} in a text, expected 0 to {count - 1}"
            )


def _units(tokens: Sequence[Token], categories: Sequence[str]) -> Iterator[Token]:
    """Yield the tokens, without class names that only repeat the object before them."""
    previous: Token = ""
    for token in tokens:
        doubled = (
            isinstance(token, str)
            and isinstance(previous, list)
            and len(previous) == 1
            and token.lower() == categories[previous[0]].lower()
        )
        if not doubled and token != "":
            yield token
        previous = token


def _listed(objects: Sequence[int], categories: Sequence[str]) -> Iterator[str | Mention]:
    distinct = list(dict.fromkeys(objects))
    for position, number in enumerate(distinct):
        if position:
            yield " and " if position == len(distinct) - 1 else ", "
        yield Mention(spaced_name(categories[number]), (str(number),))
