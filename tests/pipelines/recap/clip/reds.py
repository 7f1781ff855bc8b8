"""A scorer that loads nothing, and writes down in which process it was made."""

import os
from pathlib import Path

from pipelines.recap.clip.scorer import Score


class Reds:
    """A scorer that says how red the first pixel is, and how many crops there are."""

    identity = "reds"

    def __init__(self, loads: Path) -> None:
        with loads.open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")

    def score(self, crops, captions):
        if "unlucky" in captions:
            raise RuntimeError("out of memory")
        distinct = len(set(map(id, crops)))
        return [
            Score(crop.getpixel((0, 0))[0] + len(text), distinct)
            for crop, text in zip(crops, captions, strict=True)
        ]
