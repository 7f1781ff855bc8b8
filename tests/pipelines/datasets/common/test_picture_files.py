"""Pictures under the names that tools write: found where one file fits, and else refused.

The expected file of each name is written down by hand.
"""

from unicodedata import normalize

import pytest

from pipelines.datasets.common.picture_files import PictureFiles
from schemas.rejection import Reason, Rejected
from schemas.source import Sizing, SplitInput

FOLDER = "/work/mine/images"


def files(*paths, names=(), last_part=False, own_file=True):
    split = SplitInput(
        source="coco",
        split="train",
        files={},
        pictures=FOLDER,
        folder="",
        licence="",
        seed=0,
        sizing=Sizing(shard_bytes=1, embed=True, record_per_region=False, per_category=None),
        own_file=own_file,
        last_part=last_part,
    )
    return PictureFiles(split, dict.fromkeys(paths, 1), names)


FOUND = {  # the name in the file, and the path of the picture
    "as it is": ("a/1.jpg", "a/1.jpg"),
    "a dot in front": ("./a/1.jpg", "a/1.jpg"),
    "backslashes": (r"a\1.jpg", "a/1.jpg"),
    "backslashes and the folder": (r"images\a\1.jpg", "a/1.jpg"),
    "URL-encoded": ("my%20photo%201.jpg", "my photo 1.jpg"),
    "URL-encoded slashes": ("a%2F1.jpg", "a/1.jpg"),
    "a percent sign of its own": ("100%25.jpg", "100%25.jpg"),
    "case of the ending": ("a/1.JPG", "a/1.jpg"),
    "case of the ending, of the file": ("2.jpeg", "2.JPEG"),
    "composed": ("Jalape\u00f1o.jpg", "Jalapen\u0303o.jpg"),
    "composed and encoded": ("Jalape%C3%B1o.jpg", "Jalapen\u0303o.jpg"),
    "decomposed": (normalize("NFD", "Ärger.jpg"), "Ärger.jpg"),
    "the folder's name": ("images/a/1.jpg", "a/1.jpg"),
    "the last two folders": ("mine/images/a/1.jpg", "a/1.jpg"),
    "the whole path": ("/work/mine/images/a/1.jpg", "a/1.jpg"),
}
PATHS = ("a/1.jpg", "my photo 1.jpg", "100%25.jpg", "100%.jpg", "2.JPEG", "Jalapen\u0303o.jpg")


@pytest.mark.parametrize(("name", "path"), FOUND.values(), ids=FOUND)
def test_a_picture_is_found(name, path):
    pictures = files(*PATHS, "Ärger.jpg")
    assert pictures.path_of(name) == path
    assert pictures.matched == (set() if name.removeprefix("./") == path else {name})


def test_the_owners_spelling_comes_first():
    pictures = files("images/1.jpg", "1.jpg", "a%201.jpg", "a 1.jpg")
    assert pictures.path_of("images/1.jpg") == "images/1.jpg"
    assert pictures.path_of("a%201.jpg") == "a%201.jpg"
    assert not pictures.matched


REFUSED = {
    "absolute": "/data/sets/1.jpg",
    "a way out": "../../upload/1.jpg",
    "a way out, encoded": "%2e%2e/upload/1.jpg",
    "a drive": r"C:\data\1.jpg",
    "a URL": "https://host.example/a/1.jpg?size=big",
    "a file's URL": "file:///data/1.jpg",
}


@pytest.mark.parametrize("name", REFUSED.values(), ids=REFUSED)
def test_a_name_that_leads_elsewhere_is_refused_with_the_near_file(name):
    with pytest.raises(Rejected) as refused:
        files("b/1.jpg", "2.jpg").path_of(name)
    if "%" not in name:  # else it is a safe name, of no file
        assert refused.value.reason is Reason.IMAGE_UNSAFE_PATH
    assert "; 'b/1.jpg' is there: --coco-last-part goes by" in refused.value.detail
    assert files("b/1.jpg", "2.jpg", last_part=True).path_of(name) == "b/1.jpg"


@pytest.mark.parametrize("last_part", [False, True])
@pytest.mark.parametrize("name", ["/etc/passwd", "../../etc/passwd", "/work/mine/passwd"])
def test_nothing_outside_of_the_folder_is_returned(name, last_part):
    with pytest.raises(Rejected, match=Reason.IMAGE_UNSAFE_PATH):
        files("1.jpg", last_part=last_part).path_of(name)


def test_two_files_that_fit_are_one_too_many():
    with pytest.raises(Rejected, match=r"no file '1\.jPG' in the folder; '1\.JPG' is there"):
        files("1.JPG", "1.jpg").path_of("1.jPG")


def test_a_file_of_another_ending_is_named_and_not_taken():
    with pytest.raises(Rejected, match=r"no file '1\.jpg' in the folder; '1\.png' is there$"):
        files("1.png").path_of("1.jpg")


def test_the_last_part_goes_by_as_many_parts_as_are_shared():
    names = ["/x/train/1.jpg", "/x/val/1.jpg"]
    pictures = files("train/1.jpg", "val/1.jpg", names=names, last_part=True)
    assert [pictures.path_of(name) for name in names] == ["train/1.jpg", "val/1.jpg"]


def test_the_last_part_of_several_names_is_not_enough():
    names = ["/x/train/1.jpg", "/x/val/1.jpg"]
    pictures = files("1.jpg", names=names, last_part=True)
    for name in names:
        with pytest.raises(Rejected, match="with its last part: 1 file,"):
            pictures.path_of(name)


def test_the_flag_is_named_only_where_it_can_be_given():
    with pytest.raises(Rejected) as refused:
        files("b/1.jpg", own_file=False).path_of("/data/1.jpg")
    assert refused.value.detail.endswith("; 'b/1.jpg' is there")
