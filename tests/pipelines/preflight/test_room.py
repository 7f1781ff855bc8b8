"""Free disk is compared with the output's size before a build, which counts finished shards."""

import pytest

from pipelines.plan import make_plan
from pipelines.preflight.room import SizeEstimate, check_room
from pipelines.recipes.recipe import Recipe
from pipelines.storage import files
from pipelines.storage.spool import Spool
from schemas.errors import BuildError


@pytest.fixture
def free(monkeypatch):
    """Sets the free bytes of every disk."""
    return lambda number: monkeypatch.setattr(files, "free_bytes", lambda path: number)


def estimated(owner, **fields) -> SizeEstimate:
    return make_plan(Recipe(sources=(owner.request(),), **fields), "", "unused").estimate


def test_an_output_that_fits(free, tmp_path):
    free(1000)
    assert check_room(str(tmp_path), SizeEstimate(likely=1000, at_least=900), spools=True) == ""


def test_an_output_that_does_not_fit_is_refused_with_both_numbers(free, tmp_path):
    free(2_000_000)
    with pytest.raises(BuildError) as caught:
        check_room(
            f"{tmp_path}/new", SizeEstimate(likely=9_000_000, at_least=5_000_000), spools=True
        )
    assert str(caught.value).startswith(
        f"{tmp_path}/new: the output takes about 9.0 MB, and 2.0 MB are free there. Make room,"
    )
    caught.match("--images reference")


def test_what_waits_beside_the_shards_takes_room_too(free, tmp_path):
    free(2_000_000)
    estimate = SizeEstimate(likely=1_900_000, at_least=1_900_000, temporary=200_000)
    line = check_room(str(tmp_path), estimate, spools=True)
    assert "may take 2.1 MB (200.0 kB of it while the run lasts), and 2.0 MB are free" in line
    assert check_room(str(tmp_path), estimate, spools=False) == "", "another engine groups it"


def test_an_output_that_may_not_fit_is_a_warning(free, tmp_path):
    free(2_000_000)
    line = check_room(
        str(tmp_path), SizeEstimate(likely=9_000_000, at_least=1_000_000), spools=True
    )
    assert "may take 9.0 MB, and 2.0 MB are free there. It may not fit." in line


def test_shards_in_the_output_count_as_free(free, tmp_path):
    free(2_000_000)
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "train-00000-of-00002.arrow").write_bytes(bytes(7_000_000))
    (tmp_path / "coco" / "notes.txt").write_bytes(bytes(9_000_000))
    assert (
        check_room(str(tmp_path), SizeEstimate(likely=9_000_000, at_least=8_000_000), spools=True)
        == ""
    )
    with pytest.raises(BuildError, match=r"free there, beside 7\.0 MB of finished shards"):
        check_room(str(tmp_path), SizeEstimate(likely=9_500_000, at_least=9_100_000), spools=True)


def test_a_remote_output_has_room(free):
    free(None)
    assert check_room("gs://bucket/x", SizeEstimate(likely=9, at_least=9), spools=True) == ""


def test_the_estimate_counts_listed_pictures_and_annotations(coco_file):
    owner = coco_file().good(*range(1, 11)).save()
    owner.listed(11, "unlisted.jpg", None)  # it does not exist
    owner.save()
    (owner.pictures / "stray.jpg").write_bytes(bytes(9_000_000))
    pictures = sum((owner.pictures / f"{number}.jpg").stat().st_size for number in range(1, 11))
    records = owner.file.stat().st_size
    waiting = round(records * 0.3)
    assert estimated(owner) == SizeEstimate(
        likely=pictures + records, at_least=round(pictures * 0.8), temporary=waiting
    )
    by_path = estimated(owner, images="reference")
    assert by_path == SizeEstimate(likely=records, at_least=0, temporary=waiting)


def test_a_picture_too_large_to_be_stored_takes_no_room(coco_file):
    owner = coco_file().good(1, 2).save()
    before = estimated(owner)
    with (owner.pictures / "2.jpg").open("r+b") as file:
        file.truncate(10**12)  # a hole, not bytes
    assert estimated(owner).likely < before.likely


def test_the_estimate_follows_limit_and_caps(coco_file):
    owner = coco_file().good(*range(1, 11)).save()
    whole, limited = estimated(owner), estimated(owner, limit=5)
    assert limited.likely == pytest.approx(whole.likely / 2, abs=1)
    assert limited.at_least == pytest.approx(whole.at_least / 2, abs=1)
    assert estimated(owner, limit=1000) == whole
    capped = estimated(owner, per_category=1)
    assert capped == SizeEstimate(likely=whole.likely, at_least=0, temporary=2 * whole.temporary)
    assert limited.temporary == pytest.approx(whole.temporary / 2, abs=1)


@pytest.mark.parametrize("caps", [{}, {"per_category": 10**6}])
def test_the_estimate_is_about_what_a_build_writes(sample_world, run_build, monkeypatch, caps):
    waiting = []
    put = Spool.put

    def counted(spool: Spool, value: bytes):
        waiting.append(len(value))
        return put(spool, value)

    monkeypatch.setattr(Spool, "put", counted)
    request = {"label_set": "Things", **caps}
    output = run_build(sample_world, request=request, guard=False)
    written = sum(shard.bytes for shard in output.manifest().shards)
    recipe = Recipe.model_validate({"sources": [{"name": "coco", **request}]})
    estimate = make_plan(recipe, str(sample_world), "unused").estimate
    assert estimate.at_least < written < 1.6 * estimate.likely
    assert 0.5 * estimate.temporary < sum(waiting) < 1.1 * estimate.temporary
