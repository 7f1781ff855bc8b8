"""The pictures that a split's file lists: their mean size, and which are missing.

A sample is enough for both, as long as most pictures of the sample exist; else every name is looked
up, because a user may have a part of the pictures.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.paths import check_file_name
from pipelines.datasets.spec import Outline, SourceRequest
from pipelines.storage import files
from schemas.counted import counted
from schemas.limits import MAX_DETAIL_CHARACTERS, MAX_IMAGE_BYTES
from schemas.rejection import Rejected
from schemas.source import SplitInput

_SAMPLE, _REMOTE_SAMPLE = 500, 20  # pictures; each remote one takes a request
_PROBES = 5  # pictures that are looked for in other folders
_MAX_FOLDERS = 200  # searched on each level


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSample:
    """What a sample of a split's pictures tells."""

    mean_bytes: float = 0.0  # missing and too large pictures count as 0
    missing: float = 1.0  # the share that is missing
    remark: str = ""  # on pictures that are missing; empty: the sample is complete


def sample_pictures(split: SplitInput, outline: Outline) -> PictureSample:
    """Return what a sample of a split's pictures tells."""
    number = _SAMPLE if files.is_local(split.pictures) else _REMOTE_SAMPLE
    items = outline.items[:: max(1, len(outline.items) // number)]
    names = [_safe_names(outline, item) for item in items]
    sizes = [_size(split, several) for several in names]
    there = [size for size in sizes if size is not None]
    if not there:
        return PictureSample()
    stored = sum(size for size in there if size <= MAX_IMAGE_BYTES)
    missing = [
        several[0] for several, size in zip(names, sizes, strict=True) if several and size is None
    ]
    remark = (
        f"{split.source}/{split.split}: about {len(missing) / len(sizes):.0%} of its "
        f"{len(outline.items):,} pictures are missing, e.g. "
        f"{_shown(split.pictures, missing[0])}; what is annotated on them is left out"
        if missing
        else ""
    )
    return PictureSample(
        mean_bytes=stored / len(sizes), missing=len(missing) / len(sizes), remark=remark
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPictures:
    """A split of which pictures do not exist where they are expected."""

    problem: str
    remedy: str
    share: float  # of its pictures, 1: all
    elsewhere: bool  # another folder has the pictures

    def __str__(self) -> str:
        """Return the error for the user."""
        rest = "" if self.share == 1 else " Or build from the rest with --allow-missing."
        return f"{self.problem} {self.remedy}{rest}"


def missing_pictures(
    request: SourceRequest, split: SplitInput, outline: Outline
) -> MissingPictures | None:
    """Return what is missing of a split's pictures; None if nothing is, or none is expected.

    Args:
        request: the request that the split belongs to.
        split: the split.
        outline: the outline of the split.
    """
    names = list(dict.fromkeys(filter(None, (_safe_names(outline, it) for it in outline.items))))
    listing: Mapping[str, int] | None = None
    if not files.is_local(split.pictures):
        listing = files.FileStore().sizes(split.pictures)
    gone = [several for several in names if not _is_there(split, several, listing)]
    if not gone:
        return None
    file = split.files.get(split.split) or next(iter(split.files.values()))
    folder, example = split.pictures, f"e.g. no {_shown(split.pictures, gone[0][0])}."
    problem = (
        f"{file}: expected its {counted(len(names), 'picture')} below {folder}, and none is there,"
    )
    if len(gone) < len(names):
        problem = (
            f"{file}: missing below {folder}: {len(gone):,} of its "
            f"{counted(len(names), 'picture')} ({len(gone) / len(names):.0%}),"
        )
    probes = [name for several in gone[:_PROBES] for name in several]
    nearest = nearest_folder(folder, probes)
    return MissingPictures(
        problem=f"{problem} {example}",
        remedy=_remedy(request, nearest),
        share=len(gone) / len(names),
        elsewhere=nearest is not None,
    )


def nearest_folder(folder: str, names: Sequence[str]) -> str | None:
    """Return the nearest folder below, beside or above a local folder that holds one of the names.

    Args:
        folder: the path of the folder.
        names: paths of files below the folder to return.
    """
    if not files.is_local(folder):
        return None
    for candidate in _neighbours(folder):
        if any(files.exists(files.join(candidate, name)) for name in names):
            return candidate
    return None


def _shown(folder: str, name: str) -> str:
    """Return the path of a picture for a message; a name may have any length."""
    path = files.join(folder, name)
    return path if len(path) <= MAX_DETAIL_CHARACTERS else f"{path[: MAX_DETAIL_CHARACTERS - 1]}…"


def _neighbours(folder: str) -> Iterator[str]:
    children = files.subfolders(folder, _MAX_FOLDERS)
    yield from children
    grandchildren = (path for child in children for path in files.subfolders(child, _MAX_FOLDERS))
    yield from islice(grandchildren, _MAX_FOLDERS)
    parent, _, name = os.path.abspath(folder).rpartition("/")
    if name and parent:
        yield parent
        yield from files.subfolders(parent, _MAX_FOLDERS)
        yield parent.rpartition("/")[0] or "/"


def _remedy(request: SourceRequest, nearest: str | None) -> str:
    flag = f"with --path {request.name}.images="
    if request.annotations:
        flag = "with --coco-images "
    if nearest is not None:
        return f"They are below {nearest}: give that folder {flag}{nearest}."
    if request.annotations:
        return f"Give the folder that holds them {flag}DIR."
    obtain = dataset(request.name).obtain
    return f"Get them from {obtain}; or give the folder that holds them {flag}DIR."


def _safe_names(outline: Outline, item: Any) -> tuple[str, ...]:
    try:
        return tuple(map(check_file_name, outline.names_of(item)))
    except Rejected:
        return ()  # the read stage rejects the image


def _size(split: SplitInput, names: Sequence[str]) -> int | None:
    sizes = (files.size_if_there(files.join(split.pictures, name)) for name in names)
    return next((size for size in sizes if size is not None), None)


def _is_there(split: SplitInput, names: Sequence[str], listing: Mapping[str, int] | None) -> bool:
    if listing is not None:
        return any(name in listing for name in names)
    return _size(split, names) is not None
