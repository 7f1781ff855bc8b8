"""The files of sources: where they are expected, which are missing, and which splits exist."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.captions.manifest import locate_captions
from pipelines.datasets.catalog import dataset
from pipelines.datasets.others import module_words
from pipelines.datasets.spec import Located, SourceRequest
from pipelines.storage import files
from schemas.errors import UsageError


def locate_splits(root: str, request: SourceRequest) -> list[Located]:
    """Return the expected locations of the files of a request's splits.

    Raises:
        UsageError: the request gives a path that the source does not read, or an unknown split.
    """
    splits = dataset(request.name).locate(root, request)
    _check_splits(request, splits)
    named = request.paths.keys() & {located.split for located in splits}
    wanted = request.splits or named or [located.split for located in splits]
    splits = locate_captions(request, splits, wanted)
    _check_paths(request, splits)
    return [located for located in splits if located.split in wanted]


def present_splits(
    root: str, request: SourceRequest, *, some: bool = False
) -> tuple[list[Located], dict[str, list[str]]]:
    """Return the splits of a source whose files exist, and the missing files of those left out.

    A split whose file the request names with a path, or as the user's own, is never left out.

    Args:
        root: the folder that holds the inputs.
        request: the source; the splits that it names must exist.
        some: whether it is enough that one of the named splits exists.

    Raises:
        UsageError: a split lacks some files, a named split is missing, or no split exists.
    """
    wanted = _located(root, request) if some else request
    splits = locate_splits(root, wanted)
    missing = {located.split: missing_files(located) for located in splits}
    shared = Counter(path for located in splits for path in _needed_files(located))
    present = [
        located
        for located in splits
        if (request.splits and not some)
        or located.split in request.paths
        or request.annotations is not None
        or not _is_absent(located, missing[located.split], shared)
    ]
    if broken := [path for located in (present or splits) for path in missing[located.split]]:
        spec, named = dataset(request.name), ", ".join(dict.fromkeys(broken))
        if request.annotations is not None:
            raise UsageError(
                f"there is no {named}: --{request.name}-annotations names your own file, and "
                f"--{request.name}-images the folder of its pictures"
            )
        words = shlex.join([request.name, "--data-root", root, *module_words()])
        raise UsageError(
            f"source {request.name!r} is not complete; missing: {named}. "
            f"Get it from {spec.obtain}; `regionforge sources {words}` lists all that is "
            f"expected, with the ROLE by which --path {request.name}.ROLE=PATH names what lies "
            "elsewhere."
        )
    read = [located.split for located in present]
    expected = request.splits or list(missing)
    return present, {name: missing.get(name, []) for name in expected if name not in read}


def _located(root: str, request: SourceRequest) -> SourceRequest:
    """Return a request without the splits that its paths leave no file for."""
    spec = dataset(request.name)
    known = {located.split for located in spec.locate(root, request)}
    unlocated = set(spec.splits) - known
    splits = tuple(name for name in request.splits or () if name not in unlocated)
    return request.model_copy(update={"splits": splits}) if splits else request


def present_edition(root: str, request: SourceRequest) -> str | None:
    """Return the edition of a source that is there while its usual one is not; None otherwise.

    A request that names an edition, or a path of a split, keeps what it names.
    """
    spec = dataset(request.name)
    if request.edition or len(spec.editions) < 2 or request.paths.keys() & set(spec.splits):
        return None
    for edition in spec.editions:
        asked = request.model_copy(update={"edition": edition})
        if all(files.exists(located.file) for located in spec.locate(root, asked)):
            return None if edition == spec.editions[0] else edition
    return None


def missing_files(located: Located) -> list[str]:
    """Return the missing files and folders of a split, alternatives as `FOLDER or FOLDER`."""
    missing = [path for path in _needed_files(located) if not files.exists(path)]
    folders = missing_folders(located) if located.pictures not in missing else []
    return [*missing, " or ".join(folders)] if folders else missing


def missing_folders(located: Located) -> list[str]:
    """Return the folders of a split's pictures if all of them are missing, else an empty list."""
    folders = [files.join(located.pictures, name) for name in located.picture_folders]
    return [] if any(map(files.exists, folders)) else folders


def _check_splits(request: SourceRequest, splits: Sequence[Located]) -> None:
    known = [located.split for located in splits]
    if unknown := [name for name in request.splits or () if name not in known]:
        raise UsageError(
            f"source {request.name!r} has no split {unknown[0]!r}, but: {', '.join(known)}"
        )


def _check_paths(request: SourceRequest, splits: Sequence[Located]) -> None:
    """Raise `UsageError` for a path whose role the source does not have: nothing would read it."""
    for role, path in request.paths.items():
        read = [located.roles.get(role, "") for located in splits]
        if not any(there == path or there.startswith(f"{path}/") for there in read):
            known = dict.fromkeys(role for located in splits for role in located.roles)
            raise UsageError(
                f"--path {request.name}.{role}={path}: source {request.name!r} reads nothing "
                f"that is called {role!r}; its roles are: {', '.join(known)}"
            )


def _is_absent(located: Located, missing: Sequence[str], shared: Mapping[str, int]) -> bool:
    """Return whether all files of a split are missing, apart from files that several splits share.

    Args:
        located: the locations of the split's files.
        missing: the missing files and folders of the split.
        shared: the number of splits that need a file, by its path.
    """
    exclusive = {path for path in _needed_files(located) if shared[path] == 1}
    return (exclusive or set(located.files.values())) <= set(missing)


def _needed_files(located: Located) -> list[str]:
    return list(dict.fromkeys([*located.files.values(), located.pictures]))
