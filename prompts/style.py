"""Styles: the ways of the two papers to introduce an image and to name a region."""

from enum import StrEnum

from schemas.sample import IMAGE_TOKEN, region_token

OVERVIEW = f"The {IMAGE_TOKEN} provides an overview of the picture."  # GPT4RoI, Table 3


class Style(StrEnum):
    """The dialect of a build's user turns."""

    REGIONGPT = "regiongpt"
    GPT4ROI = "gpt4roi"


def opening(style: Style, first_request: str) -> str:
    """Return the first user turn: the image, then the first request, if there is one."""
    image = IMAGE_TOKEN if style is Style.REGIONGPT else OVERVIEW
    return f"{image}\n{first_request}" if first_request else image


def declared(style: Style, number: int) -> str:
    """Return a region's placeholder after its number, so that text can name the region."""
    token = region_token(number)
    return f"[{number}] {token}" if style is Style.REGIONGPT else f"region{number} {token}"


def named(style: Style, number: int) -> str:
    """Return the words that stand for a declared region in text."""
    return f"Region [{number}]" if style is Style.REGIONGPT else f"region{number}"
