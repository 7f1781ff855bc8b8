"""What lmms-eval asks, as questions to our models.

A request is a tuple (context, settings, doc_to_visual, doc_id, task, split); the record is
`task_dict[task][split][doc_id]`, e.g. of POPE

    {"question_id": "1", "question": "Is there a snowboard in the image?", "answer": "yes",
     "image": PIL image}

and of RefCOCOg's captions

    {"question_id": "9", "answer": ["the red car"], "bbox": [10.0, 20.0, 30.0, 40.0], "image": ...}

whose box is x, y, width, height in pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL.Image import Image

from schemas.errors import RegionForgeError
from schemas.geometry import Box
from schemas.sample import IMAGE_TOKEN, region_token
from schemas.text import clean_turn

Regions = Literal["given", "drawn"]

_THIS = "this region"
# Settings that change nothing at these values; anything else would, and is refused.
_GREEDY: Mapping[str, tuple[Any, ...]] = {
    "do_sample": (False, None),
    "num_beams": (1, None),
    "temperature": (0, 0.0, 1.0, None),
    "top_p": (1, 1.0, None),
}
_KNOWN = {*_GREEDY, "max_new_tokens", "until", "image_aspect_ratio"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question to a model."""

    text: str
    picture: Image | None
    regions: tuple[Box, ...]  # xyxy, pixels of the picture
    max_new_tokens: int
    until: tuple[str, ...]  # an answer ends before the first of them

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation up to the answer."""
        return [{"role": "user", "content": self.text}]

    def ended(self, answer: str) -> str:
        """Return an answer up to where the task has it end."""
        for stop in self.until:
            answer = answer.partition(stop)[0]
        return answer.strip()


def asked_by(
    request: Sequence[Any], record: Mapping[str, Any], regions: Regions, max_new_tokens: int
) -> Asked:
    """Return the question of a request.

    Args:
        request: the arguments of lmms-eval's instance.
        record: what it asks about.
        regions: how a box that the question is about reaches the model.
        max_new_tokens: of an answer to a task that states no number.

    Raises:
        RegionForgeError: the task wants several pictures, or another decoding than the greedy one.
    """
    context, settings, doc_to_visual = request[:3]
    _check(settings, request)
    text, boxes = clean_turn(context), tuple[Box, ...]()
    if regions == "given" and _THIS in text and "bbox" in record and "image" in record:
        pictures = [record["image"]]
        x, y, width, height = map(float, record["bbox"])
        boxes = ((x, y, x + width, y + height),)
        text = text.replace(_THIS, region_token(1), 1)
    else:
        pictures = list(doc_to_visual(record) or ())
    if len(pictures) > 1:
        raise RegionForgeError(f"{_name(request)}: {len(pictures)} pictures, expected one at most")
    until = settings.get("until") or ()
    return Asked(
        text=f"{IMAGE_TOKEN}\n{text}" if pictures else text,
        picture=pictures[0] if pictures else None,
        regions=boxes,
        max_new_tokens=int(settings.get("max_new_tokens") or max_new_tokens),
        until=(until,) if isinstance(until, str) else tuple(until),
    )


def _check(settings: Mapping[str, Any], request: Sequence[Any]) -> None:
    for name, value in settings.items():
        if name not in _KNOWN or (name in _GREEDY and value not in _GREEDY[name]):
            raise RegionForgeError(
                f"{_name(request)}: {name}={value!r} is not taken: answers are generated greedily, "
                "with max_new_tokens and until"
            )


def _name(request: Sequence[Any]) -> str:
    doc_id, task, split = request[3:6]
    return f"{task}/{split}/{doc_id}"
