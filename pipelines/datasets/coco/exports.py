"""A user's own splits: a file and a folder of pictures each, as given or as tools export them.

    train/_annotations.coco.json             Roboflow; the pictures beside it
    annotations/instances_default.json       CVAT: images/default/, or images/
    annotations/instances_train2017.json     Ultralytics: images/train2017/; COCO: train2017/
    result.json                              Label Studio: images/
    annotations.json                         labelme: JPEGImages/

A local folder of one of these forms is read as a whole, and the pictures of a file that lies in one
need not be named.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipelines.datasets.spec import OWN_SPLIT, SourceRequest
from schemas.errors import UsageError

_BESIDE, _ONE_FILE = "_annotations.coco.json", ("result.json", "annotations.json")
_INSTANCES = re.compile(r"instances_(.+)\.json(?:\.gz)?")
_YEAR = re.compile(r"(?<=\D)(?:19|20)\d\d$", re.ASCII)
_PICTURES = ("images", "JPEGImages")
_LAYOUTS = (
    "train/_annotations.coco.json (Roboflow), annotations/instances_train.json (CVAT, Ultralytics, "
    "COCO), result.json beside images/ (Label Studio), annotations.json beside JPEGImages/ "
    "(labelme)"
)


class OwnSplit(NamedTuple):
    """The paths of a split of one's own."""

    annotations: str
    pictures: str


def own_splits(request: SourceRequest) -> dict[str, OwnSplit]:
    """Return the splits of one's own that a request names, by name.

    Raises:
        UsageError: pictures or splits are not named, and no known layout tells them.
    """
    named, images = request.annotations or "", request.images
    if isinstance(named, str):
        named = _named(named, request.split)
    elif request.split is not None:
        raise UsageError("--coco-split goes with one file: its name stands before each of several")
    if isinstance(images, Mapping) and images.keys() != named.keys():
        raise UsageError(
            f"--coco-images is of {_listed(images)}, and --coco-annotations of {_listed(named)}: "
            "give both for each split, as SPLIT=PATH; or one folder for all"
        )
    return {
        split: OwnSplit(path, images[split] if isinstance(images, Mapping) else images or _of(path))
        for split, path in named.items()
    }


def _named(path: str, split: str | None) -> dict[str, str]:
    """Return the annotation files by split: one file, or those of an export's folder."""
    if not os.path.isdir(path):
        return {split or OWN_SPLIT: path}
    exported = dict(_exported(path))
    if not exported:
        raise UsageError(
            f"--coco-annotations {path}: a folder, but none that we know: expected {_LAYOUTS}. "
            "Give the file itself, or SPLIT=FILE for each of several"
        )
    if len(exported) == 1:
        return {split or OWN_SPLIT: next(iter(exported.values()))}
    if split is not None:
        raise UsageError(
            f"--coco-split {split}: {path} has the splits {_listed(exported)}; give the file of "
            "one, or SPLIT=FILE to name several"
        )
    return exported


def _exported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the splits of an export with their files: of the first layout that fits."""
    parts = [folder, *(f"{folder}/{name}" for name in sorted(os.listdir(folder)))]
    beside = [part for part in parts if os.path.exists(f"{part}/{_BESIDE}")]
    if beside:
        yield from ((_split_name(part), f"{part}/{_BESIDE}") for part in beside)
        return
    annotations = f"{folder}/annotations"
    names = sorted(os.listdir(annotations)) if os.path.isdir(annotations) else []
    if matches := [match for match in map(_INSTANCES.fullmatch, names) if match]:
        yield from ((_split_name(m[1]), f"{annotations}/{m[0]}") for m in matches)
        return
    for name in _ONE_FILE:
        if os.path.exists(path := f"{folder}/{name}") and _beside(folder):
            yield OWN_SPLIT, path
            return


def _split_name(name: str) -> str:
    """Return the name of a split from a folder's or a file's: `train` of `Train2017`."""
    last = os.path.basename(os.path.abspath(name))
    return re.sub(r"\W+", "_", _YEAR.sub("", last).lower()).strip("_") or OWN_SPLIT


def _of(path: str) -> str:
    """Return the folder of the pictures of a file in a known layout.

    Raises:
        UsageError: the file lies in none.
    """
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    if name == _BESIDE:
        return folder
    pictures = None
    if os.path.basename(os.path.abspath(folder)) == "annotations":
        above = ".." if folder == "." else os.path.dirname(folder) or "."
        match = _INSTANCES.fullmatch(name)
        pictures = _beside(above, match[1] if match else None)
    elif name in _ONE_FILE:
        pictures = _beside(folder)
    if pictures is None:
        if "://" not in path and not os.path.exists(path):
            raise UsageError(f"--coco-annotations {path}: there is no such file")
        raise UsageError(
            f"--coco-annotations {path} needs --coco-images DIR, the folder of its images; only of "
            f"exports that lie as they were written is it known: {_LAYOUTS}"
        )
    return pictures


def _beside(folder: str, split: str | None = None) -> str | None:
    """Return the folder of a split's pictures in an export's folder; None where there is none."""
    known = [f"{folder}/{name}" for name in _PICTURES]
    if split is not None:
        known = [*(f"{path}/{split}" for path in (*known, folder)), *known]
    return next((path for path in known if os.path.isdir(path)), None)


def _listed(splits: Mapping[str, object]) -> str:
    return ", ".join(splits)
