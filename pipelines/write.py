"""Write: the stage that turns screened images into shards, shard by shard.

The flow:
1. pack the images of each shard into pages; drop those of shards that an earlier run finished;
2. group pages by shard, which the hash of the image id decides;
3. per shard, in the order of the hashes, some images at a time: compose their conversations; then
   read each picture, check it against its annotated size, turn it upright if need be, and write its
   rows;
4. save the state of each finished shard: inputs, fingerprint, and what was counted for it.

All work that takes long lies behind the grouping, so that shards are finished one after another.
Image bytes are read here, never shuffled.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from pipelines.images import ComposeImage
from pipelines.shards.drafts import write_draft
from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import ShardKey, WriteOptions
from pipelines.shards.pages import PackedImage, Page, images_in_order, unpack_image
from pipelines.shards.state import ShardState, load_state, save_state
from pipelines.shards.writer import shard_file
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.layout import shard_path
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.sample import Draft, ScreenedImage
from schemas.source import SplitFacts
from transforms.ledger import Ledgers
from transforms.progress import Progress
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage

_AT_ONCE = 256  # images that are composed before their pictures are read

Compose = Callable[[bytes, Ledgers], Draft | None]  # the draft of a packed image's content


def write_shard(
    key: ShardKey,
    images: Sequence[PackedImage],
    compose: Compose,
    options: WriteOptions,
    ledgers: Ledgers,
) -> Shard:
    """Return the manifest's entry of a shard; the shard is written unless it already exists.

    Args:
        key: the key of the shard.
        images: all images of the shard, in order.
        compose: function that makes the draft of an image.
        options: the options of the shard writer.
        ledgers: the ledgers of the stages; the counts of an existing shard are added again.
    """
    inputs = options.inputs[key[:2]]
    fingerprint = _fingerprint(images, options.makings[key[0]])
    state = load_state(options.output, shard_path(*key))
    if state is None or state.fingerprint != fingerprint:
        of_shard = Ledgers()  # of this shard only, with which they are saved
        written = _write_images(key, images, compose, options, of_shard)
        state = ShardState.of(inputs, fingerprint, written, of_shard)
        save_state(options.output, state)
    elif state.inputs != inputs:  # images of other shards came, went or changed
        save_state(options.output, replace(state, inputs=inputs))
    state.restore(ledgers)
    return state.shard


def restored_shard(key: ShardKey, options: WriteOptions, ledgers: Ledgers) -> Shard:
    """Return the entry of a shard that an earlier run finished, and add its counts to the ledgers.

    Raises:
        BuildError: the shard is no longer as it was when this run began.
    """
    name = shard_path(*key)
    state = load_state(options.output, name)
    if state is None:
        raise BuildError(
            f"{files.join(options.output, name)} was finished when this run began, but is not "
            "any more: another run wrote into the output. Run the same command again, alone."
        )
    state.restore(ledgers)
    return state.shard


def _fingerprint(images: Iterable[PackedImage], making: str) -> str:
    """Return the SHA-256, in hexadecimal, of everything that decides a shard's bytes.

    Owners' files count by what was read of the images of the shard, and pictures by name and size
    only; a picture replaced by another of the same size goes unnoticed.

    Args:
        images: all images of the shard, in order.
        making: the digest of all that decides what is made of an image.
    """
    digest = hashlib.sha256(making.encode())
    for image in images:
        digest.update(len(image.content).to_bytes(8))
        digest.update(image.content)
    return digest.hexdigest()


def _write_images(
    key: ShardKey,
    images: Sequence[PackedImage],
    compose: Compose,
    options: WriteOptions,
    ledgers: Ledgers,
) -> Shard:
    source, split, index, of = key
    name = shard_path(source, split, index, of)
    path = files.join(options.output, name)
    progress = Progress(Stage.WRITE)
    with shard_file(path, options.stamp, embed=options.images == "embed") as (out, sink):
        for first in range(0, len(images), _AT_ONCE):
            # Megabytes of pictures would push what composing needs out of the processor's cache.
            batch = images[first : first + _AT_ONCE]
            for draft in [compose(image.content, ledgers) for image in batch]:
                if draft is not None:
                    write_draft(draft, out, options, ledgers[Stage.WRITE])
                progress.add()
    progress.flush()
    return Shard(
        config=source,
        split=split,
        index=index,
        of=of,
        path=name,
        rows=out.rows,
        bytes=sink.bytes,
        sha256=sink.sha256(),
        captions=out.captions,
        caption_words=out.caption_words,
        turns=out.turns,
    )


class _WriteShard(StageDoFn[tuple[ShardKey, Iterable[Page]], Shard]):
    stage = Stage.WRITE  # the last of the stages that this step performs

    def __init__(
        self, compose: ComposeImage, options: WriteOptions, finished: frozenset[str]
    ) -> None:
        self._compose = compose
        self._options = options
        self._finished = finished

    def results(self, element: tuple[ShardKey, Iterable[Page]]) -> Iterator[Shard]:
        """Yield the shard of a key, written from its pages unless it is finished."""
        key, pages = element
        if shard_path(*key) in self._finished:
            yield restored_shard(key, self._options, self.ledgers)
        else:
            images = images_in_order(pages)
            yield write_shard(key, images, self._draft, self._options, self.ledgers)

    def _draft(self, content: bytes, ledgers: Ledgers) -> Draft | None:
        return self._compose(unpack_image(content), ledgers)


@dataclass
class WriteShards(StageTransform[PCollection[list[ScreenedImage]], StageOutputs[Shard]]):
    """Batches of ScreenedImage -> the manifest's entry of each shard."""

    compose: ComposeImage
    options: WriteOptions
    facts: PCollection[SplitFacts]
    finished: frozenset[str] = field(default=frozenset())  # paths of shards of an earlier run

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> StageOutputs[Shard]:
        """Group the images by shard, and write each shard."""
        by_shard = pcoll | GroupByShard(self.facts, self.finished, self.options.spool)
        return run_stage(by_shard, _WriteShard(self.compose, self.options, self.finished))
