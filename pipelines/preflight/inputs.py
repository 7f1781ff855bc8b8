"""The quick look at every split of a build: its label names, its pictures, and the output's size.

A `DatasetSpec` says with `outline` what of its files can be read quickly. What is found there would
otherwise end the build only after all inputs were read.
"""

from collections.abc import Iterable, Sequence

from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.preflight.pictures import MissingPictures, mean_bytes, missing_pictures
from pipelines.preflight.room import SizeEstimate, estimate_size
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.source import SplitInput

Requested = tuple[SourceRequest, Sequence[SplitInput]]  # a source and its splits to read


def check_inputs(requested: Iterable[Requested]) -> SizeEstimate:
    """Check splits as far as that takes seconds, and return the approximate size of their output.

    A split without any of its pictures is an error where another folder has them, or where no
    split of the source has one: a user may have the pictures of some splits only.

    Raises:
        InputFileError: a file cannot be used, its category names are not the expected ones, or its
            pictures are missing; a line for each problem of any split.
    """
    total = SizeEstimate()
    problems: list[str] = []
    for request, splits in requested:
        missing: list[MissingPictures] = []
        for split in splits:
            try:
                found = _look(request, split)
            except InputFileError as error:
                problems.append(str(error))
                continue
            if isinstance(found, MissingPictures):
                missing.append(found)
            else:
                total += found
        problems += [
            str(split) for split in missing if split.elsewhere or len(missing) == len(splits)
        ]
    if problems:
        raise InputFileError("\n".join(dict.fromkeys(problems)))
    return total


def _look(request: SourceRequest, split: SplitInput) -> SizeEstimate | MissingPictures:
    outline_of = dataset(request.name).outline
    outline = outline_of(split, FileStore()) if outline_of else None
    if outline is None:
        return estimate_size(split, 0, 0.0)
    each = mean_bytes(split, outline)
    if each is None and (missing := missing_pictures(request, split, outline)):
        return missing
    return estimate_size(split, len(outline.items), each or 0.0)
