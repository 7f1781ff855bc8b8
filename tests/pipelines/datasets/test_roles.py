"""What a user may name by role: the same words for the same things in every source."""

import pytest

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.locate import locate_splits
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from schemas.errors import UsageError


def roles_of(name: str, **paths: str) -> dict[str, dict[str, str]]:
    """What is read, by split and role."""
    request = SourceRequest(name=name, paths=paths)
    return {located.split: located.roles for located in locate_splits("/data", request)}


@pytest.fixture(params=CATALOG)
def source(request):
    return request.param


def test_every_role_can_be_named(source):
    usual = roles_of(source)
    for role in {role for roles in usual.values() for role in roles}:
        located_roles = roles_of(source, **{role: "/mine/x"})
        assert {roles[role] for roles in located_roles.values() if role in roles} == {"/mine/x"}
        assert role not in CATALOG[source].splits or list(located_roles) == [role]


def test_pictures_that_lie_elsewhere_have_no_place_below_the_data_root(source):
    request = SourceRequest(name=source, paths={"images": "/mine/x"})
    for located in locate_splits("/data", request):
        assert (located.pictures, located.folder) == ("/mine/x", "")


def test_no_role_is_called_otherwise(source):
    for role in ("pictures", "image", "x"):
        with pytest.raises(UsageError, match=f"--path {source}.{role}"):
            roles_of(source, **{role: "/mine/x"})


def test_a_split_of_coco_that_lies_elsewhere(two_splits, run_build, tmp_path):
    root, splits = two_splits
    usual = run_build(root, request={"label_set": "Things"})
    own = {
        "val": str(splits["val"].file.rename(tmp_path / "mine.json")),
        "images": str(splits["val"].pictures.rename(tmp_path / "jpg")),
    }
    moved = run_build(root, request={"label_set": "Things", "paths": own})
    assert moved.images() == ["4", "5"]
    assert moved.digests().items() < usual.digests().items()


def test_one_folder_may_hold_the_pictures_of_all_splits(two_splits, run_build, tmp_path):
    root, splits = two_splits
    usual = run_build(root, request={"label_set": "Things"})
    (tmp_path / "all").mkdir()
    for split in splits.values():
        for picture in split.pictures.iterdir():
            picture.rename(tmp_path / "all" / picture.name)
    paths = {"images": str(tmp_path / "all")}
    moved = run_build(root, request={"label_set": "Things", "paths": paths})
    assert moved.images() == usual.images()


def test_a_path_that_is_not_there_is_missing(two_splits):
    root, _ = two_splits
    request = SourceRequest(name="coco", paths={"train": "/nowhere/mine.json"})
    with pytest.raises(UsageError, match=r"not complete; missing: /nowhere/mine\.json"):
        make_plan(Recipe(sources=(request,)), str(root), "unused")
