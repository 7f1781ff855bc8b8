"""Numbers that a paper gives of a training mix; a recipe repeats them for comparison."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ALL_SOURCES = "all"  # the mix as a whole, where a number is about it


class Report(BaseModel):
    """A number that a paper gives, e.g. 558,000 images of `llava_pretrain` in section 3.2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str  # the section or table of the paper
    source: str  # the name of one of our sources, or `ALL_SOURCES`
    what: Literal["images", "regions", "sentences", "conversations"]  # the things counted
    number: int = Field(ge=0)


class Paper(BaseModel):
    """A paper whose training mix a recipe follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    reports: tuple[Report, ...] = ()
    contradictions: tuple[str, ...] = ()  # of the paper with itself or with the data
