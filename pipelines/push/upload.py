"""The sending of files to the Hub, in commits that can be gone on with.

1. The data set is made, unless it is there.
2. Files of the data that the Hub has already, by their SHA-256, are left out.
3. The others are sent in commits of limited size; each is checked against its digest first.
4. The card, the ledger and the manifest come last: what has a manifest is whole.

Protocol: https://huggingface.co/docs/huggingface_hub/guides/upload
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.hf_api import RepoFile

from pipelines.push.contents import Contents, Listed
from pipelines.storage import files
from schemas.errors import InputFileError, RegionForgeError, UsageError
from schemas.secret import Secret

_COMMIT_BYTES = 5_000_000_000
_COMMIT_FILES = 100
_ASKED_AT_ONCE = 500  # paths in one question
# The HTTP library's base of all its errors; the library is another one in newer versions.
_HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The outcome of a push."""

    url: str
    sent: int  # files of the data
    already: int  # files of the data that were there


def push(
    contents: Contents,
    repository: str,
    *,
    public: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pushed:
    """Send files to a data set on the Hub; the same call goes on where one before has stopped.

    Args:
        contents: the files.
        repository: the name of the data set, as USER/NAME.
        public: whether a data set that is not there yet is made for all to see.
        on_progress: called with the bytes that are there, and the bytes of all files.

    Raises:
        UsageError: no token is there.
        InputFileError: a file is no longer as its list has it.
        RegionForgeError: the Hub cannot be reached, or refuses something.
    """
    token = get_token()
    if not token:
        raise UsageError("no token of the Hub: set HF_TOKEN, or log in by `hf auth login`")
    with _told_in_a_line(Secret(token)):
        hub = _Repository(HfApi(token=token, library_name="regionforge"), repository)
        url = hub.make(public=public)
        waiting = [file for file in contents.data if not hub.has(file, contents.data)]
        done = sum(file.bytes for file in contents.data) - sum(file.bytes for file in waiting)
        on_progress(done, contents.bytes)
        for batch in _batches(waiting):
            hub.commit({file.path: _checked(contents.folder, file) for file in batch}, "Add data")
            done += sum(file.bytes for file in batch)
            on_progress(done, contents.bytes)
        hub.commit(dict(contents.about), "Describe the data")
    return Pushed(url=url, sent=len(waiting), already=len(contents.data) - len(waiting))


class _Repository:
    """A data set on the Hub."""

    def __init__(self, api: HfApi, name: str) -> None:
        self._api = api
        self._name = name
        self._there: dict[str, str] | None = None

    def make(self, *, public: bool) -> str:
        """Make the data set, unless it is there; return its address."""
        return str(
            self._api.create_repo(
                self._name, repo_type="dataset", private=not public, exist_ok=True
            )
        )

    def has(self, file: Listed, files_asked_for: Sequence[Listed]) -> bool:
        """Return whether the Hub holds a file with the same content; asks once for all files."""
        if self._there is None:
            self._there = dict(self._digests([each.path for each in files_asked_for]))
        return self._there.get(file.path) == file.sha256

    def _digests(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield the path and SHA-256 of each large file that is there."""
        for start in range(0, len(paths), _ASKED_AT_ONCE):
            some = list(paths[start : start + _ASKED_AT_ONCE])
            for info in self._api.get_paths_info(self._name, some, repo_type="dataset"):
                if isinstance(info, RepoFile) and info.lfs is not None:
                    yield info.path, info.lfs.sha256

    def commit(self, content: dict[str, str | bytes], message: str) -> None:
        """Add files, given as paths on this machine or as bytes, in one commit."""
        additions = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=source)
            for path, source in content.items()
        ]
        self._api.create_commit(self._name, additions, commit_message=message, repo_type="dataset")


def _batches(waiting: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Yield the files of one commit after another."""
    batch: list[Listed] = []
    size = 0
    for file in waiting:
        if batch and (size + file.bytes > _COMMIT_BYTES or len(batch) == _COMMIT_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.bytes
    if batch:
        yield batch


def _checked(folder: str, file: Listed) -> str:
    """Return the path of a file, after checking that it is the one that is listed."""
    path = files.join(folder, file.path)
    if files.sha256_of(path) != (file.sha256, file.bytes):
        raise InputFileError(f"{path} has changed: it is not the file that is listed")
    return path


@contextmanager
def _told_in_a_line(token: Secret) -> Iterator[None]:
    """Raise what the Hub's library raises as `RegionForgeError`, in a line without the token."""
    again = "the same command goes on where it stopped"
    try:
        yield
    except RegionForgeError:
        raise
    except OfflineModeIsEnabled:
        raise UsageError("the Hub's library is offline: HF_HUB_OFFLINE is set") from None
    except (_HTTP_ERROR, OSError, RuntimeError, ValueError) as error:
        causes = [str(cause) for cause in (error, error.__cause__) if cause is not None]
        words = " ".join(" ".join(causes).split())
        raise RegionForgeError(f"the Hub: {token.masked(words)}; {again}") from None
