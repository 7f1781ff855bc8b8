"""The declaration of a data set, and the request for a data set in a build.

A role names a file or a folder of a source, in declarations and in `--path SOURCE.ROLE=PATH`:

    <split>    the file that holds or lists a split; where a user gives such paths, only the splits
               with a path are read
    images     the folder of the pictures
    others     named after their content, e.g. refs, relationships, metadata
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.datasets.common.bins import Division
from pipelines.datasets.common.index import Indexes
from schemas.sample import Frame, ImageInfo, Task
from schemas.source import Crowds, Entry, SplitInput, Store
from schemas.style import Style

# The first parts of the names of pictures, see `pipelines.datasets.common.picture_names`.
PICTURE_OWNERS = ("coco", "visual_genome", "flickr", "objects365")
MAX_CAP = 1_000_000_000  # larger than any data set
OWN_SPLIT = "train"  # the split of a user's own file, where no name is given

Number = Annotated[int, Field(ge=1, le=MAX_CAP)]
Cap = Number | Literal["all"]  # a largest number of regions, or all
DetectionNames = Literal["coco", "lvis"]  # whose categories a detector numbers

# Tasks that need to know of which classes every object of an image is annotated.
COMPLETE_TASKS = frozenset({Task.REGION_YES_NO, Task.REGION_COUNT})

_NO_YEAR = "none beside `annotations`"
_NO_CATEGORIES = "none: no prompt names its categories"
_NO_OWN_FILE = "none: it takes no file of your own; `paths` says where its owner's lie"
_BESIDE_OWN_FILE = "only beside `annotations`; `paths` says where its owner's files lie"


class SourceRequest(BaseModel):
    """A source of a recipe: its splits, its tasks, its caps, and the paths of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    splits: tuple[str, ...] | None = Field(default=None, min_length=1)  # None: all existing splits
    tasks: tuple[Task, ...] | None = Field(default=None, min_length=1)  # None: all the source's
    per_category: Cap | None = None  # regions; None: the recipe's cap
    per_image: Cap | None = None  # regions; None: the recipe's cap
    year: int | None = None  # for sources released more than once; None: the usual one
    edition: str | None = None  # for sources with several files; None: the usual one
    # A file in the source's format instead of the owner's, one for each split, or an export.
    annotations: str | Mapping[str, str] | None = None
    images: str | Mapping[str, str] | None = None  # the folder of that file's images, or of each's
    split: str | None = None  # the name of a sole file's split; None: `OWN_SPLIT`
    crowds: Crowds | None = None  # what becomes of that file's `iscrowd` regions; None: "reject"
    frame: Frame | None = None  # of that file's annotations; None: by their size and boxes
    last_part: bool | None = None  # that file's pictures go by the last part of their names
    label_set: str | None = None  # the name of the set of category names, e.g. "COCO-80"
    # The user's word that every object of its categories is annotated, but for what the file says,
    # as in the owner's files; for a file of other categories than the owner's.
    complete: bool | None = None
    # The share of conversations about categories that name the set of categories to answer from, as
    # "COCO-80"; None: all.
    suffix_share: Annotated[float, Field(ge=0, le=1)] | None = None
    detection_names: DetectionNames | None = None  # of categories that a detector uses
    paths: Mapping[str, str] = {}  # a file or folder, by its role, instead of the usual one


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """The declaration of a data set: its owner, its tasks, its files and its parser."""

    name: str  # also the name of the config
    title: str
    licence: str
    obtain: str  # where to get the files
    splits: tuple[str, ...]
    tasks: Mapping[Style, tuple[Task, ...]]  # the tasks of conversations made from it, by style
    boxes_per_image: Mapping[Style, int]  # the papers' caps by style; no cap for other styles
    locate: Callable[[str, SourceRequest], list["Located"]]  # data root, request
    parse: Callable[[SplitInput, Store], Iterator[Entry]]
    # The name that other data sets know a picture by, e.g. "coco/139" (see `picture_names`).
    picture_name: Callable[[ImageInfo], str | None]
    papers: tuple[str, ...]  # to cite: on the data set and on its pictures
    # The set of wordings that defines captioning its regions, once a conversation of the gpt4roi
    # style, e.g. "referring_task"; None: every turn has a request.
    task_definition: str | None
    years: tuple[int, ...] = ()  # of the releases, where there are several
    evaluations: tuple[Task, ...] = ()  # tasks that it is used to evaluate
    questions: tuple[Task, ...] = ()  # further tasks, which only a recipe that names them has
    editions: tuple[str, ...] = ()  # the alternative files, one of which is read
    own_file: bool = False  # whether a user's own `annotations` are accepted
    # The first parts of the names that `picture_name` returns, e.g. ("coco",); none: it names none.
    picture_owners: tuple[str, ...] = PICTURE_OWNERS
    # The number of its code. A change that makes other records of the same files raises it by one;
    # then outputs that hold the source are built again.
    version: int = 1
    # A quick look at a split's files, before anything is read; None: there is nothing to look at.
    outline: Callable[[SplitInput, Store], "Outline | None"] | None = None
    # The division of a split for a number of workers, by the indexes that the quick look made; or
    # None for a split that one worker reads. None: its splits are never divided.
    divide: Callable[[SplitInput, Store, int, Indexes], Division | None] | None = None

    def misfits(self, request: SourceRequest) -> Iterator[tuple[str, Any, str]]:
        """Yield the keys of a request that would have no effect, with value and expected value."""
        own_file = request.annotations is not None
        beside = _BESIDE_OWN_FILE if self.own_file else _NO_OWN_FILE
        for key, expected in (
            ("annotations", None if self.own_file else _NO_OWN_FILE),
            ("images", None if own_file else beside),
            ("split", None if own_file else beside),
            ("crowds", None if own_file else beside),
            ("frame", None if own_file else beside),
            ("last_part", None if own_file else beside),
            ("year", _NO_YEAR if own_file else _one_of(self.years, request.year)),
            ("edition", _one_of(self.editions, request.edition)),
            ("label_set", None if self.classifies else _NO_CATEGORIES),
            ("complete", self._expected_complete(request)),
            ("suffix_share", None if self.classifies else _NO_CATEGORIES),
            ("detection_names", _expected_names(request.paths)),
        ):
            if expected and (value := getattr(request, key)) is not None:
                yield key, value, expected

    def _expected_complete(self, request: SourceRequest) -> str | None:
        if COMPLETE_TASKS.isdisjoint(request.tasks or ()):
            return f"none: it is for the tasks {' and '.join(sorted(COMPLETE_TASKS))}"
        other = request.annotations is not None or request.label_set is not None
        return None if other else "none: the owner's files say so"

    def faults(self, wording_sets: Collection[str]) -> Iterator[str]:
        """Yield the faults of the declaration, a line each, with the field and the expected value.

        Args:
            wording_sets: the names of all sets of wordings.
        """
        for field_name in ("title", "licence", "obtain", "splits", "papers"):
            if not getattr(self, field_name):
                yield f"{field_name} is empty, expected one at least"
        if not any(self.tasks.values()) and not self.evaluations:
            yield "tasks and evaluations are both empty: it is used for nothing"
        if self.task_definition is not None and self.task_definition not in wording_sets:
            known = ", ".join(sorted(wording_sets))
            yield f"task_definition {self.task_definition!r}: expected None, or one of {known}"

    @property
    def classifies(self) -> bool:
        """Whether conversations made from it name its categories, in any style."""
        return any(Task.REGION_CLASSIFICATION in tasks for tasks in self.tasks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The expected locations of the files of one split."""

    split: str
    files: dict[str, str]  # role to path of each required file
    pictures: str  # folder of the images
    folder: str  # its path below the data root; "" for a user's folder
    licence: str  # of the annotations
    optional: dict[str, str] = field(default_factory=dict)  # files that may be missing
    # The folders in `pictures` that hold the images, of which one at least must exist; none: the
    # images lie in `pictures` itself, or in any folders.
    picture_folders: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The path of the file that holds or lists the split; its role is the split's name."""
        return self.files[self.split]

    @property
    def roles(self) -> dict[str, str]:
        """All files and folders by role, including the pictures' folder."""
        return {**self.files, **self.optional, "images": self.pictures}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The pictures that a split's file lists: all that a quick look at the file tells.

    Decoding the items one by one is slow, so an item's names are asked for only where needed.
    """

    items: Sequence[Any]  # an item for each record with a picture; pictures may repeat
    # The possible paths of an item's picture, below the split's folder; none: no usable picture.
    names_of: Callable[[Any], Sequence[str]]
    remarks: tuple[str, ...] = ()  # on a user's own annotations, a line each
    indexes: Indexes = field(default_factory=dict)  # of its files


def _one_of(known: Sequence[object], value: object) -> str | None:
    """Return the text of the expected values, for an unknown value; None for a known value."""
    if value in known:
        return None
    return f"one of {', '.join(map(str, known))}" if known else "none: there is one only"


def _expected_names(paths: Mapping[str, str]) -> str | None:
    """Return the text of the expected `detection_names`; None where a request may state them."""
    if "detections" not in paths:
        return "none without a path of `detections`"
    return "none beside a path of `detection_names`" if "detection_names" in paths else None
