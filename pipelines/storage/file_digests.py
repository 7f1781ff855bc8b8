"""The digests of input files, remembered in an output: an unchanged file is not hashed again.

A local file counts as unchanged while its size and the time of its last change are the same, an
object in a store while its size and its ETag are, by which the store names its content. An example
of the file that remembers them, with a digest of each path instead of the path:

    {"8c8a2c2ad3b1a5b0": [469785474, 1504225482000000000, "1f3a9b..."],
     "02f5b8e1c7d94a36": [469785474, "\"9b2cf535f27731c974343645a3985328\"", "1f3a9b..."]}

Whatever tells that a file is unchanged, inputs are identified by their SHA-256: the same file is
the same input on a disk and in any store.
"""

import os
import time
from collections.abc import Mapping
from hashlib import blake2b, sha256

import msgspec

from pipelines.storage import files
from schemas.json_decoding import decode
from schemas.layout import INPUT_DIGESTS

Remembered = tuple[int, int | str, str]  # size in bytes, time in ns or ETag, SHA-256

# A file that was changed this recently may change again without another time of change.
_SETTLED_NS = 2_000_000_000


class FileDigests:
    """The digests of files, each of which is computed once."""

    def __init__(self, known: Mapping[str, Remembered] | None = None) -> None:
        self._known = known or {}
        self._settled: dict[str, Remembered] = {}
        self._computed: dict[str, tuple[str, int]] = {}

    @classmethod
    def remembered_in(cls, output: str) -> "FileDigests":
        """Return the digests that an output remembers; none where they cannot be read."""
        path = files.join(output, INPUT_DIGESTS)
        if not files.exists(path):
            return cls()
        try:
            return cls(decode(_DECODER, files.FileStore().read(path)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return cls()

    def of(self, path: str) -> tuple[str, int]:
        """Return (SHA-256, size in bytes) of a file or of a folder's listing."""
        if path not in self._computed:
            self._computed[path] = self._look_up(path)
        return self._computed[path]

    def begin(self, path: str) -> "Hashing | None":
        """Return what hashes a file while others read it; None where its digest is known."""
        if path in self._computed or self.is_known(path):
            return None
        return Hashing(path)

    def end(self, hashing: "Hashing") -> None:
        """Take the digest of a file that was read to its end."""
        self._computed[hashing.path] = self._settle(hashing, *hashing.result())

    def is_known(self, path: str) -> bool:
        """Return whether the digest of a file is remembered, and the file is unchanged."""
        known = self._known.get(_key(path))
        return known is not None and known[:2] == files.state_of(path)

    def save(self, output: str) -> None:
        """Write the digests of the files that were asked for, for the next run."""
        if self._settled == self._known:
            return
        content = msgspec.json.encode(self._settled, order="sorted")
        files.write_whole(files.join(output, INPUT_DIGESTS), content)

    def _look_up(self, path: str) -> tuple[str, int]:
        hashing = Hashing(path)
        key = _key(path)
        known = self._known.get(key)
        if known is not None and known[:2] == hashing.state:
            self._settled[key] = known
            return known[2], known[0]
        return self._settle(hashing, *files.fingerprint(path))

    def _settle(self, hashing: "Hashing", digest: str, size: int) -> tuple[str, int]:
        """Return a digest, and remember it if the file was not changed while it was read."""
        state = hashing.state
        if state and size == state[0] and _is_settled(hashing.path, state, hashing.begun):
            self._settled[_key(hashing.path)] = *state, digest
        return digest, size


class Hashing:
    """The hashing of a file whose content others read."""

    def __init__(self, path: str) -> None:
        """Note the state of a file that is about to be read."""
        self.path = path
        self.state = files.state_of(path)
        self.begun = time.time_ns()
        self._hash, self._size = sha256(), 0

    def update(self, content: bytes) -> None:
        """Hash the next bytes of the file."""
        self._hash.update(content)
        self._size += len(content)

    def result(self) -> tuple[str, int]:
        """Return (SHA-256, size in bytes) of what was read."""
        return self._hash.hexdigest(), self._size


def _is_settled(path: str, state: files.State, now: int) -> bool:
    """Return whether a file that was just read differs from what it may become later."""
    changed = state[1]
    if isinstance(changed, int):
        return now - changed > _SETTLED_NS
    return files.state_of(path) == state


def _key(path: str) -> str:
    whole = os.path.abspath(path) if files.is_local(path) else path
    return blake2b(os.fsencode(whole), digest_size=8).hexdigest()


_DECODER = msgspec.json.Decoder(dict[str, Remembered])
