"""The digests of a build's inputs, by which a rerun knows the shards that it need not make again.

A picture counts by its name and size only; a picture replaced by another of the same size goes
unnoticed.
"""

import hashlib
from collections.abc import Sequence

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
    folders = dict.fromkeys(split.pictures for split in splits)
    pictures = {folder: listing_digest(folder, output) for folder in folders}
    return {
        (split.source, split.split): InputDigests(
            identities[split.source], pictures[split.pictures]
        )
        for split in splits
    }


def listing_digest(folder: str, output: str) -> str:
    """Return the digest of the names and sizes of all files below a folder but the output's."""
    below = files.join(output, "")
    lines = [
        f"{name}\n{size}\n"
        for name, size in files.walk(folder)
        if not files.join(folder, name).startswith(below)
    ]
    # File names need not be UTF-8.
    listing = "".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(listing).hexdigest()
