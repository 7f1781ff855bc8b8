"""The quick look at every split of a build: its label names, its pictures, and the output's size.

A `DatasetSpec` says with `outline` what of its files can be read quickly. A fault in them would
otherwise end the build only after all inputs were read.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.preflight.pictures import MissingPictures, missing_pictures, sample_pictures
from pipelines.preflight.room import SizeEstimate, estimate_size
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.source import SplitInput

Requested = tuple[SourceRequest, Sequence[SplitInput]]  # a source and its splits to read


class InputCheck(NamedTuple):
    """What a quick look at splits tells."""

    estimate: SizeEstimate  # of their output
    remarks: tuple[str, ...] = ()  # on pictures that are missing, a line for each split
    doubts: tuple[str, ...] = ()  # on a user's own annotations, a line each


def check_inputs(requested: Iterable[Requested]) -> InputCheck:
    """Check splits as far as that takes seconds, and return what the quick look tells.

    A split without any of its pictures is an error where another folder has them, or where no
    split of the source has one: a user may have the pictures of some splits only.

    Raises:
        InputFileError: a file cannot be used, its category names are not the expected ones, or its
            pictures are missing; a line for each problem of any split.
    """
    total = SizeEstimate()
    remarks: list[str] = []
    doubts: list[str] = []
    problems: list[str] = []
    for request, splits in requested:
        missing: list[MissingPictures] = []
        for split in splits:
            try:
                checked = _look(request, split)
            except InputFileError as error:
                problems.append(str(error))
                continue
            if isinstance(checked, MissingPictures):
                missing.append(checked)
            else:
                total += checked.estimate
                remarks += checked.remarks
                doubts += checked.doubts
        problems += [
            str(split) for split in missing if split.elsewhere or len(missing) == len(splits)
        ]
    if problems:
        raise InputFileError("\n".join(dict.fromkeys(problems)))
    return InputCheck(total, tuple(remarks), tuple(doubts))


def _look(request: SourceRequest, split: SplitInput) -> InputCheck | MissingPictures:
    outline_of = dataset(request.name).outline
    outline = outline_of(split, FileStore()) if outline_of else None
    if outline is None:
        return InputCheck(estimate_size(split, 0, 0.0))
    sample = sample_pictures(split, outline)
    if sample is None and (missing := missing_pictures(request, split, outline)):
        return missing
    estimate = estimate_size(split, len(outline.items), sample.mean_bytes if sample else 0.0)
    missing_some = (sample.remark,) if sample and sample.remark else ()
    return InputCheck(estimate, missing_some, outline.remarks)
