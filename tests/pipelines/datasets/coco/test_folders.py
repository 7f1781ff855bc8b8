"""COCO's pictures are read where its owner unpacks them, and below `images` as well."""

import pytest
from PIL import Image

from pipelines.datasets.spec import SourceRequest
from pipelines.locate import locate_splits
from schemas.errors import UsageError


def moved(root, splits, above):
    """Move the pictures of both splits into another folder."""
    (root / above).mkdir(parents=True)
    for name, split in splits.items():
        split.pictures.rename(root / above / f"{name}2017")


def test_pictures_below_images_need_no_flag(two_splits, run_build):
    root, splits = two_splits
    moved(root, splits, "coco/images")
    output = run_build(root, request={"label_set": "Things"}, images="reference")
    assert output.images() == ["1", "2", "3", "4", "5"]
    for row in output.rows():  # a build by reference names them below the data root
        with Image.open(root / row["image"]["path"]) as picture:
            assert picture.size == (48, 32)


def test_one_named_folder_holds_the_folders_of_both_splits(two_splits, run_build):
    root, splits = two_splits
    moved(root, splits, "elsewhere")
    given = {"label_set": "Things", "paths": {"images": str(root / "elsewhere")}}
    output = run_build(root, request=given, images="reference")
    assert output.images() == ["1", "2", "3", "4", "5"]
    assert all((root / "elsewhere" / row["image"]["path"]).is_file() for row in output.rows())


def test_a_path_that_nothing_reads_is_still_refused(two_splits):
    root, _ = two_splits
    asked = SourceRequest(name="coco", paths={"pictures": str(root)})
    with pytest.raises(UsageError, match="reads nothing that is called 'pictures'"):
        locate_splits(str(root), asked)
