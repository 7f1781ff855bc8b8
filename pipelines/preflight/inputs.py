"""The quick look at every split of a build: its label names, its pictures, and the output's size.

A `DatasetSpec` says with `outline` what of its files can be read quickly. A fault in them would
otherwise end the build only after all inputs were read.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.index import FileIndex, Indexes
from pipelines.datasets.spec import SourceRequest
from pipelines.output.losses import MAX_MISSING
from pipelines.preflight.pictures import MissingPictures, missing_pictures, sample_pictures
from pipelines.preflight.quick_store import QuickStore
from pipelines.preflight.room import SizeEstimate, estimate_size
from pipelines.storage.digest_thread import DigestThread
from pipelines.storage.shared_files import SharedFiles
from schemas.errors import InputFileError
from schemas.source import SplitInput, Store

Requested = tuple[SourceRequest, Sequence[SplitInput]]  # a source and its splits to read


class InputCheck(NamedTuple):
    """What a quick look at splits tells."""

    estimate: SizeEstimate  # of their output
    remarks: tuple[str, ...] = ()  # on pictures that are missing, a line for each split
    doubts: tuple[str, ...] = ()  # on a user's own annotations, a line each
    indexes: Indexes = MappingProxyType({})  # of their files


class _Problem(NamedTuple):
    """Why a split cannot be read."""

    file: str  # the file whose fault it is; empty where the text names it
    text: str


def check_inputs(
    requested: Iterable[Requested],
    *,
    allow_missing: bool = False,
    digests: DigestThread | None = None,
) -> InputCheck:
    """Check splits as far as that takes seconds, and return what the quick look tells.

    Their files are hashed meanwhile, if `digests` are given: each is read once for both.

    A split of which most pictures are missing is an error, unless that is allowed. Even then it is
    one without any picture, where another folder has them or no split of the source has one.

    Raises:
        InputFileError: a file cannot be used, its category names are not the expected ones, or its
            pictures are missing; a line for each problem of any split.
    """
    total = SizeEstimate()
    remarks: list[str] = []
    doubts: list[str] = []
    indexes: dict[str, FileIndex | None] = {}
    problems: list[_Problem] = []
    for request, splits in requested:
        missing: list[MissingPictures] = []
        store = SharedFiles(QuickStore(digests), splits)
        for split in splits:
            try:
                checked, lacking = _look(request, split, store)
            except InputFileError as error:
                problems.append(_problem(split, str(error)))
                continue
            if digests:
                for path in split.files.values():
                    digests.hash_file(path)
            total += checked.estimate
            remarks += checked.remarks
            doubts += checked.doubts
            indexes |= checked.indexes
            missing += [lacking] if lacking else []
        empty = [lacking for lacking in missing if lacking.share == 1]
        problems += [
            _Problem("", str(lacking))
            for lacking in missing
            if (not allow_missing and lacking.share > MAX_MISSING)
            or (lacking in empty and (lacking.elsewhere or len(empty) == len(splits)))
        ]
    if problems:
        raise InputFileError("\n".join(_lines(problems)))
    return InputCheck(total, tuple(remarks), tuple(doubts), indexes)


def _problem(split: SplitInput, text: str) -> _Problem:
    file = split.files.get(split.split, "")
    begins = f"{file}: "
    return _Problem(file, text[len(begins) :]) if text.startswith(begins) else _Problem("", text)


def _lines(problems: Iterable[_Problem]) -> Iterator[str]:
    """Yield a line for each problem, which names all files that have it."""
    files: dict[str, dict[str, None]] = {}
    for file, text in problems:
        files.setdefault(text, {})[file] = None
    for text, several in files.items():
        named = ", ".join(filter(None, several))
        yield f"{named}: {text}" if named else text


def _look(
    request: SourceRequest, split: SplitInput, store: Store
) -> tuple[InputCheck, MissingPictures | None]:
    outline_of = dataset(request.name).outline
    outline = outline_of(split, store) if outline_of else None
    if outline is None:
        return InputCheck(estimate_size(split, 0, 0.0)), None
    sample = sample_pictures(split, outline)
    estimate = estimate_size(split, len(outline.items), sample.mean_bytes)
    near = sample.missing > MAX_MISSING / 2
    missing = missing_pictures(request, split, outline) if near else None
    remarks = (sample.remark,) if sample.remark else ()
    return InputCheck(estimate, remarks, outline.remarks, outline.indexes), missing
