"""A shard is written in batches, whatever repeats or is skipped within them."""

import hashlib

import pyarrow as pa
import pytest

from pipelines.shards import writer as module
from pipelines.shards.writer import shard_file
from schemas.columns import BuildStamp, Row
from schemas.sample import Conversation, Message, Task

STAMP = BuildStamp(builder="test", recipe="all", seed=0)


@pytest.fixture
def row(make_image):
    """Makes a row of a numbered record."""

    def make(number: int, path: str | None = "a.jpg") -> Row:
        image = make_image(source="s", split="t", file_name=path, width=1, height=1)
        size = (number + 1, 2) if path else (None, None)
        return Row(image, path, conversation(number), size)

    return make


def conversation(number: int) -> Conversation:
    return Conversation(
        id=f"s/t/{number}/x/0",
        turn_tasks=(Task.IMAGE_CAPTION,),
        regions=(),
        messages=(Message("user", "?"), Message("assistant", "!")),
        prompts=("p",),
    )


def test_an_image_repeats_across_batches_without_piling_up(row, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    monkeypatch.setattr(module, "LARGE", 300)
    path = tmp_path / "t-00000-of-00001.arrow"
    expected: list[bytes | None] = []
    with shard_file(str(path), STAMP, embed=True) as (out, sink):
        for number in range(40):
            content = bytes([number]) * (150 + 7 * number)
            out.images.room(len(content) + 1)[: len(content)] = content
            out.images.commit(len(content))
            out.add(row(number))
            for _ in range(number % 5):
                out.repeat_image()
                out.add(row(number))
            expected += [content] * (1 + number % 5)
            assert out.images.size < 2_000
        out.images.skip()
        out.add(row(40, None))
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
