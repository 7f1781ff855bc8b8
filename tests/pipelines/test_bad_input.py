"""One bad item in an owner's file: rejected with its reason, while all its neighbours come through.

Every case damages a file of three good pictures with two regions each.
"""

import math

import pytest

GOOD = {"11", "12", "21", "22", "31", "32"}
FILLED = 48 * 32  # pixels of a picture


def annotation(**changes):
    """One more annotation, number 13, on picture 1."""
    return lambda owner: owner.region(13, 1, **changes)


def without(*path):
    """A key of an item is missing."""
    *place, key = path

    def damage(owner):
        item = owner.data
        for step in place:
            item = item[step]
        del item[key]

    return damage


def added(name, *items):
    """More items in one of the lists."""
    return lambda owner: owner.data[name].extend(items)


def changed(name, position, **values):
    return lambda owner: owner.data[name][position].update(values)


def rejected_13(reason):
    return [("annotation", "13", reason)]


def runs(counts, size=(32, 48)):
    return annotation(segmentation={"counts": counts, "size": list(size)})


IMAGE_1 = {"id": 1, "file_name": "1.jpg", "width": 48, "height": 32}
SECOND_11 = {"id": 11, "image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 0}
NESTED: list = []
for _ in range(500):
    NESTED = [NESTED]

# Name: damage, what is rejected, which of the good regions are lost with it.
BOXES = {
    "NaN": (annotation(bbox=[math.nan, 1, 2, 3]), rejected_13("box_not_finite"), ()),
    "infinite": (annotation(bbox=[1, 1, math.inf, 3]), rejected_13("box_not_finite"), ()),
    "null": (annotation(bbox=[1, None, 2, 3]), rejected_13("box_not_finite"), ()),
    "overflowing": (annotation(bbox=[1e308, 1, 1e308, 3]), rejected_13("box_not_finite"), ()),
    "inverted x": (annotation(bbox=[9, 1, -2, 3]), rejected_13("box_inverted"), ()),
    "inverted y": (annotation(bbox=[9, 9, 2, -3]), rejected_13("box_inverted"), ()),
    "no width": (annotation(bbox=[9, 9, 0, 3]), rejected_13("box_zero_area"), ()),
    "no height": (annotation(bbox=[9, 9, 3, 0]), rejected_13("box_zero_area"), ()),
    "thin as air": (annotation(bbox=[9, 9, 1e-9, 3]), rejected_13("box_zero_area"), ()),
    "right of it": (annotation(bbox=[48, 9, 3, 3]), rejected_13("box_outside"), ()),
    "left of it": (annotation(bbox=[-5, 9, 5, 3]), rejected_13("box_outside"), ()),
    "below it": (annotation(bbox=[9, 32.5, 3, 3]), rejected_13("box_outside"), ()),
    "far away": (annotation(bbox=[1e30, 1e30, 3e30, 3e30]), rejected_13("box_outside"), ()),
    "three numbers": (annotation(bbox=[9, 9, 3]), rejected_13("malformed"), ()),
    "five numbers": (annotation(bbox=[9, 9, 3, 3, 3]), rejected_13("malformed"), ()),
    "text that is no number": (
        annotation(bbox=["9", "nine", "3", "3"]),
        rejected_13("malformed"),
        (),
    ),
    "an object": (annotation(bbox={"x": 9}), rejected_13("malformed"), ()),
    "missing beside no mask": (
        annotation(bbox=None, segmentation=[]),
        rejected_13("malformed"),
        (),
    ),
    "a crowd": (annotation(iscrowd=1), rejected_13("crowd"), ()),
    "a crowd, as a truth": (annotation(iscrowd=True), rejected_13("crowd"), ()),
}

MASKS = {
    "run lengths that do not fill": (runs([9, 9]), "mask_malformed"),
    "run lengths that overfill": (runs([FILLED, 1]), "mask_malformed"),
    "negative run lengths": (runs([-1, FILLED + 1]), "mask_malformed"),
    "no run lengths": (runs([]), "mask_malformed"),
    "of another image": (runs([FILLED], (48, 32)), "mask_size_mismatch"),
    "outside the alphabet": (runs("ä "), "mask_malformed"),
    "broken off": (runs("P"), "mask_malformed"),
    "without a size": (annotation(segmentation={"counts": [FILLED]}), "mask_malformed"),
    "run lengths as fractions": (runs([0.5, FILLED - 0.5]), "mask_malformed"),
    "two corners": (annotation(segmentation=[[1, 2, 3, 4]]), "mask_malformed"),
    "half a corner": (annotation(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "mask_malformed"),
    "NaN corners": (annotation(segmentation=[[1, 2, math.nan, 4, 5, 6]]), "mask_malformed"),
    "corners far away": (annotation(segmentation=[[1, 2, 1e12, 4, 5, 6]]), "mask_malformed"),
    "text": (annotation(segmentation="polygon"), "mask_malformed"),
    "nested": (annotation(segmentation=NESTED), "mask_malformed"),
}

ITEMS = {
    "annotation without image": (
        without("annotations", 5, "image_id"),
        [("annotation", "annotations[5]", "malformed")],
        ("32",),
    ),
    "annotation without category": (
        without("annotations", 5, "category_id"),
        [("annotation", "32", "malformed")],
        ("32",),
    ),
    "annotation with a list for an id": (
        changed("annotations", 5, id=[32]),
        [("annotation", "annotations[5]", "malformed")],
        ("32",),
    ),
    "annotation that is a number": (
        added("annotations", 7),
        [("annotation", "annotations[6]", "malformed")],
        (),
    ),
    "annotation that is null": (
        added("annotations", None),
        [("annotation", "annotations[6]", "malformed")],
        (),
    ),
    "image that is text": (
        added("images", "1.jpg"),
        [("image", "images[3]", "malformed")],
        (),
    ),
    "category without id": (
        added("categories", {"name": "cat"}),
        [("category", "categories[2]", "malformed")],
        (),
    ),
    "category with a number for a name": (
        added("categories", {"id": 5, "name": 5}),
        [("category", "categories[2]", "malformed")],
        (),
    ),
    "unknown image": (
        changed("annotations", 5, image_id=99),
        [("annotation", "32", "unknown_image")],
        ("32",),
    ),
    "unknown category": (
        annotation(category_id=2),
        rejected_13("unknown_category"),
        (),
    ),
    "image twice": (added("images", IMAGE_1), [("image", "1", "duplicate_id")], ()),
    "category twice": (
        added("categories", {"id": 1, "name": "wine glass"}),
        [("category", "1", "duplicate_id")],
        (),
    ),
    "category with two names": (
        added("categories", {"id": 1, "name": "goblet"}),
        [("category", "1", "ambiguous_category")] * 2
        + [("annotation", number, "ambiguous_category") for number in ("12", "22", "32")],
        ("12", "22", "32"),
    ),
    "category without a visible name": (
        added("categories", {"id": 5, "name": " \u200b"}),
        [("category", "5", "text_empty")],
        (),
    ),
    "category with a novel for a name": (
        added("categories", {"id": 5, "name": "a" * 5_000}),
        [("category", "5", "text_too_long")],
        (),
    ),
}
GROUPS: dict[str, dict] = {"box": BOXES, "item": ITEMS}
CASES = {
    f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_item_is_rejected_and_its_neighbours_come_through(coco_file, run_build, case):
    damage, rejected, lost = case
    owner = coco_file().good()
    damage(owner)
    output = run_build(owner.save())
    assert output.rejected() == sorted(rejected)
    assert output.regions().keys() == GOOD - set(lost)
    assert output.images() == ["1", "2", "3"]
    output.ledger()


@pytest.mark.parametrize("case", MASKS.values(), ids=MASKS)
def test_a_bad_mask_leaves_its_box(coco_file, run_build, case):
    damage, repair = case
    owner = coco_file().good()
    damage(owner)
    output = run_build(owner.save())
    assert output.regions().keys() == GOOD | {"13"}
    assert output.regions()["13"]["mask"] is None
    assert output.repaired() == {("annotation", repair): 1}
    assert output.rejected() == []


def test_two_boxes_with_one_id_are_two_objects_whatever_the_order(coco_file, run_build):
    outputs = []
    for order in (1, -1):
        owner = coco_file().good()
        owner.data["annotations"].append(SECOND_11)
        owner.data["annotations"] = owner.data["annotations"][::order]
        output = run_build(owner.save())
        assert output.rejected() == []
        assert output.repaired() == {("annotation", "id_from_content"): 2}
        made = output.regions().keys() - GOOD
        assert len(made) == 2
        assert output.regions().keys() == GOOD - {"11"} | made
        outputs.append(output.digests())
    assert outputs[0] == outputs[1]


def test_an_image_twice_with_other_values_leaves_one_whatever_the_order(coco_file, run_build):
    outputs = []
    for order in (1, -1):
        owner = coco_file().good()
        owner.data["images"].append(IMAGE_1 | {"width": 40})
        owner.data["images"] = owner.data["images"][::order]
        output = run_build(owner.save())
        assert ("image", "1", "duplicate_id") in output.rejected()
        assert output.regions().keys() >= GOOD - {"11", "12"}
        output.ledger()
        outputs.append((output.digests(), output.rejected()))
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("kind", ["images", "annotations", "categories"])
def test_ids_that_are_spelled_alike_are_one_id(coco_file, run_build, kind):
    owner = coco_file().good()
    first = owner.data[kind][0]
    owner.data[kind].append(first | {"id": str(first["id"])})
    output = run_build(owner.save())
    assert {item[2] for item in output.rejected()} == {"duplicate_id"}
    assert output.regions().keys() == GOOD
    output.ledger()
