"""What a reader of Visual Genome holds of a file: all of it once, or a copy of its part alone."""

import gc
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.datasets.visual_genome.records import REGIONS, read_records


@pytest.fixture
def traced() -> Iterator[None]:
    """Counts the bytes that are held."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def content_of(images: int) -> bytes:
    region = b'{"region_id": %d, "phrase": "' + b"a long phrase " * 90 + b'"}'
    record = b'{"id": %d, "regions": [' + region + b"]}"
    return b"[" + b",".join(record % (number, number) for number in range(images)) + b"]"


@pytest.mark.parametrize("parts", [1, 2])
def test_the_content_is_held_once_or_for_its_part(traced: None, parts: int) -> None:
    split: Any = SimpleNamespace(parts=parts, owns=lambda image: int(image) % parts == 0)
    before = held()
    content = content_of(2_000)
    size = held() - before
    records = read_records(content, "region_descriptions.json", REGIONS, split, (), None)
    assert len(records.items) == 2_000 / parts
    if parts == 1:
        assert held() - before < 1.4 * size, "records are views of the content"
    del content
    left = held() - before
    if parts == 2:
        assert 0.4 * size < left < 0.8 * size, "no view holds the other part's bytes"
    assert len(records.take(0)) == 1
