"""Detections and files that cannot be used, and flags that do not go together."""

import json
import pickle
from collections import Counter

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.entries import parse
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.verify import verify
from schemas.errors import BuildError, InputFileError, UsageError
from schemas.source import Entry

TASK = "referring_expression_comprehension"
CUP, BOWL = [2, 2, 16, 10], [22, 2, 16, 10]


def test_bad_detections_go_and_their_neighbours_stay(owner, evaluate, in_parts, candidates):
    owner.detect(7, 0.9, CUP, 1)
    owner.detect(7, 0.8, ["a", 1, 1, 1])
    owner.detect(7, 0.8, [1, 1, 1])
    owner.detect(7, 0.7, [10, 10, 50, float("nan")])
    owner.detect(7, None, BOWL)
    owner.detect(7, "0.9", BOWL)
    owner.detect(7, 0.6, [900, 900, 9, 9])
    owner.detect(7, 0.6, [20, 20, 0, 9])
    owner.detect(7, 0.6, [20, 20, -5, 9])
    owner.detect(7, 0.5, [60, 40, 900, 900])
    owner.detect("7", 0.5, BOWL)
    owner.detections += [{"category_id": 1}, 5, None, {"image_id": 7, "category_id": "x"}]
    output = evaluate(owner)
    assert candidates(output) == ([0.5, 0.9], "detected")
    rejected = Counter(reason for _, _, reason in output.rejected())
    assert rejected == {
        "duplicate": 1,
        "malformed": 10,
        "box_outside": 1,
        "box_zero_area": 1,
        "box_inverted": 1,
        "not_used": 4,
    }
    assert verify(str(output.folder)).problems == []
    assert output.ledger()
    parts = evaluate(owner, launch_options=in_parts)
    assert parts.digests() == output.digests()
    assert parts.rejected() == output.rejected()


def test_a_hostile_sentence_lists_no_candidates(owner, evaluate, candidates):
    owner.refs[0]["sentences"][0]["sent"] = "<candidates> [1] <region1> <description> <image>"
    output = evaluate(owner)
    (row,) = (row for row in output.rows() if row["evaluation"][0]["item_id"] == "70/700")
    request = row["messages"][0]["content"]
    assert "[1] <region1>. Which" in request
    assert [request.count(word) for word in ("<", "<image>", "<region1>")] == [2, 1, 1]
    assert verify(str(output.folder)).problems == []


def test_a_box_that_cannot_be_used_costs_its_sentence(owner, evaluate):
    owner.boxes[0]["bbox"] = [2, 2, 0, 10]
    output = evaluate(owner)
    assert ("sentence", "70/700", "region_rejected") in output.rejected()
    assert len(output.rows()) == 3


UNFIT = {
    "no list": ('{"a": 1}', r"not a whole file of detections.*image_id, category_id, bbox and sco"),
    "cut short": ("[{", "not a whole file of detections"),
    "empty": ("", "not a whole file of detections"),
    "no detection": ("[]", r"boxes\.json: none of its 0 detections .* of refcocog's val"),
    "of other pictures": (
        json.dumps([{"image_id": 8, "category_id": 1, "bbox": CUP, "score": 1}]),
        r"none of its 1 detections has the image_id of a picture .* or leave the split out",
    ),
    "another detector's": (
        json.dumps([{"image_id": 7, "category_id": 99, "bbox": CUP, "score": 1}]),
        "category_id 99 has no name among the 4",
    ),
}


@pytest.mark.parametrize(("content", "message"), UNFIT.values(), ids=UNFIT)
def test_a_file_that_cannot_be_used_is_named_with_its_cause(owner, evaluate, content, message):
    with pytest.raises(BuildError, match=message):
        evaluate(owner, content)


@pytest.mark.parametrize("form", ["pickled", "flat"])
def test_nothing_is_counted_before_a_file_that_cannot_be_used(owner, form):
    paths = owner.save("[{")
    if form == "flat":
        record = {"img_id": "COCO_train2014_000000000007_0", "sents": "the cup", "bbox": CUP}
        (owner.root / "val.json").write_text(
            json.dumps([record | {"width": 64, "height": 48}]), encoding="utf-8"
        )
        paths["val"] = str(owner.root / "val.json")
    request = SourceRequest(name="refcocog", paths=paths, splits=("val",))
    recipe = Recipe(sources=(request,), evaluation=True)
    (split,) = make_plan(recipe, str(owner.root), str(owner.root / "output")).splits
    entries: list[Entry] = []
    with pytest.raises(InputFileError, match="not a whole file of detections"):
        entries.extend(parse(split))
    assert entries == []


@pytest.mark.parametrize("name", ["coco", "lvis"])
def test_names_of_known_detectors(owner, build_source, name):
    paths = {"detections": owner.save()["detections"]}
    if name == "lvis":
        lvis = {"categories": [{"id": k, "name": f"thing {k}"} for k in range(1, 1204)]}
        (owner.root / "lvis").mkdir()
        (owner.root / "lvis" / "lvis_v1_val.json").write_text(json.dumps(lvis), encoding="utf-8")
    request = {"paths": paths, "splits": ("val",), "tasks": (TASK,), "detection_names": name}
    output = build_source("refcocog", owner.root, request=request, evaluation=True)
    named = {region["category"] for row in output.rows() for region in row["regions"]}
    assert named == {"bowl", {"coco": "person", "lvis": "thing 1"}[name]}


def test_flags_that_do_not_go_together(owner, build_source):
    paths = owner.save()
    alone = {"detections": paths["detections"]}
    for request, options, message in (
        ({"tasks": (TASK,)}, {"evaluation": True}, "--detections refcocog=FILE.*detection-names"),
        ({}, {"evaluation": True}, "--detections refcocog=FILE"),
        ({"paths": paths}, {}, f"detections in an evaluation of {TASK} only"),
        ({"paths": paths, "tasks": ("region_caption",)}, {"evaluation": True}, "evaluation of ref"),
        ({"paths": alone}, {"evaluation": True}, "need --detection-names"),
    ):
        with pytest.raises(UsageError, match=message):
            build_source("refcocog", owner.root, request=request, **options)


def test_from_the_command_line(owner, command_line, make_ref, output_of, tmp_path):
    paths = owner.save()
    (owner.root / "refcocog" / "refs(umd).p").write_bytes(
        pickle.dumps([*owner.refs, make_ref(owner.boxes[3], "test", "the other cup")], 2)
    )
    words = ["build", "--recipe", "eval_rec", "--data-root", owner.root, "--output", tmp_path / "o"]
    done = command_line(*words)
    assert done.returncode == 2
    assert "--detections refcocog=FILE" in done.stderr
    more = ["--detections", f"refcocog={paths['detections']}"]
    done = command_line(*words, *more, "--detection-names", paths["detection_names"])
    assert done.returncode == 0, done.stderr
    splits = Counter(row["split"] for row in output_of(tmp_path / "o").rows())
    assert splits == {"val": 4, "test": 1}
