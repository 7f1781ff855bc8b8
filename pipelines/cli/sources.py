"""The command `sources`, which says of each data set whether it can be read.

    coco       complete: train 2017, val 2017
    flickr30k  nothing to read: no split is complete

With names of data sets, it lists the files of their splits that are found or missing, too.
"""

import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.cli.command import Commands, add_command, add_module_flag
from schemas.console import Part, notice, result, write_json
from schemas.errors import InputFileError
from schemas.near import near_folder

if TYPE_CHECKING:
    from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest

_STYLES = {"found": "green", "absent": "dim", "missing": "red"}


class _File(NamedTuple):
    """A file or folder of a split, as it is listed; absent: it is optional, and not there."""

    role: str
    path: str
    state: str  # one of `_STYLES`
    optional: bool


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "sources",
        "Say which sources can be read; with names, which files are there, and where to get them.",
        "sources --data-root /data",
        "sources coco refcocog --data-root /data",
        json=True,
        takes_others=True,
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="the sources whose files to list (default: a line for each source)",
    )
    parser.add_argument(
        "--data-root",
        default=".",
        metavar="DIR",
        help="the folder of the owners' files (default: here)",
    )
    add_module_flag(parser)


def run(args: Namespace) -> int:
    """Print a verdict on each source; with names, also the files of its splits.

    Returns:
        The exit status: 0, or 1 where no split of any listed source can be read.
    """
    from pipelines.cli.arguments import folder
    from pipelines.datasets.others import module_words
    from pipelines.storage import files

    root = folder(args.data_root)
    if not files.exists(root):
        raise InputFileError(f"--data-root {root}: there is no such folder{near_folder(root)}")
    specs = _chosen(args.names)
    width = max(len(spec.name) for spec in specs)
    ready = False
    documents = []
    for spec in specs:
        splits = [
            (_heading(spec, request, located), located)
            for request in _requests(spec, root)
            for located in _located(spec, request, root)
        ]
        whole = [heading.partition(" (")[0] for heading, located in splits if _is_whole(located)]
        ready = ready or bool(whole)
        verdict = _verdict(whole, len(splits))
        documents.append(_document(spec, whole, splits))
        if args.json:
            continue
        if args.names:
            _print_files(spec, verdict, splits)
        else:
            result((f"{spec.name:{width}}", "bold"), "  ", *verdict)
    if args.json:
        write_json({"command": "sources", "data_root": root, "sources": documents})
    elif not args.names:
        words = shlex.join(["--data-root", root, *module_words()])
        notice(f"`regionforge sources NAME {words}` lists the files of a source")
    return 0 if ready else 1


def _print_files(
    spec: "DatasetSpec", verdict: "Sequence[Part]", splits: "Sequence[tuple[str, Located]]"
) -> None:
    """Print what a source is, where to get it, and the files of its splits."""
    result((spec.name, "bold"), f"  {spec.title}; licence: {spec.licence}")
    result("  ", *verdict)
    result(f"  get it from {spec.obtain}")
    for heading, located in splits:
        result(f"  {heading}")
        width = max(map(len, located.roles))
        for file in _files(located):
            state = (f"{file.state:7}", _STYLES[file.state])
            remark = " (optional)" if file.optional else ""
            result("    ", state, f" {file.role:{width}} {file.path}{remark}")
    if any(not _is_whole(located) for _, located in splits):
        notice(f"what lies elsewhere is named by its role: build --path {spec.name}.ROLE=PATH")


def _document(
    spec: "DatasetSpec", whole: Sequence[str], splits: "Sequence[tuple[str, Located]]"
) -> dict[str, Any]:
    """Return what is said of a source as a document.

    {"name": "coco", "title": "COCO", "licence": "CC BY 4.0", "obtain": "https://cocodataset.org",
     "complete": ["train 2017"],
     "splits": [{"split": "train 2017", "complete": true, "files": [
         {"role": "train", "path": "/data/...", "state": "found", "optional": false}]}]}
    """
    return {
        "name": spec.name,
        "title": spec.title,
        "licence": spec.licence,
        "obtain": spec.obtain,
        "complete": list(whole),
        "splits": [
            {
                "split": heading,
                "complete": _is_whole(located),
                "files": [file._asdict() for file in _files(located)],
            }
            for heading, located in splits
        ],
    }


def _chosen(names: Sequence[str]) -> "Sequence[DatasetSpec]":
    """Return the sources of these names, or all; a wrong name raises `UsageError`."""
    from pipelines.datasets.catalog import CATALOG, dataset

    return [dataset(name) for name in names or CATALOG]


def _verdict(whole: Sequence[str], splits: int) -> list[Part]:
    if not whole:
        return [("nothing to read", "red"), ": no split is complete"]
    listed = ", ".join(whole)
    if len(whole) == splits:
        return [("complete", "green"), f": {listed}"]
    return [(f"{len(whole)} of {splits} splits are complete", "yellow"), f": {listed}"]


def _is_whole(located: "Located") -> bool:
    """Return whether all files that a split needs are there."""
    from pipelines.locate import missing_files, missing_folders

    return not missing_files(located) and not missing_folders(located)


def _requests(spec: "DatasetSpec", root: str) -> Iterator["SourceRequest"]:
    """Yield a request for each release and edition of a source, with all existing splits."""
    from pipelines.datasets.spec import SourceRequest

    for year in spec.years or (None,):
        for edition in spec.editions or (None,):
            request = SourceRequest(name=spec.name, year=year, edition=edition, splits=spec.splits)
            # Given names, a source also locates splits that are read only on request.
            known = tuple(located.split for located in spec.locate(root, request))
            yield request.model_copy(update={"splits": known})


def _located(spec: "DatasetSpec", request: "SourceRequest", root: str) -> Iterator["Located"]:
    """Yield the files of each split; those that only further tasks need are optional."""
    from pipelines.locate import locate_splits

    asking = request.model_copy(update={"tasks": spec.questions})
    pairs = zip(locate_splits(root, request), locate_splits(root, asking), strict=True)
    for located, asked in pairs:
        further = {role: asked.files[role] for role in asked.files.keys() - located.files.keys()}
        yield replace(located, optional=located.optional | further)


def _heading(spec: "DatasetSpec", request: "SourceRequest", located: "Located") -> str:
    release, split = request.year or request.edition, located.split
    remark = "" if split in spec.splits else "(read only where it is named)"
    return " ".join(str(word) for word in (split, release, remark) if word)


def _files(located: "Located") -> Iterator[_File]:
    """Yield the file or folder of each role of a split."""
    from pipelines.locate import missing_files, missing_folders
    from pipelines.storage.files import exists

    missing = missing_files(located)
    for role, path in located.roles.items():
        optional = role in located.optional
        if optional:
            yield _File(role, path, "found" if exists(path) else "absent", optional)
        elif path in missing:
            yield _File(role, path, "missing", optional)
        elif role == "images" and (folders := missing_folders(located)):
            yield _File(role, " or ".join(folders), "missing", optional)
        else:
            yield _File(role, path, "found", optional)
