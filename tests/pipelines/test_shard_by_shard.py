"""Shards are finished one after another, and a rerun composes only images of unfinished ones."""

import shutil
from pathlib import Path

import pytest

from transforms.compose import compose_image

LABELS = {"label_set": "Shapes-15"}
SHARD_BYTES = 200_000
SHARD = "coco/train-00001-of-00004.arrow"


def same(root: Path, run_build, output: Path | None = None):
    return run_build(root, output, request=LABELS, shard_bytes=SHARD_BYTES)


@pytest.fixture(scope="module")
def built(sample_world, run_build):
    return same(sample_world, run_build)


@pytest.fixture
def output(built, output_of, tmp_path):
    return output_of(Path(shutil.copytree(built.folder, tmp_path / "output")))


@pytest.fixture
def composed(monkeypatch):
    """Watches composing: the ids of images, each with the value of `look` at that moment."""
    images: dict[str, object] = {}

    def watch(look=lambda: None):
        def noting(screened, *arguments):
            images[f"{screened.image.split}/{screened.image.image_id}"] = look()
            return compose_image(screened, *arguments)

        monkeypatch.setattr("pipelines.images.compose_image", noting)
        return images

    return watch


def images_of(output, shard: str) -> set[str]:
    return {"/".join(row["id"].split("/")[1:3]) for row in output.rows(shard)}


def times(output) -> dict[str, int]:
    return {path: (output.folder / path).stat().st_mtime_ns for path in output.digests()}


def test_shards_are_on_disk_while_others_are_not_composed(
    sample_world, run_build, built, composed, tmp_path
):
    finished = composed(lambda: sum(1 for _ in tmp_path.glob("coco/*.arrow")))
    assert same(sample_world, run_build, tmp_path).digests() == built.digests()
    shards = len(built.digests())
    assert set(finished.values()) == set(range(shards))


def test_a_rerun_composes_only_images_of_unfinished_shards(
    sample_world, run_build, built, output, composed
):
    images = composed()
    (output.folder / SHARD).unlink()
    again = same(sample_world, run_build, output.folder)
    assert images.keys() >= images_of(built, SHARD)
    for other in built.digests().keys() - {SHARD}:
        assert images.keys().isdisjoint(images_of(built, other))
    assert again.digests() == built.digests()
    assert again.manifest() == built.manifest()
    assert again.ledger() == built.ledger()
    assert again.rejected() == built.rejected()


def test_a_file_beside_the_pictures_costs_a_look_at_every_image_once(
    sample_world, run_build, composed, tmp_path
):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    output = same(root, run_build)
    before = times(output)
    states = list(output.folder.glob("_state/coco/val-*.json"))
    known = [path.read_bytes() for path in states]
    (root / "coco" / "val2017" / "notes.txt").write_bytes(b"not annotated")
    images = composed()
    assert times(same(root, run_build, output.folder)) == before
    assert images == {}
    now = [path.read_bytes() for path in states]
    assert all(one != other for one, other in zip(known, now, strict=True)), "found at once, next"


def test_counts_of_masks_that_were_repaired_come_back(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, segmentation="no mask")
    owner.picture(4)
    owner.save()
    output = run_build(owner)
    first = output.ledger(), output.rejected()
    assert output.repaired() == {("annotation", "mask_malformed"): 1}
    again = run_build(owner, output.folder)
    assert (again.ledger(), again.rejected()) == first
