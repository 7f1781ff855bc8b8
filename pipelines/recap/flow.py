"""The flow of a RecapD run: the stages of a build, with captioning before a shard is written.

Where captions are compared with one another, shards are gone through twice: first all are
captioned, then they are written from the journals, without the captions that repeat others.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import apache_beam as beam
from apache_beam.pvalue import AsMultiMap
from apache_beam.utils.shared import Shared

from pipelines.build import select_regions
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.recap.caption_shard import ShardJob, caption_shard, sketch_shard
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.cut_share import CutShare
from pipelines.recap.captioning.replay import WrittenDownCaptioner, WrittenDownScorer
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.repeats import leave_out, unpack_left_out
from pipelines.recipes.recap import RecapRecipe
from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import ShardKey
from pipelines.shards.pages import Page, images_in_order, unpack_image
from schemas.errors import BuildError
from schemas.layout import shard_path
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.sample import ScreenedImage
from transforms.stage import StageDoFn, WatchedDoFn, run_stage
from transforms.subsample import CategoryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionTools:
    """The functions that make captioner, scorer and judge on a worker: none can be pickled."""

    captioner: Callable[[], Captioner]
    scorer: Callable[[], Scorer] | None
    concurrent_images: int
    judge: Callable[[], Captioner] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecapFlow:
    """The stages of a RecapD run, as a function that adds them to a pipeline."""

    recipe: RecapRecipe
    fingerprints: tuple[str, ...]  # digests that name the journals
    segmented: bool  # journals are written as segments, not appended to
    retry_refused: bool  # repeat requests that servers refused in an earlier run
    tools: CaptionTools

    def __call__(self, root: beam.Pipeline, plan: Plan, parts: int) -> None:
        """Add the stages to the pipeline."""
        selected = select_regions(root, plan, parts)
        by_shard = selected.images | GroupByShard(selected.facts, spool=plan.spool)
        if not self.recipe.filter.compares:
            written = run_stage(by_shard, _CaptionShard(self, plan))
        else:
            left_out = (
                by_shard
                | "Sketch" >> beam.ParDo(_SketchShard(self, plan))
                | "ByCategory" >> beam.GroupByKey()
                | "Compare" >> beam.FlatMap(leave_out, self.recipe.filter)
            )
            second = _CaptionShard(self._from_journals(), plan)
            written = run_stage(by_shard, second, left_out=AsMultiMap(left_out))
        stages = (*selected.stages, written)
        written.kept | "Publish" >> Publish(plan, stages, selected.short)

    def _from_journals(self) -> "RecapFlow":
        """Return the flow with tools that take answers and scores from journals alone."""
        tools = CaptionTools(
            captioner=WrittenDownCaptioner,
            scorer=partial(WrittenDownScorer, self.recipe.filter.scorer)
            if self.tools.scorer
            else None,
            concurrent_images=self.tools.concurrent_images,
            judge=WrittenDownCaptioner if self.tools.judge else None,
        )
        return replace(self, retry_refused=False, tools=tools)


# Some engines work on several shards in threads of a process; the limit of calls is a process's.
_ONE_SHARD = threading.Lock()


class _Workshop:
    """The tools of a worker, made where they are used, and what else a shard takes."""

    def __init__(self, flow: RecapFlow, plan: Plan) -> None:
        self._flow = flow
        self._write = plan.write_options()
        self._instruction = plan.resolved.instruction
        self._shared = Shared()  # one scorer for all threads of a worker

    def open(self) -> None:
        """Start the event loop of the captioner, and make captioner, judge and scorer."""
        self._loop = asyncio.Runner()
        tools = self._flow.tools
        self._captioner = CutShare(self._loop.run(_made(tools.captioner)))
        self._judge = self._loop.run(_made(tools.judge)) if tools.judge else None
        self._scorer = self._shared.acquire(tools.scorer) if tools.scorer else None
        planned = self._flow.recipe.filter.scorer
        if self._scorer and self._scorer.identity != planned:
            raise BuildError(
                f"the scorer has changed: {planned} was planned, {self._scorer.identity} is here"
            )

    def close(self) -> None:
        """Close captioner and judge, and their event loop."""
        self._loop.run(self._captioner.close())
        if self._judge:
            self._loop.run(self._judge.close())
        self._loop.close()

    def job(self) -> ShardJob:
        """Return the options and tools for a shard."""
        return ShardJob(
            recipe=self._flow.recipe,
            instruction=self._instruction,
            fingerprints=self._flow.fingerprints,
            segmented=self._flow.segmented,
            retry_refused=self._flow.retry_refused,
            write=self._write,
            concurrent_images=self._flow.tools.concurrent_images,
            captioner=self._captioner,
            scorer=self._scorer,
            judge=self._judge,
            run=self._loop.run,
        )


class _SketchShard(WatchedDoFn):
    """The first pass of a run that compares captions: it captions, and writes answers down."""

    def __init__(self, flow: RecapFlow, plan: Plan) -> None:
        self._workshop = _Workshop(flow, plan)

    def setup(self) -> None:
        """Make the tools."""
        super().setup()
        self._workshop.open()

    def teardown(self) -> None:
        """Close the tools."""
        self._workshop.close()

    def process(
        self, element: tuple[ShardKey, Iterable[Page]]
    ) -> Iterator[tuple[CategoryKey, bytes]]:
        """Yield the sketches of a shard's captions, by class."""
        key, pages = element
        with _ONE_SHARD:
            sketches = list(sketch_shard(key, _images(pages), self._workshop.job()))
        yield from sketches


class _CaptionShard(StageDoFn[tuple[ShardKey, Iterable[Page]], Shard]):
    stage = Stage.WRITE  # the last of the stages that this step performs

    def __init__(self, flow: RecapFlow, plan: Plan) -> None:
        self._workshop = _Workshop(flow, plan)

    def setup(self) -> None:
        """Make the tools."""
        super().setup()
        self._workshop.open()

    def teardown(self) -> None:
        """Close the tools."""
        self._workshop.close()

    def results(
        self,
        element: tuple[ShardKey, Iterable[Page]],
        left_out: Mapping[str, Iterable[bytes]] | None = None,
    ) -> Iterator[Shard]:
        """Yield the shard of a key and its images, without the captions that are left out."""
        key, pages = element
        repeats = unpack_left_out(left_out[shard_path(*key)]) if left_out is not None else {}
        with _ONE_SHARD:
            job = self._workshop.job()
            shard = caption_shard(key, _images(pages), job, repeats, self.ledgers)
        yield shard


def _images(pages: Iterable[Page]) -> list[ScreenedImage]:
    return [unpack_image(packed.content) for packed in images_in_order(pages)]


async def _made(make: Callable[[], Captioner]) -> Captioner:
    return make()
