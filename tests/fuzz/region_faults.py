"""Boxes and segmentations that no tool should have written, made of whole ones."""

import math
from random import Random
from typing import Any


def odd_box(chance: Random, value: Any) -> Any:
    """Return a box that no picture has."""
    box = list(value) if isinstance(value, list) and len(value) == 4 else [1.0, 2.0, 30.0, 40.0]
    if not all(isinstance(number, int | float) for number in box):
        return [0, 0, 0, 0]
    x, y, width, height = box
    return chance.choice(
        [
            [x, y, -width, height], [x, y, 0, height], [x, y, width, 0], [-x, -y, width, height],
            [x + width, y + height, x, y], [x, y, width], [*box, 1], [], [box],
            [str(n) for n in box],
            [math.nan, y, width, height], [x, math.inf, width, height], [x, y, 1e308, 1e308],
            [x + 1e6, y, width, height], [x, y, 1e-9, 1e-9], [None, *box[1:]], [10**30, *box[1:]],
            [True, False, True, True], [y, x, height, width], {"x": x, "y": y}, [x, y, 1e7, 1e7],
        ]
    )  # fmt: skip


def odd_mask(chance: Random, value: Any) -> Any:
    """Return a segmentation that no tool should have written."""
    size = [480, 640]
    if isinstance(value, dict) and isinstance(value.get("size"), list):
        size = value["size"]
    counts = value.get("counts") if isinstance(value, dict) else None
    runs = chance.choice([[0, 5, 10], [1] * 9_999, [-1, 5], [10**12], [2**40, 1], [], [1.5], ["3"]])
    texts = ["", "o" * 50, "0" * 9_999, "\x00", "PPPPPPPP", "\ud83d", "Z<:V1", "~~~~", "oooooooo0"]
    huge = [chance.uniform(0, 500) for _ in range(2 * chance.choice([3, 50, 10_000]))]
    return chance.choice(
        [
            {"size": size, "counts": runs}, {"size": size, "counts": chance.choice(texts)},
            {"size": size[::-1], "counts": counts}, {"size": size}, {"counts": counts},
            {"size": [0, 0], "counts": counts}, {"size": [-1, 5], "counts": [5]},
            {"size": [2**31, 2**31], "counts": counts or [1]},
            {"size": [65_000, 65_000], "counts": "0"},
            {"size": [*size, 1], "counts": counts}, {"size": [math.nan, 1], "counts": counts},
            [huge], huge, [[1, 2]], [[1, 2, 3, 4, 5]], [[1, 1, 1, 1, 1, 1]], [[]], [], None,
            "polygon",
            [[math.nan] * 6], [[math.inf, 1, 2, 3, 4, 5]], [[1e300] * 8], [["1"] * 6],
            [[[1, 2], [3, 4]]],
            [huge] * 30, [[-1e6, -1e6, 1e6, -1e6, 1e6, 1e6]], [[1, 2, 3, 4, 5, 6], "x"],
            {"size": size, "counts": str(counts)[: len(str(counts)) // 2]}, [value], {},
        ]
    )  # fmt: skip
