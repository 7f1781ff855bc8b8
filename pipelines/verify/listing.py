"""The check that the folder holds all shards that the manifest lists, and nothing that misleads.

`load_dataset` reads more than the card names where a folder holds it: scripts and their metadata,
and data in other formats. A link may lead anywhere, and a pipe blocks whoever opens it.
"""

import os
import stat
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from schemas.layout import MANIFEST, REJECTED_FOLDER, SHARD_SUFFIX, STATE_FOLDER, shard_path
from schemas.manifest import Manifest, Shard

# What `datasets` reads from a folder by itself, beside the card.
_READ_SUFFIXES = (SHARD_SUFFIX, ".parquet", ".py")
_READ_NAMES = ("dataset_infos.json", "dataset_dict.json", "dataset_info.json", "state.json")


def listing_problems(manifest: Manifest, sizes: Mapping[str, int]) -> Iterator[str]:
    """Yield each difference between the manifest and the folder.

    Args:
        manifest: the manifest of the build.
        sizes: the size of every file of the build in bytes, by path below the build's folder.
    """
    listed = Counter(shard.path for shard in manifest.shards)
    for path, count in listed.items():
        if count > 1:
            yield f"{MANIFEST}: lists {path} {count} times, expected once"
    for shard in manifest.shards:
        expected = shard_path(shard.config, shard.split, shard.index, shard.of)
        if shard.path != expected:
            yield f"{MANIFEST}: lists {shard.path}, expected {expected}"
    yield from _gaps(manifest.shards)
    for path in listed:
        if path not in sizes:
            yield f"{path}: is missing; give the command that wrote the output again"
    configs = {shard.config for shard in manifest.shards}
    for path in sorted(sizes.keys() - listed.keys()):
        if _misleads(path, configs):
            yield f"{path}: is not in the manifest, but `load_dataset` may read it; delete it"


def entry_problems(output: str) -> Iterator[str]:
    """Yield the entries of a local folder that lead out of it, or that no reader may open."""
    root = Path(output).resolve()
    for folder, folders, names in os.walk(root):
        for name in sorted([*folders, *names]):
            path = Path(folder, name)
            below = path.relative_to(root)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                if not path.resolve().is_relative_to(root):
                    yield f"{below}: is a link that leads out of the output; put the file there"
            elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield f"{below}: is no file, but a pipe, a socket or a device; delete it"


def _misleads(path: str, configs: Collection[str]) -> bool:
    """Return whether `load_dataset` may read a file that is no shard of the manifest."""
    first, _, below = path.partition("/")
    if first in (STATE_FOLDER, REJECTED_FOLDER):
        return False
    name = path.rpartition("/")[2]
    if below and first in configs:
        return not name.startswith(".")
    return name.endswith(_READ_SUFFIXES) or name in _READ_NAMES


def _gaps(shards: Iterable[Shard]) -> Iterator[str]:
    splits: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for shard in shards:
        splits[f"{shard.config}/{shard.split}"].append((shard.index, shard.of))
    for split, numbers in splits.items():
        of = numbers[0][1]
        if len(numbers) != of or set(numbers) != {(index, of) for index in range(of)}:
            listed = ", ".join(f"{index} of {of}" for index, of in sorted(numbers))
            yield f"{MANIFEST}: lists {listed} of {split}, expected 0 to {of - 1} of {of}"
