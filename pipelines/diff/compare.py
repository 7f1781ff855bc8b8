"""The comparison of two builds: settings, numbers, records and categories, split by split.

Shards with the same digest in both builds are not read; only their sizes are compared with the
manifest.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pipelines.diff.fields import changed_fields
from pipelines.output.identity import identity_differences
from pipelines.output.pictures import Picture, pictures_of
from pipelines.output.reader import check_sizes, read_manifest
from pipelines.output.records import shard_columns
from schemas.columns import category_counts
from schemas.manifest import Manifest, Shard

SplitKey = tuple[str, str]  # source, split
OnRows = Callable[[int], None]


class Change(NamedTuple):
    """A record that only one of two builds has, or that differs in them."""

    id: str
    change: Literal["added", "removed", "changed"]
    fields: list[str]  # the full names of those that differ, of a changed record


@dataclass(slots=True)
class SplitDifference:
    """The difference of one split of a source."""

    before: int = 0  # records
    now: int = 0
    changes: Counter[str] = field(default_factory=Counter)  # records by kind of change
    fields: Counter[str] = field(default_factory=Counter)  # changed records by field
    before_categories: Counter[str] = field(default_factory=Counter)  # regions by category
    now_categories: Counter[str] = field(default_factory=Counter)

    def count(self, change: Change) -> None:
        """Count a change."""
        self.changes[change.change] += 1
        self.fields.update(change.fields)

    def shifts(self) -> dict[str, tuple[int, int]]:
        """Return the regions before and now of categories that differ, the largest shift first."""
        before, now = self.before_categories, self.now_categories
        pairs = {name: (before[name], now[name]) for name in before.keys() | now.keys()}
        moved = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        return dict(sorted(moved.items(), key=lambda item: (-abs(item[1][0] - item[1][1]), item)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference of two builds."""

    settings: list[str]  # a line each
    splits: dict[SplitKey, SplitDifference]  # of all splits of either

    @property
    def same(self) -> bool:
        """Whether the builds do not differ."""
        return not self.settings and not any(split.changes for split in self.splits.values())


class Comparison:
    """The comparison of two finished builds."""

    def __init__(self, before: str, now: str, on_rows: OnRows = lambda rows: None) -> None:
        """Read the manifests of two builds.

        Args:
            before: the folder of the first one.
            now: the folder of the other.
            on_rows: called with the numbers of records as they are read.

        Raises:
            InputFileError: a folder holds no finished build.
        """
        self._folders = before, now
        self._manifests = read_manifest(before), read_manifest(now)
        self._on_rows = on_rows
        identities = [manifest.identity for manifest in self._manifests]
        splits = {
            key: SplitDifference() for key in sorted(set().union(*map(_splits, self._manifests)))
        }
        self.difference = Difference(settings=identity_differences(*identities), splits=splits)

    def changes(self) -> Iterator[Change]:
        """Yield all changes of records, split by split, and count them in `difference`.

        Raises:
            InputFileError: a shard is damaged, or not there.
        """
        for key, split in self.difference.splits.items():
            before, now = (_shards(manifest, key) for manifest in self._manifests)
            split.before, split.now = (sum(s.rows for s in shards) for shards in (before, now))
            same = _same_shards(before, now)
            for folder, shards in zip(self._folders, (before, now), strict=True):
                check_sizes(folder, ((s.path, s.bytes) for s in shards if (s.index, s.of) in same))
            if len(same) == len(before) == len(now):
                continue
            for change in self._of_split(*(_others(shards, same) for shards in (before, now))):
                split.count(change)
                yield change
            counts = split.before_categories, split.now_categories
            for output, shards, categories in zip(
                self._folders, (before, now), counts, strict=True
            ):
                for shard in shards:
                    for batch in shard_columns(output, shard, ("regions",)):
                        categories.update(category_counts(batch))

    def _of_split(self, before: Sequence[Shard], now: Sequence[Shard]) -> Iterator[Change]:
        """Yield the changes between some shards of a split."""
        olds = pictures_of(self._folders[0], before, self._on_rows)
        news = pictures_of(self._folders[1], now, self._on_rows)
        old, new = next(olds, None), next(news, None)
        while old is not None or new is not None:
            first = min(picture.key for picture in (old, new) if picture is not None)
            of_old = old if old is not None and old.key == first else None
            of_new = new if new is not None and new.key == first else None
            yield from _of_picture(of_old, of_new)
            old = next(olds, None) if of_old else old
            new = next(news, None) if of_new else new


def _of_picture(before: Picture | None, now: Picture | None) -> Iterator[Change]:
    olds, news = (picture.rows() if picture else {} for picture in (before, now))
    for record_id in sorted(olds.keys() | news.keys()):
        if record_id not in news:
            yield Change(record_id, "removed", [])
        elif record_id not in olds:
            yield Change(record_id, "added", [])
        elif fields := changed_fields(olds[record_id], news[record_id]):
            yield Change(record_id, "changed", fields)


def _splits(manifest: Manifest) -> set[SplitKey]:
    return {(shard.config, shard.split) for shard in manifest.shards}


def _shards(manifest: Manifest, key: SplitKey) -> list[Shard]:
    return [shard for shard in manifest.shards if (shard.config, shard.split) == key]


def _same_shards(before: Sequence[Shard], now: Sequence[Shard]) -> set[tuple[int, int]]:
    """Return the positions of the shards that both builds have with the same content."""
    digests = [{(s.index, s.of): s.sha256 for s in shards} for shards in (before, now)]
    return {position for position, sha in digests[0].items() if digests[1].get(position) == sha}


def _others(shards: Sequence[Shard], same: set[tuple[int, int]]) -> list[Shard]:
    return [shard for shard in shards if (shard.index, shard.of) not in same]
