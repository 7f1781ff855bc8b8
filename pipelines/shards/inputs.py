"""The digests of a build's inputs, by which a rerun knows the shards that it need not make again.

A picture counts by its name and size only; a picture replaced by another of the same size goes
unnoticed.
"""

import hashlib
from collections.abc import Iterable, Sequence

from pipelines.shards.options import InputDigests, SplitKey
from pipelines.storage import files
from schemas.manifest import BuildIdentity
from schemas.source import SplitInput


def input_digests(
    identity: BuildIdentity, splits: Sequence[SplitInput], output: str
) -> dict[SplitKey, InputDigests]:
    """Return the digests of the inputs of every split.

    Args:
        identity: the identity of the build.
        splits: the splits; each folder of pictures is listed once.
        output: the folder of the output, whose files are no inputs, wherever it is.
    """
    identities = {split.source: identity.digest_of(split.source) for split in splits}
    pictures = _listing_digests((split.pictures for split in splits), output)
    return {
        (split.source, split.split): InputDigests(
            identities[split.source], pictures[split.pictures]
        )
        for split in splits
    }


def listing_digest(folder: str, output: str) -> str:
    """Return the digest of the names and sizes of all files below a folder but the output's."""
    return _digest(folder, files.walk(folder), output)


def _listing_digests(folders: Iterable[str], output: str) -> dict[str, str]:
    """Return the digest of each folder; a folder below another one is not listed again."""
    listings: dict[str, list[tuple[str, int]]] = {}
    for folder in sorted(set(folders), key=len):
        parent = next((known for known in listings if folder.startswith(f"{known}/")), None)
        if parent is None:
            listings[folder] = list(files.walk(folder))
        else:
            below = folder.removeprefix(f"{parent}/") + "/"
            listings[folder] = [
                (name.removeprefix(below), size)
                for name, size in listings[parent]
                if name.startswith(below)
            ]
    return {folder: _digest(folder, listing, output) for folder, listing in listings.items()}


def _digest(folder: str, listing: Iterable[tuple[str, int]], output: str) -> str:
    within, below = files.join(folder, ""), files.join(output, "")
    lines = [
        f"{name}\n{size}\n" for name, size in listing if not f"{within}{name}".startswith(below)
    ]
    # File names need not be UTF-8.
    return hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()
