"""A shard is written in batches, whatever repeats or is skipped within them."""

import hashlib

import msgspec
import pyarrow as pa
import pytest

from pipelines.shards import rows as shard_rows
from pipelines.shards import writer as module
from pipelines.shards.pages import PAGE_BYTES, Packer, pack_page
from pipelines.shards.rows import ShardRows
from pipelines.shards.writer import shard_file
from schemas.columns import BuildStamp
from schemas.manifest import ImagesMode
from schemas.sample import Conversation, Draft, Message, Task

STAMP = BuildStamp(builder="test", recipe="all", seed=0)
HOW: tuple[ImagesMode, BuildStamp] = ("embed", STAMP)


@pytest.fixture
def draft(make_image):
    """Makes what a record is made of."""

    def make(number: int, path: str | None = "a.jpg") -> Draft:
        talk = conversation(number)
        return Draft(make_image(source="s", split="t", file_name=path, width=1, height=1), (talk,))

    return make


def conversation(number: int) -> Conversation:
    return Conversation(
        id=f"s/t/{number}/x/0",
        turn_tasks=(Task.IMAGE_CAPTION,),
        regions=(),
        messages=(Message("user", "?"), Message("assistant", "!")),
        prompts=("p",),
    )


def test_an_image_repeats_across_batches_without_piling_up(draft, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    monkeypatch.setattr(module, "LARGE", 300)
    path = tmp_path / "t-00000-of-00001.arrow"
    expected: list[bytes | None] = []
    drafts = [*map(draft, range(40)), draft(40, None)]
    rows = ShardRows([pack_page(list(enumerate(drafts)), *HOW)])
    with shard_file(str(path), rows, embed=True) as (out, sink):
        for number in range(40):
            content = bytes([number]) * (150 + 7 * number)
            out.images.room(len(content) + 1)[: len(content)] = content
            out.images.commit(len(content))
            out.add(number, (number + 1, 2))
            for _ in range(number % 5):
                out.repeat_image()
                out.add(number, (number + 1, 2))
            expected += [content] * (1 + number % 5)
            assert out.images.size < 2_000
        out.images.skip()
        out.add(40, (None, None))
        expected.append(None)
    stream = pa.ipc.open_stream(path.read_bytes())
    batches = list(stream)
    assert len(batches) > 10
    stored = [image and image["bytes"] for batch in batches for image in batch["image"].to_pylist()]
    assert stored == expected
    table = pa.Table.from_batches(batches)
    numbers = [number for number in range(40) for _ in range(1 + number % 5)]
    assert table["id"].to_pylist() == [f"s/t/{number}/x/0" for number in (*numbers, 40)]
    assert table["width"].to_pylist() == [*(number + 1 for number in numbers), None]
    assert sink.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sink.bytes == path.stat().st_size


def test_rows_may_hold_more_text_than_one_batch_can(draft, monkeypatch):
    pages = [
        pack_page([(97 * number % 50, draft(number)) for number in range(first, first + 10)], *HOW)
        for first in range(0, 50, 10)
    ]
    wanted = [40, 3, 3, 49, 0, 17]
    whole = ShardRows(pages)
    monkeypatch.setattr(shard_rows, "PART_BYTES", 1_500)
    parted = ShardRows(pages)
    assert parted.take(wanted).equals(whole.take(wanted))
    assert parted.take(wanted)["id"].to_pylist() == [f"s/t/{row}/x/0" for row in wanted]
    assert parted.fingerprint(*HOW) == whole.fingerprint(*HOW)


def test_long_texts_fill_a_page_as_regions_do(draft):
    packer, key = Packer(*HOW), ("s", "t", 0, 1)
    long = (Message("user", "word " * (PAGE_BYTES // 15)), Message("assistant", "!"))
    pages = []
    for number in range(7):
        long_draft = draft(number)
        talk = msgspec.structs.replace(long_draft.conversations[0], messages=long)
        long_draft = msgspec.structs.replace(long_draft, conversations=(talk,))
        pages.append(len(list(packer.add(key, number, long_draft))))
    assert pages == [0, 0, 1, 0, 0, 1, 0]
    assert len(list(packer.rest())) == 1
