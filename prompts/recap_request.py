"""The requests of `recap`, made of wordings: about a whole image, and about each of its regions.

A request about a region is made of up to five parts, in this order: what the whole image shows and
what is wanted, in one of many wordings; the other regions, which are not to be described; what the
drawn marks are; and an ending, which says what an answer looks like.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prompts.recap import (
    ENDING,
    GLOBAL,
    REGION,
    REGION_ALONE,
    REGION_WITHOUT_CLASS,
    REGION_WITHOUT_GLOBAL,
    SETS,
)
from prompts.recap_given import GIVEN, GIVEN_SETS, GIVEN_WITHOUT_CLASS, NAME
from prompts.recap_marked import (
    ALSO_MARKED,
    ALSO_THERE,
    MARKED,
    MARKED_SETS,
    MARKED_WITHOUT_CLASS,
    MARKS,
    SCENE,
    STRUCTURED,
)
from prompts.wordings import WordingSet
from schemas.limits import MAX_TURN_CHARACTERS
from schemas.rejection import Rejected
from schemas.text import clean

Prompt = tuple[str, str]  # text, id of its wording

_PLACEHOLDER = re.compile("<(global|class|mark|region|others)>")
_ENDED = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRequest:
    """What a request about a region tells of it, and asks for."""

    global_caption: str | None = None  # the caption of the whole image; None: it is not told
    class_name: str | None = None  # in readable form; None: it is not named
    mark: int | None = None  # the region's number in the picture; None: a crop alone is sent
    given: bool = False  # the region is part of the request, beside the picture
    others: Sequence[str] = ()  # other regions in words: "3 (dog, on the left)"
    structured: bool = False  # whether an answer has several parts, as JSON


def request_sets(
    *,
    marked: bool = False,
    given: bool = False,
    neighbours: bool = False,
    structured: bool = False,
) -> tuple[WordingSet, ...]:
    """Return the sets of wordings that requests are made of.

    Args:
        marked: whether regions are marked in whole pictures.
        given: whether regions are part of requests, beside whole pictures.
        neighbours: whether other regions are named.
        structured: whether an answer about a region has several parts.
    """
    sets: tuple[WordingSet, ...] = (GLOBAL, *MARKED_SETS, MARKS) if marked else SETS
    sets = (GLOBAL, *GIVEN_SETS, SCENE) if given else sets
    also = ((ALSO_MARKED if marked else ALSO_THERE),) if neighbours else ()
    return (*sets, *also, ENDING, *((STRUCTURED,) if structured else ()))


def global_prompt(wordings: Mapping[str, WordingSet], position: int) -> Prompt:
    """Return the prompt about a whole image, and the id of its wording.

    Args:
        wordings: the sets of wordings in use, by name.
        position: the rank that chooses the wording.
    """
    wording, prompt = wordings[GLOBAL.name].choose(position)
    ending, _ = wordings[ENDING.name].choose(position)
    return f"{wording} {ending.replace('<subject>', 'the scene')}", prompt


def region_prompt(
    wordings: Mapping[str, WordingSet], position: int, request: RegionRequest
) -> Prompt:
    """Return the prompt about a region, and the id of its wording.

    Args:
        wordings: the sets of wordings in use, by name.
        position: the rank that chooses the wording.
        request: what the prompt tells and asks for.
    """
    texts = {"others": "; ".join(request.others), "region": NAME}
    if request.global_caption is not None:
        texts["global"] = _sentence(request.global_caption)
    if request.class_name is not None:
        texts["class"] = clean(request.class_name)
    if request.mark is not None:
        texts["mark"] = str(request.mark)
    main = _main_set(request)
    whole = main in MARKED_SETS or main in GIVEN_SETS
    scene = (SCENE,) if whole and "global" in texts else ()
    also = ((ALSO_MARKED if main in MARKED_SETS else ALSO_THERE),) if request.others else ()
    marks = (MARKS,) if main in MARKED_SETS else ()
    chosen = [wordings[each.name].choose(position)[0] for each in (*scene, main, *also, *marks)]
    last = STRUCTURED if request.structured else ENDING
    ending, _ = wordings[last.name].choose(position)
    # In one pass: no caption or name is taken for a placeholder. Clean as a whole, because a caption
    # and a name can make a tag together that neither holds alone.
    text = _PLACEHOLDER.sub(lambda match: texts[match[1]], " ".join(chosen))
    request_text = f"{text} {ending.replace('<subject>', 'the object')}"
    return clean(request_text, MAX_TURN_CHARACTERS), wordings[main.name].choose(position)[1]


def _main_set(request: RegionRequest) -> WordingSet:
    """Return the set that says what is wanted."""
    if request.given:
        return GIVEN_WITHOUT_CLASS if request.class_name is None else GIVEN
    if request.mark is not None:
        return MARKED_WITHOUT_CLASS if request.class_name is None else MARKED
    if request.global_caption is not None:
        return REGION_WITHOUT_CLASS if request.class_name is None else REGION
    return REGION_ALONE if request.class_name is None else REGION_WITHOUT_GLOBAL


def _sentence(caption: str) -> str:
    """Return a caption on one line, disarmed and with a full stop, for a sentence to follow."""
    try:
        line = clean(caption)
    except Rejected as cause:
        raise ValueError(f"a caption that cannot stand in a prompt: {cause}") from cause
    return line if _ENDED.search(line) else f"{line.rstrip(' ,;:-')}."
