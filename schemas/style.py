"""The styles of the two papers: the introduction of an image, and the names of regions."""

from enum import StrEnum

from schemas.sample import IMAGE_TOKEN, region_token

_OVERVIEW = f"The {IMAGE_TOKEN} provides an overview of the picture."  # GPT4RoI, Table 3


class Style(StrEnum):
    """The style of a build's user turns."""

    REGIONGPT = "regiongpt"
    GPT4ROI = "gpt4roi"


def opening(style: Style, first_request: str) -> str:
    """Return the first user turn: the image, then the first request if there is any."""
    image = IMAGE_TOKEN if style is Style.REGIONGPT else _OVERVIEW
    return f"{image}\n{first_request}" if first_request else image


def declared(style: Style, number: int) -> str:
    """Return a region's number and placeholder, so that later text can name the region."""
    token = region_token(number)
    return f"[{number}] {token}" if style is Style.REGIONGPT else f"region{number} {token}"


def named(style: Style, number: int) -> str:
    """Return the words that stand for a declared region in text."""
    return f"Region [{number}]" if style is Style.REGIONGPT else f"region{number}"
