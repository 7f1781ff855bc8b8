"""The flow of a RecapD run: the stages of a build, with captioning before a shard is written."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam

from pipelines.build import select_regions
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.recap.caption_shard import ShardJob, caption_shard
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.cut_share import CutShare
from pipelines.recap.clip.scorer import Scorer
from pipelines.recipes.recap import RecapRecipe
from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import ShardKey
from pipelines.shards.pages import Page, images_in_order, unpack_image
from schemas.errors import BuildError
from schemas.ledger import Stage
from schemas.manifest import Shard
from transforms.stage import StageDoFn, run_stage


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
        by_shard = selected.images | GroupByShard(selected.facts)
        written = run_stage(by_shard, _CaptionShard(self, plan))
        stages = (*selected.stages, written)
        written.kept | "Publish" >> Publish(plan, stages, selected.short)


class _CaptionShard(StageDoFn[tuple[ShardKey, Iterable[Page]], Shard]):
    stage = Stage.WRITE  # the last of the stages that this step performs

    def __init__(self, flow: RecapFlow, plan: Plan) -> None:
        self._flow = flow
        self._write = plan.write_options()
        self._instruction = plan.resolved.instruction

    def setup(self) -> None:
        """Start the event loop of the captioner, and make captioner, judge and scorer."""
        self._loop = asyncio.Runner()
        tools = self._flow.tools
        self._captioner = CutShare(self._loop.run(_made(tools.captioner)))
        self._judge = self._loop.run(_made(tools.judge)) if tools.judge else None
        self._scorer = tools.scorer() if tools.scorer else None
        planned = self._flow.recipe.filter.scorer
        if self._scorer and self._scorer.identity != planned:
            raise BuildError(
                f"the scorer has changed: {planned} was planned, {self._scorer.identity} is here"
            )

    def teardown(self) -> None:
        """Close captioner and judge, and their event loop."""
        self._loop.run(self._captioner.close())
        if self._judge:
            self._loop.run(self._judge.close())
        self._loop.close()

    def results(self, element: tuple[ShardKey, Iterable[Page]]) -> Iterator[Shard]:
        """Yield the shard of a key and its images."""
        key, pages = element
        job = ShardJob(
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
        )
        images = [unpack_image(packed.content) for packed in images_in_order(pages)]
        yield caption_shard(key, images, job, self.ledgers, self._loop.run)


async def _made(make: Callable[[], Captioner]) -> Captioner:
    return make()
