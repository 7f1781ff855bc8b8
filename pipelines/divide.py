"""Divide: one worker opens a split that several will read, with all splits that share its files.

    refs(unc).p, instances.json    train, val, testA and testB of RefCOCO
    region_descriptions.json       train and test of Visual Genome

What waits of the split's images, in the output's folder, is in pieces by the bin they belong to.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from apache_beam.pvalue import TaggedOutput

from pipelines.captions.lookup import Captioned, open_captions
from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.bins import Division, Slice, deal_out
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.spec import DatasetSpec
from pipelines.entries import EntryDoFn
from pipelines.pieces import BinKey, Captions, Head, Page, Piece, key_of, page_of
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.storage.files import FileStore
from pipelines.storage.shared_files import SharedFiles
from pipelines.storage.spool import Spool
from schemas.errors import InputFileError
from schemas.rejection import Kind
from schemas.source import SplitFacts, SplitInput, Store

BIN: Literal["bin"] = "bin"  # the tag of the output of pieces


class Sharing(NamedTuple):
    """Splits that share files, and the known indexes of these."""

    splits: Sequence[SplitInput]
    indexes: Indexes


@dataclass(slots=True)
class _Dealt:
    """A divided split, and what is dealt out to its bins."""

    split: SplitInput
    division: Division
    pages: list[tuple[int, Page]] = field(default_factory=list)  # with the numbers of bins
    fault: InputFileError | None = None  # of a file


def sharing(splits: Iterable[SplitInput], indexes: Indexes) -> list[Sharing]:
    """Return the splits in groups: those of a source that share files, directly or by others."""
    groups: list[list[SplitInput]] = []
    for split in splits:
        near = [group for group in groups if any(_share(split, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), split])
    return [Sharing(group, _indexes_of(group, indexes)) for group in groups]


class Divide(EntryDoFn[Sharing, Slice]):
    """Opens splits that share files, each file once."""

    def __init__(self, parts: int, spool: str | None) -> None:
        """Take the number of workers, and the folder for what waits; None: memory."""
        self._parts = parts
        self._folder = spool

    def results(
        self, element: Sharing
    ) -> Iterator[
        Slice
        | TaggedOutput[Literal["bin"], tuple[BinKey, Piece]]
        | TaggedOutput[Literal["facts"], SplitFacts]
    ]:
        """Yield the slices of splits, their bins and facts; or a split, if it is not divided.

        A split whose files cannot be used is not divided, and rejected.
        """
        store = SharedFiles(FileStore(), element.splits)
        dealt: list[_Dealt] = []
        with closing(Spool(self._folder)) as spool:
            for split in element.splits:
                with self.unusable_file(split, counted=False):
                    division = _division(split, store, self._parts, element.indexes)
                    if division is None:
                        yield _piece(split, 0, split)
                    elif division.dealers:
                        dealt.append(_Dealt(split, division))
                    else:
                        yield from self._divided(_Dealt(split, division), spool)
            for path in dict.fromkeys(path for some in dealt for path, _ in some.division.dealers):
                _deal_out(path, [some for some in dealt if not some.fault], store, spool)
            for some in dealt:
                with self.unusable_file(some.split, counted=False):
                    yield from self._divided(some, spool)
        yield from self.facts()

    def _divided(
        self, some: _Dealt, spool: Spool
    ) -> Iterator[Slice | TaggedOutput[Literal["bin"], tuple[BinKey, Piece]]]:
        """Yield the slices and the bins of a split, and count its file."""
        if some.fault:
            raise some.fault
        split, division = some.split, some.division
        captioned = open_captions(split) if RECAPD_ROLE in split.files else Captioned({})
        self.record(split, [captioned.total])
        self.record(split, captioned.noting_refused(division.entries))
        self.ledger.read(split, Kind.FILE)
        self.ledger.kept(split, Kind.FILE)
        yield from division.slices
        bins = 0
        for each, content in division.bins:
            bins += 1
            yield _piece(split, each.number, Head(each, page_of(content, spool)))
        for number, page in some.pages:
            yield _piece(split, number, page)
        for number, ids in captioned.in_bins(bins):
            yield _piece(split, number, Captions(page_of(ids, spool)))


def spec_of(split: SplitInput) -> DatasetSpec:
    """Return the declaration of a split's owner."""
    return dataset(split.owner or split.source)


def _piece(
    split: SplitInput, number: int, piece: Piece
) -> TaggedOutput[Literal["bin"], tuple[BinKey, Piece]]:
    return TaggedOutput(BIN, (key_of(split, number), piece))


def _share(split: SplitInput, other: SplitInput) -> bool:
    """Return whether two splits share a file; captions are no owner's files."""
    paths = (
        {path for role, path in each.files.items() if role != RECAPD_ROLE}
        for each in (split, other)
    )
    return split.source == other.source and not set.isdisjoint(*paths)


def _indexes_of(splits: Iterable[SplitInput], indexes: Indexes) -> Indexes:
    paths = (path for split in splits for path in split.files.values())
    return {path: indexes[path] for path in paths if path in indexes}


def _division(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division | None:
    divide = spec_of(split).divide
    return divide(split, store, parts, indexes) if divide else None


def _deal_out(path: str, splits: Iterable[_Dealt], store: Store, spool: Spool) -> None:
    """Deal out the records of a file to the bins of all splits that want them."""
    pairs = [
        (some, dealer) for some in splits for name, dealer in some.division.dealers if name == path
    ]
    if not pairs:
        return
    try:
        for position, number, content in deal_out(path, store, [dealer for _, dealer in pairs]):
            pairs[position][0].pages.append((number, page_of(content, spool)))
    except InputFileError as error:
        for some, _ in pairs:
            some.fault = error
