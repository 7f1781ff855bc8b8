"""Answers to score and show."""

from collections.abc import Callable
from typing import Any

import pytest

from train.evaluation.answers import Answer, AskedRegion

Maker = Callable[..., Answer]


@pytest.fixture
def answer() -> Maker:
    """A function that makes an answer, with the facts that matter to a test."""

    def make(record: str = "coco/val/1/task/0", **facts: Any) -> Answer:
        region = AskedRegion(region_id="r1", bbox=(4, 6, 20, 30), area=300.0, category="dog")
        usual: dict[str, Any] = {
            "number": 0, "source": "coco", "split": "val", "turn": 0, "position": 0,
            "item_id": "r1", "group": "1", "references": ("dog",), "choices": (), "label": None,
            "regions": (region,), "text": "dog",
        }  # fmt: skip
        return Answer(record=record, **(usual | facts))

    return make
