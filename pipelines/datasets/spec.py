"""What a data set's file declares of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from schemas.source import Entry, SplitInput, Store


class SourceRequest(BaseModel):
    """Which source a build takes, and where it lies if not at its usual place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    year: int | None = None  # for sources released more than once; None: the usual one
    annotations: str | None = None  # a file in the source's format, instead of the owner's
    images: str | None = None  # the folder of that file's images
    split: str = "train"  # what that file's split is called
    label_set: str | None = None  # what the category names are called


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A data set: who owns it, where it lies, and how it is read."""

    name: str  # also its config's name
    title: str
    licence: str
    obtain: str  # where a user gets the files
    years: tuple[int, ...]
    splits: tuple[str, ...]
    locate: Callable[[str, SourceRequest], list["Located"]]  # data root, request
    parse: Callable[[SplitInput, Store], Iterator[Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Where the files of one split are expected."""

    split: str
    files: dict[str, str]  # role to path
    pictures: str  # folder of the images
    folder: str  # the same folder below the data root; "" for a user's own
    licence: str  # of the annotations
