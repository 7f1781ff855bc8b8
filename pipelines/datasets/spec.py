"""What a data set's file declares of it.

A role names a file or a folder of a source, here and in `--path SOURCE.ROLE=PATH`:

    <split>    the file that holds a split, or lists it; where a user names one, only the splits
               so named are read
    images     the folder of the pictures
    others     are called after what they hold, e.g. refs, relationships, metadata
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from prompts.style import Style
from schemas.sample import Task
from schemas.source import Entry, SplitInput, Store

Cap = Annotated[int, Field(ge=1)] | Literal["all"]  # how many regions, at most


class SourceRequest(BaseModel):
    """Which source a build takes, how much of it, and where it lies if not at its usual place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    splits: tuple[str, ...] | None = Field(default=None, min_length=1)  # None: all there are
    tasks: tuple[Task, ...] | None = Field(default=None, min_length=1)  # None: all it is used for
    per_category: Cap | None = None  # regions; None: as the recipe says
    per_image: Cap | None = None  # likewise
    year: int | None = None  # for sources released more than once; None: the usual one
    edition: str | None = None  # for sources of several files, one of which is read; likewise
    annotations: str | None = None  # a file in the source's format, instead of the owner's
    images: str | None = None  # the folder of that file's images
    split: str = "train"  # what that file's split is called
    label_set: str | None = None  # what the category names are called
    detection_names: Literal["coco", "lvis"] | None = None  # of categories that a detector uses
    paths: Mapping[str, str] = {}  # a file or folder, by its role, instead of the usual one


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set: who owns it, where it lies, and how it is read."""

    name: str  # also its config's name
    title: str
    licence: str
    obtain: str  # where a user gets the files
    splits: tuple[str, ...]
    tasks: Mapping[Style, tuple[Task, ...]]  # what it is used for
    boxes_per_image: Mapping[Style, int]  # caps of the papers; a style not named has none
    locate: Callable[[str, SourceRequest], list["Located"]]  # data root, request
    parse: Callable[[SplitInput, Store], Iterator[Entry]]
    years: tuple[int, ...] = ()  # of its releases, where there are several
    evaluations: tuple[Task, ...] = ()  # that it is used for
    editions: tuple[str, ...] = ()  # the files of which one is read, where there are several


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where the files of one split are expected."""

    split: str
    files: dict[str, str]  # role to path; all are needed
    pictures: str  # folder of the images
    folder: str  # the same folder below the data root; "" for a user's own
    licence: str  # of the annotations
    optional: dict[str, str] = field(default_factory=dict)  # files taken where they are there

    @property
    def roles(self) -> dict[str, str]:
        """All files and folders by role, the pictures' folder among them."""
        return {**self.files, **self.optional, "images": self.pictures}
