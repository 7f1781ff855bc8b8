"""Flickr30k Entities: the odd things its real files hold, and where they are looked for."""

import shutil
from pathlib import Path

import pytest

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.locate import locate_splits, missing_files
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.item import GroundedCaption, Mention, Passage, plain_text
from schemas.rejection import Rejection
from schemas.source import SourceImage


def parsed(root: Path, split: str = "train") -> list:
    """The entries of a split."""
    recipe = Recipe(sources=(SourceRequest(name="flickr30k"),), allow_missing=True)
    plan = make_plan(recipe, str(root), "unused")
    (chosen,) = [each for each in plan.splits if each.split == split]
    return list(CATALOG["flickr30k"].parse(chosen, FileStore()))


def image(root: Path, name: str, split: str = "train") -> SourceImage:
    entries = [entry for entry in parsed(root, split) if isinstance(entry, SourceImage)]
    (entry_,) = [entry for entry in entries if entry.image.image_id == name]
    return entry_


@pytest.fixture(scope="module")
def real(samples, tmp_path_factory):
    """The eighteen real annotations, all in train, with pictures that are only there."""
    folder = tmp_path_factory.mktemp("real") / "flickr30k_entities"
    (folder / "flickr30k-images").mkdir(parents=True)
    names = sorted(path.stem for path in samples.glob("flickr30k_entities/Annotations/*.xml"))
    for name in ("Annotations", "Sentences"):
        (folder / name).symlink_to(samples / "flickr30k_entities" / name)
    for name in names:
        (folder / "flickr30k-images" / f"{name}.jpg").write_bytes(b"picture")
    for split, ids in (("train", names), ("val", ["0"]), ("test", ["00"])):
        (folder / f"{split}.txt").write_text("\n".join(ids), encoding="utf-8")
    return folder.parent


def caption(source_image: SourceImage, number: int) -> Passage:
    item = source_image.items[number]
    assert isinstance(item, GroundedCaption)
    assert item.id == f"{source_image.image.image_id}#{number}"
    return item.caption


def mentions(source_image: SourceImage, number: int) -> list[Mention]:
    return [piece for piece in caption(source_image, number) if isinstance(piece, Mention)]


def test_a_phrase_may_have_forty_boxes(real):
    picture = image(real, "1397295388")
    pieces = [piece for number in range(5) for piece in mentions(picture, number)]
    assert max(len(piece.region_ids) for piece in pieces) == 40


def test_a_chain_of_two_pictures_has_its_boxes_in_each(real):
    for name in ("1029802110", "1030985833"):
        picture = image(real, name)
        known = {region.region_id for region in picture.regions}
        assert all(region_id.startswith(f"{name}/") for region_id in known)
        assert all(known.issuperset(item.region_ids()) for item in picture.items)


def test_characters_are_as_the_owner_wrote_them(real):
    swedish = plain_text(caption(image(real, "4641889254"), 0))
    assert swedish.endswith("at the Gubbängen metro station in Stockholm , Sweden .")
    assert "they’re truck" in plain_text(caption(image(real, "116569042"), 1))


def test_an_object_may_have_several_names_and_a_name_several_phrases(real):
    picture = image(real, "129602216")
    regions = {
        piece.text: piece.region_ids for number in (0, 1, 2) for piece in mentions(picture, number)
    }
    glasses, drinks = regions["two glasses of water"], regions["drinks"]  # chains 7681 and 7686
    assert set(glasses) & set(drinks) == {"129602216/306,311,375,477"}
    assert regions["glasses of water"] == glasses


def test_objects_without_a_box_are_told_of_with_their_flags(real):
    rejections = [e for e in parsed(real) if isinstance(e, Rejection) and e.kind == "annotation"]
    assert {entry.reason for entry in rejections} == {"no_regions"}
    assert any(entry.detail.endswith("scene 1, nobndbox 1") for entry in rejections)
    assert len(rejections) == 264 - 233


def test_a_caption_of_another_picture_has_no_region(real):
    pieces = caption(image(real, "129602216"), 4)
    assert pieces == ("I am very thirsty , let me drink water .",)


def test_the_order_of_lists_and_objects_decides_nothing(real, tmp_path):
    folder = tmp_path / "flickr30k_entities"
    shutil.copytree(real / "flickr30k_entities", folder)
    ids = (folder / "train.txt").read_text().split()
    (folder / "train.txt").write_text("\n".join(reversed(ids)), encoding="utf-8")
    for path in (folder / "Annotations").glob("*.xml"):
        head, *objects = path.read_text(encoding="utf-8").split("\t<object>")
        objects[-1], end = objects[-1].split("</annotation>")
        again = [head, *reversed(objects)]
        path.write_text("\t<object>".join(again) + "</annotation>" + end, encoding="utf-8")
    images = [entry for entry in parsed(tmp_path) if isinstance(entry, SourceImage)]
    assert len(images) == 18
    assert images == [entry for entry in parsed(real) if isinstance(entry, SourceImage)]


def test_where_files_are_expected_and_what_a_path_moves():
    paths = {"val": "/mine/v.txt", "images": "/mine/jpg", "sentences": "/mine/s"}
    for located in locate_splits("/data", SourceRequest(name="flickr30k")):
        missing = missing_files(located)
        assert all(path.startswith("/data/flickr30k_entities/") for path in missing)
        assert located.pictures == f"/data/{located.folder}"
    (located,) = locate_splits("/data", SourceRequest(name="flickr30k", paths=paths))
    assert (located.pictures, located.folder) == ("/mine/jpg", "")
    below = "/data/flickr30k_entities"
    annotations = {"annotations": f"{below}/Annotations", "sentences": "/mine/s"}
    assert located.files == {"val": "/mine/v.txt"} | annotations
    assert located.optional == {"test": f"{below}/test.txt"}
