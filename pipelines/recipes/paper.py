"""What a paper says of a training mix, as its recipe repeats it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ALL_SOURCES = "all"  # the mix as a whole, where a number is about it


class Report(BaseModel):
    """A number that a paper gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str  # in the paper
    source: str  # of ours, or `ALL_SOURCES`
    what: Literal["images", "regions", "sentences", "conversations"]  # of which it is the number
    number: int = Field(ge=0)


class Paper(BaseModel):
    """What a paper says of the mix that a recipe follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    reports: tuple[Report, ...] = ()
    contradictions: tuple[str, ...] = ()  # of the paper with itself or with the data
