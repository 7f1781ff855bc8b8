"""The writing of a report, from the shards of an output to its pages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from PIL import Image

from pipelines.output.picture import NoPictureError, record_picture
from pipelines.output.reader import read_ledger, read_manifest
from pipelines.preview.facts import build_facts
from pipelines.preview.record import Record
from pipelines.recipes.recap import Filter
from pipelines.report import names
from pipelines.report.cards import record_cards, rejected_card
from pipelines.report.charts import charts
from pipelines.report.choose import (
    Chosen,
    choose_refs,
    choose_rejections,
    chosen_records,
    rejected_captions,
)
from pipelines.report.flow import flows
from pipelines.report.grids import Judged, write_grids
from pipelines.report.index import IndexPage, write_index
from pipelines.report.pictures import owners_picture
from pipelines.report.render import render
from pipelines.report.samples import Sample, make_sample
from pipelines.report.spool import Spool
from pipelines.report.statistics import Statistics, clip_bin, counted_ids
from pipelines.storage import files
from schemas.ids import image_of
from schemas.manifest import Manifest
from schemas.rejection import RejectedCaption, Rejection
from schemas.sample import Task

_PER_PAGE = 100  # records
_NO_ROOT = "is not in a record that is shown: give --data-root to see it"

_OnProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What a report shows, and where its pictures lie."""

    count: int = 1000  # records that are shown, at most
    data_root: str | None = None  # the folder of pictures that are not in the shards


def write_report(
    output: str,
    folder: str,
    options: ReportOptions,
    on_progress: _OnProgress = lambda state: None,
) -> int:
    """Write the report of a finished output, and return the number of records it shows.

    Args:
        output: the folder of the output.
        folder: the folder of the report; an earlier report in it is replaced.
        options: what the report shows.
        on_progress: called with the state of the work, in words.

    Raises:
        InputFileError: there is no finished output, or a file of it is damaged.
        UsageError: the folder of the report holds other files.
    """
    manifest = read_manifest(output)
    names.empty_folder(folder)
    statistics = Statistics()
    chosen = _choose(output, manifest, options.count, statistics)
    with Spool() as spool:
        writer = _Writer(folder, options.data_root, spool)
        pages = writer.write_records(chosen, on_progress)
        writer.add_rejected(chosen)
        judged = _judged(output, manifest)
        on_progress(f"{len(spool):,} cards")
        facets = write_grids(spool, folder, judged)
        page = IndexPage(
            folder=folder,
            judged=judged,
            shown=len(chosen.refs),
            cards=len(spool),
            facets=facets,
            records=pages,
        )
    write_index(
        page,
        facts=build_facts(output),
        charts=charts(statistics, manifest.short_categories, judged.threshold),
        flows=flows(read_ledger(output)),
    )
    return len(chosen.refs)


def _choose(output: str, manifest: Manifest, count: int, statistics: Statistics) -> Chosen:
    """Return what is shown, and count everything on the way."""
    paths = [files.join(output, shard.path) for shard in manifest.shards]
    refs = choose_refs(counted_ids(paths, statistics), count)
    everything = len(refs) == statistics.records.total()

    def counted() -> Iterator[tuple[Rejection, RejectedCaption]]:
        for rejection, caption in rejected_captions(output, manifest.rejected):
            if caption.clip is not None:
                statistics.rejected_clip[clip_bin(caption.clip)] += 1
            yield rejection, caption

    return choose_rejections(counted(), refs, everything=everything)


def _judged(output: str, manifest: Manifest) -> Judged:
    """Return what the marks of a report are about."""
    stated: dict[str, Any] = manifest.identity.recipe.get("filter") or {}
    kept = Filter.model_validate(stated)
    digest = sha256(manifest.model_dump_json().encode()).hexdigest()[:16]
    return Judged(output, digest, kept.scored_by or "", kept.threshold)


class _Writer:
    """The writer of pages of records, which passes their cards to the spool."""

    def __init__(self, folder: str, data_root: str | None, spool: Spool) -> None:
        self._folder = folder
        self._data_root = data_root
        self._spool = spool

    def write_records(self, chosen: Chosen, on_progress: _OnProgress) -> int:
        """Write the pages of the chosen records, and return their number.

        Rejected captions of the records' images are taken from `chosen.rejections`.
        """
        records = chosen_records(chosen.refs)
        total = -(-len(chosen.refs) // _PER_PAGE)
        number = 0
        while page := [
            self._sample(record, f"{names.records_page(number + 1)}#{position}", chosen)
            for position, record in enumerate(islice(records, _PER_PAGE), start=1)
        ]:
            number += 1
            before = names.records_page(number - 1) if number > 1 else ""
            after = names.records_page(number + 1) if number < total else ""
            content = render(
                "records",
                title=f"Records, page {number} of {total}",
                samples=page,
                before=before,
                after=after,
                first=(number - 1) * _PER_PAGE,
                total=len(chosen.refs),
                index=names.INDEX,
            )
            files.write_whole(files.join(self._folder, names.records_page(number)), content)
            on_progress(f"{(number - 1) * _PER_PAGE + len(page):,} of {len(chosen.refs):,} records")
        return number

    def add_rejected(self, chosen: Chosen) -> None:
        """Add the cards of rejected captions whose images have no record that is shown."""
        for rejections in chosen.rejections.values():
            image, missing = self._owners(rejections[0][1])
            self._add(rejections, image, missing)

    def _sample(self, record: Record, link: str, chosen: Chosen) -> Sample:
        image, missing = self._picture(record)
        for card in record_cards(record, image, missing, link):
            self._spool.add(card)
        if image is not None:
            self._add(chosen.rejections.pop(image_of(record["id"]), []), image, "")
        return make_sample(record, image, missing)

    def _add(
        self,
        rejections: list[tuple[Rejection, RejectedCaption]],
        image: Image.Image | None,
        missing: str,
    ) -> None:
        for rejection, caption in rejections:
            card = rejected_card(rejection, caption, Task.REGION_DETAILED_CAPTION, image, missing)
            self._spool.add(card)

    def _picture(self, record: Record) -> tuple[Image.Image | None, str]:
        """Return a record's picture, or why there is none."""
        if record["image"] is None:
            return None, "text only"
        try:
            return record_picture(record, self._data_root), ""
        except NoPictureError as cause:
            return None, f"{record['image']['path']} {cause}"

    def _owners(self, caption: RejectedCaption) -> tuple[Image.Image | None, str]:
        """Return the picture of a rejected caption from the data root, or why there is none."""
        if self._data_root is None:
            return None, f"{caption.file} {_NO_ROOT}"
        try:
            return owners_picture(self._data_root, caption.file), ""
        except NoPictureError as cause:
            return None, f"{caption.file} {cause}"
