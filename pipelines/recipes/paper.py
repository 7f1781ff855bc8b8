"""The numbers in a paper about its training mix, which a recipe repeats for comparison."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ALL_SOURCES = "all"  # the source of a number about the whole mix


class Report(BaseModel):
    """A number in a paper, e.g. 558,000 images of `llava_pretrain` in section 3.2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str  # section or table of the paper
    source: str  # name of a source, or `ALL_SOURCES`
    what: Literal["images", "regions", "sentences", "conversations"]  # the counted things
    number: int = Field(ge=0)
    note: str = ""  # what to know before the number is compared with a build's

    @property
    def source_text(self) -> str:
        """The place in the paper, with the note if there is any."""
        return f"{self.where}; {self.note}" if self.note else self.where


class Paper(BaseModel):
    """A paper on whose training mix a recipe is based, with the paper's numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    reports: tuple[Report, ...] = ()
    contradictions: tuple[str, ...] = ()  # contradictions within the paper, or with the data
