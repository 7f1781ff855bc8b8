"""The check that the folder holds all shards that the manifest lists, and no other shards."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from schemas.layout import MANIFEST, SHARD_SUFFIX, shard_path
from schemas.manifest import Manifest, Shard


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
    for path in sorted(sizes.keys() - listed.keys()):
        if path.endswith(SHARD_SUFFIX):
            yield f"{path}: is not in the manifest, but `load_dataset` may read it; delete it"


def _gaps(shards: Iterable[Shard]) -> Iterator[str]:
    splits: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for shard in shards:
        splits[f"{shard.config}/{shard.split}"].append((shard.index, shard.of))
    for split, numbers in splits.items():
        of = numbers[0][1]
        if len(numbers) != of or set(numbers) != {(index, of) for index in range(of)}:
            listed = ", ".join(f"{index} of {of}" for index, of in sorted(numbers))
            yield f"{MANIFEST}: lists {listed} of {split}, expected 0 to {of - 1} of {of}"
