"""The flow of a RecapD run: the stages of a build, with captioning before a shard is written."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import msgspec

from pipelines.build import select_regions
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.recap.caption_shard import ShardJob, caption_shard
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.clip.scorer import Scorer
from pipelines.recipes.recap import RecapRecipe
from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import ShardKey, shard_key
from schemas.errors import BuildError
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.sample import ImageInfo, Region, ScreenedImage
from transforms.stage import StageDoFn, run_stage

Packed = bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionTools:
    """The functions that make captioner and scorer on a worker, since neither can be pickled."""

    captioner: Callable[[], Captioner]
    scorer: Callable[[], Scorer] | None
    concurrent_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecapFlow:
    """The stages of a RecapD run, as a function that adds them to a pipeline."""

    recipe: RecapRecipe
    fingerprint: str  # digest of the settings that decide captions
    retry_refused: bool  # repeat requests that servers refused in an earlier run
    tools: CaptionTools

    def __call__(self, root: beam.Pipeline, plan: Plan, parts: int) -> None:
        """Add the stages to the pipeline."""
        selected = select_regions(root, plan, parts)
        packed = selected.images | "Pack" >> beam.FlatMap(_pack_images)
        by_shard = packed | GroupByShard(selected.facts, empty=b"")
        written = run_stage(by_shard, _CaptionShard(self, plan))
        stages = (*selected.stages, written)
        written.kept | "Publish" >> Publish(plan, stages, selected.short)


class _PackedImage(msgspec.Struct, frozen=True, array_like=True):
    """An image and the regions to caption, in the format of the shuffle."""

    image: ImageInfo
    regions: tuple[Region, ...]


def _pack_images(batch: Sequence[ScreenedImage]) -> Iterator[tuple[ShardKey, Packed]]:
    """Yield images as bytes, with the key of the image's shard."""
    for screened in batch:
        packed = _ENCODER.encode(_PackedImage(screened.image, screened.regions))
        yield shard_key(screened.image)[0], packed


def _unpack_image(packed: Packed) -> ScreenedImage:
    """Return the image in bytes from `_pack_images`."""
    image = _DECODER.decode(packed)
    return ScreenedImage(image.image, image.regions)


class _CaptionShard(StageDoFn[tuple[ShardKey, Iterable[Packed]], Shard]):
    stage = Stage.WRITE  # the last of the stages that this step performs

    def __init__(self, flow: RecapFlow, plan: Plan) -> None:
        self._flow = flow
        self._write = plan.write_options()
        self._instruction = plan.resolved.instruction

    def setup(self) -> None:
        """Start the event loop of the captioner, and make captioner and scorer."""
        self._loop = asyncio.Runner()
        tools = self._flow.tools
        self._captioner = self._loop.run(_made(tools.captioner))
        self._scorer = tools.scorer() if tools.scorer else None
        planned = self._flow.recipe.filter.scorer
        if self._scorer and self._scorer.identity != planned:
            raise BuildError(
                f"the scorer has changed: {planned} was planned, {self._scorer.identity} is here"
            )

    def teardown(self) -> None:
        """Close the captioner and its event loop."""
        self._loop.run(self._captioner.close())
        self._loop.close()

    def results(self, element: tuple[ShardKey, Iterable[Packed]]) -> Iterator[Shard]:
        """Yield the shard of a key and its images."""
        key, packed = element
        job = ShardJob(
            recipe=self._flow.recipe,
            instruction=self._instruction,
            fingerprint=self._flow.fingerprint,
            retry_refused=self._flow.retry_refused,
            write=self._write,
            concurrent_images=self._flow.tools.concurrent_images,
            captioner=self._captioner,
            scorer=self._scorer,
        )
        images = [_unpack_image(each) for each in packed if each]
        yield caption_shard(key, images, job, self.ledgers, self._loop.run)


async def _made(make: Callable[[], Captioner]) -> Captioner:
    return make()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_PackedImage)
