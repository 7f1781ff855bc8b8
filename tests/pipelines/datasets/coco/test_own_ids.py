"""Ids, licences and categories of a user's own file as labelling tools write them."""

import json

import pytest

from schemas.errors import InputFileError


def boxes(output) -> list[list[float]]:
    return sorted(region["bbox"] for row in output.rows() for region in row["regions"])


def restart(item, number):
    item["id"] = number % 2


def drop(item, number):
    del item["id"]


def null(item, number):
    item["id"] = None


def same(item, number):
    item["id"] = 0


@pytest.mark.parametrize("change", [restart, drop, null, same])
def test_an_object_is_its_image_and_id_else_its_content(coco_file, run_build, change):
    expected = boxes(run_build(coco_file().good().save()))
    outputs = []
    for order in (1, -1):
        owner = coco_file().good()
        for number, item in enumerate(owner.data["annotations"]):
            change(item, number)
        owner.data["annotations"] = owner.data["annotations"][::order]
        output = run_build(owner.save(indent=order + 1))
        assert output.rejected() == []
        assert boxes(output) == expected
        repairs = {} if change is restart else {("annotation", "id_from_content"): 6}
        assert output.repaired() == repairs
        outputs.append(output.digests())
    assert outputs[0] == outputs[1], "neither order nor spelling of the file decides"


def test_an_annotation_without_id_that_stands_twice_is_one(coco_file, run_build):
    owner = coco_file().good()
    for _ in range(2):
        del owner.region(13, 1, bbox=[1, 1, 9, 9])["id"]
    output = run_build(owner.save())
    ((kind, _, reason),) = output.rejected()
    assert (kind, reason) == ("annotation", "duplicate")
    assert len(boxes(output)) == 7


def test_ids_that_restart_need_no_slow_reading(coco_file, run_build, monkeypatch):
    owner = coco_file().good()
    for number, item in enumerate(owner.data["annotations"]):
        item["id"] = number % 2
    monkeypatch.setattr("pipelines.datasets.coco.objects.link_of", None)
    assert len(boxes(run_build(owner.save()))) == 6


@pytest.mark.parametrize("licenses", [None, {}, "CC BY 4.0", 0])
def test_licences_of_another_kind_are_none(coco_file, run_build, licenses):
    owner = coco_file().good()
    owner.data["licenses"] = licenses
    assert {row["licence"] for row in run_build(owner.save()).rows()} == {"not stated"}


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        (0, "not stated"),
        (1, "not stated; image: CC0"),
        (1.0, "not stated; image: CC0"),
        ("1", "not stated; image: CC0"),
        (None, "not stated"),
        ({}, "not stated"),
        ("", "not stated"),
    ],
)
def test_a_licence_without_a_name_is_none(coco_file, run_build, stated, licence):
    owner = coco_file()
    owner.data["licenses"] = [{"id": 0, "name": " ", "url": ""}, {"id": 1.0, "name": "CC0"}]
    owner.picture(1, license=stated)
    owner.region(11, 1)
    output = run_build(owner.save())
    assert [row["licence"] for row in output.rows()] == [licence]


def detail(output) -> str:
    (line,) = (output.folder / "_rejected" / "coco.jsonl").read_text("utf-8").splitlines()
    return str(json.loads(line)["detail"])


def test_a_category_by_its_name_is_told_as_that(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, category_id="dog")
    output = run_build(owner.save())
    assert output.rejected() == [("annotation", "13", "malformed")]
    assert detail(output) == "category_id 'dog' is the name of a category, expected its id"


def test_an_annotation_of_a_malformed_category_is_told_as_that(coco_file, run_build):
    owner = coco_file().good()
    owner.data["categories"].append({"id": 7, "name": 7})
    owner.region(13, 1, category_id=7)
    output = run_build(owner.save())
    assert output.rejected() == [
        ("annotation", "13", "malformed"),
        ("category", "categories[2]", "malformed"),
    ]
    assert "category 7 is malformed: Expected `str`, got `int`" in output_text(output)


def output_text(output) -> str:
    return str((output.folder / "_rejected" / "coco.jsonl").read_text("utf-8"))


@pytest.mark.parametrize(
    ("category", "message"),
    [
        ({"id": 1, "name": 7}, r"Expected `str`, got `int`"),
        ({"id": 1, "title": "box"}, r"required field `name`"),
    ],
)
def test_categories_that_are_all_malformed_end_the_build_at_once(
    coco_file, run_build, category, message
):
    owner = coco_file().good()
    owner.data["categories"] = [category, category | {"id": 3}]
    with pytest.raises(InputFileError, match=f"none of its 2 categories .*{message}"):
        run_build(owner.save())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]', "results"),
        (b'{"id": 1, "file_name": "1.jpg"}\n{"id": 2, "file_name": "2.jpg"}\n', "object a line"),
        (b'{"images": [],\n "annotations": [],\n "categories": [],\n}', "line 4"),
    ],
)
def test_a_file_in_another_layout_is_named(coco_file, run_build, content, message):
    owner = coco_file().good().save()
    owner.file.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        run_build(owner)
