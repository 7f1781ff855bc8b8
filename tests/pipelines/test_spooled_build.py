"""A local build groups ranges of files, not images: these lie on disk, the bytes are the same."""

from collections import Counter
from contextlib import nullcontext

import pytest

from pipelines.datasets.common import slices
from pipelines.runner import launch
from pipelines.shards import pages
from pipelines.storage.spool import Spool

CAPPED = {"per_category": 20}


@pytest.fixture(scope="module")
def owner(coco_file):
    owner = coco_file().good(*range(1, 80))
    owner.region(7001, 99)  # a picture that the file does not list
    return owner.save()


@pytest.fixture
def waiting(monkeypatch):
    """Counts the bytes that wait in memory, and on disk."""
    counts: Counter[str] = Counter()
    put = Spool.put

    def counted(spool: Spool, value: bytes):
        spooled = put(spool, value)
        counts["memory" if isinstance(spooled, bytes) else "disk"] += len(value)
        return spooled

    monkeypatch.setattr(Spool, "put", counted)
    return counts


@pytest.fixture
def in_memory(monkeypatch):
    """Builds without a spool, as on other machines."""

    def build(run_build, owner, **options):
        with monkeypatch.context() as patch:
            patch.setattr(launch, "spool_folder", lambda _: nullcontext(None))
            return run_build(owner, **options)

    return build


@pytest.mark.parametrize("caps", [{}, CAPPED])
def test_the_bytes_are_those_of_a_build_in_memory(owner, run_build, in_memory, waiting, caps):
    plain = in_memory(run_build, owner, request=caps)
    assert set(waiting) == {"memory"}
    waiting.clear()
    spooled = run_build(owner, request=caps)
    assert set(waiting) == {"disk"}
    assert spooled.digests() == plain.digests()
    assert spooled.ledger() == plain.ledger()
    assert not list(spooled.folder.rglob(".tmp-*"))


def test_under_a_cap_on_categories_all_images_wait_twice(owner, run_build, waiting):
    run_build(owner)
    once = waiting["disk"]
    waiting.clear()
    run_build(owner, request={"per_category": "all"})
    assert waiting["disk"] == once
    waiting.clear()
    run_build(owner, request={"per_category": 10**6})
    assert waiting["disk"] > 1.5 * once


def test_annotations_that_are_dealt_out_wait_on_disk(
    owner, run_build, in_parts, waiting, monkeypatch
):
    whole = run_build(owner)
    once = waiting["disk"]
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    waiting.clear()
    assert run_build(owner, launch_options=in_parts).digests() == whole.digests()
    assert set(waiting) == {"disk"}
    assert waiting["disk"] > 1.5 * once


def test_what_waits_for_many_shards_is_bounded(owner, run_build, waiting, monkeypatch):
    whole = run_build(owner)
    monkeypatch.setattr(pages, "WAITING_BYTES", 1000)
    before = waiting["disk"]
    assert run_build(owner).digests() == whole.digests()
    assert waiting["disk"] - before > 1.2 * before, "smaller pages, which shrink less"


def test_a_rerun_deletes_what_a_killed_run_left(owner, run_build, tmp_path):
    output = run_build(owner, tmp_path / "output")
    left = output.folder / "_state" / f".tmp-spool-{'0' * 32}"
    left.write_bytes(b"pages")
    run_build(owner, output.folder)
    assert not left.exists()
