"""How an image is introduced and a region named: the two papers differ, and recipes choose."""

from enum import StrEnum

from schemas.sample import IMAGE_TOKEN

OVERVIEW = f"The {IMAGE_TOKEN} provides an overview of the picture."  # GPT4RoI, Table 3


class Style(StrEnum):
    """The dialect of a build's user turns."""

    REGIONGPT = "regiongpt"
    GPT4ROI = "gpt4roi"


def opening(style: Style, first_request: str) -> str:
    """Return the first user turn: the image, then what is asked of it."""
    image = IMAGE_TOKEN if style is Style.REGIONGPT else OVERVIEW
    return f"{image}\n{first_request}"
