"""The rules of a region's area, score, captions and attributes, and of the captions' models."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from schemas.item import AttributeName, CaptionKind

Row = Mapping[str, Any]

_KINDS = get_args(CaptionKind)
_ATTRIBUTES = get_args(AttributeName)
_ROUNDING = 2e-5  # scores have five decimals, so a mean may seem smaller than its smallest part
_RANGES = {"clip": (-1, 1), "clip_min": (-1, 1), "judge": (0, 1)}
_SCORERS = {"clip": "scorer", "judge": "judge_model"}  # a score, and its model in provenance


def label_problems(row: Row) -> Iterator[str]:
    """Yield the problems of the areas, scores, captions and attributes of a record's regions."""
    problems = [
        f"region {number}: {problem}"
        for number, region in enumerate(row["regions"], start=1)
        for problem in (
            *_numbers(region["area"], region["score"]),
            *caption_problems(region),
            *attribute_problems(region),
        )
    ]
    yield from problems or _models(row)


def caption_problems(region: Row) -> Iterator[str]:
    """Yield the problems of a region's `caption` and `captions`."""
    captions = region["captions"]
    if captions is None or None in captions:
        yield "captions are null or hold null, expected a list of captions"
        return
    for number, caption in enumerate(captions, start=1):
        yield from (f"captions[{number}]: {problem}" for problem in _caption(caption))
    texts = [caption["text"] for caption in captions]
    if region["caption"] is not None and texts and region["caption"] not in texts:
        yield f"caption is {region['caption'][:80]!r}, expected one of its captions"


def _caption(caption: Row) -> Iterator[str]:
    if caption["kind"] not in _KINDS:
        yield f"kind is {caption['kind']!r}, expected {', '.join(_KINDS)}"
    if not (caption["text"] or "").strip():
        yield "text is empty, expected a caption"
    for name, (least, most) in _RANGES.items():
        score = caption[name]
        if score is not None and not least <= score <= most:
            yield f"{name} is {score:g}, expected {least} to {most}"
    mean, minimum = caption["clip"], caption["clip_min"]
    if (mean is None) != (minimum is None):
        yield f"clip is {mean} and clip_min {minimum}, expected both or neither"
    elif mean is not None and minimum > mean + _ROUNDING:
        yield f"clip_min is {minimum:g}, expected at most clip, {mean:g}"


def _numbers(area: float | None, score: float | None) -> Iterator[str]:
    if area is not None and not 0 <= area < math.inf:
        yield f"area is {area:g}, expected a number of 0 or more"
    if score is not None and not 0 <= score <= 1:
        yield f"score is {score:g}, expected a detector's confidence, 0 to 1"


def attribute_problems(region: Row) -> Iterator[str]:
    """Yield the problems of a region's `attributes`."""
    attributes = region["attributes"]
    if attributes is None or None in attributes:
        yield "attributes are null or hold null, expected a list of attributes"
        return
    for number, attribute in enumerate(attributes, start=1):
        for name in ("name", "value"):
            if not (attribute[name] or "").strip():
                yield f"attributes[{number}]: {name} is empty, expected a text"
        if attribute["name"] and attribute["name"] not in _ATTRIBUTES:
            yield (
                f"attributes[{number}]: name is {attribute['name']!r}, expected "
                f"{', '.join(_ATTRIBUTES)}"
            )


def _models(row: Row) -> Iterator[str]:
    captions = [caption for region in row["regions"] for caption in region["captions"]]
    for score, model in _SCORERS.items():
        scored = any(caption[score] is not None for caption in captions)
        stated = row["provenance"][model]
        if scored and not stated:
            yield f"provenance.{model} is {stated!r}, expected the model behind `{score}`"
        elif not scored and stated is not None:
            yield f"provenance.{model} is {stated!r}, expected null, for no caption has a `{score}`"
    if captions and not row["provenance"]["captioner_model"]:
        yield "provenance.captioner_model is null or empty, expected the model behind `captions`"
