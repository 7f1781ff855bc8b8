"""Builds that ask questions about the owner's annotations: only where a recipe names the task."""

import json
import re

import pytest

from pipelines.verify import verify
from schemas.errors import UsageError
from schemas.sample import Task

NAMED = {"label_set": "Things", "complete": True}
BOTH = NAMED | {"tasks": (Task.REGION_CLASSIFICATION, Task.REGION_YES_NO)}


@pytest.fixture(scope="module")
def classes(sample_world) -> dict[str, str]:
    """The owner's class of every region of COCO's train split, by id."""
    file = sample_world / "coco" / "annotations" / "instances_train2017.json"
    owner = json.loads(file.read_text("utf-8"))
    names = {each["id"]: each["name"] for each in owner["categories"]}
    return {str(each["id"]): names[each["category_id"]] for each in owner["annotations"]}


@pytest.mark.parametrize("merge", [False, True])
def test_answers_are_the_owners_and_given_away_by_no_other_turn(
    sample_world, run_build, classes, merge
) -> None:
    made = run_build(sample_world, request=BOTH, merge=merge)
    asked = [row for row in made.rows() if row["task"] == Task.REGION_YES_NO]
    answers = []
    for row in asked:
        if row["split"] != "train":
            continue
        texts = [message["content"] for message in row["messages"]]
        for question, answer in zip(texts[::2], texts[1::2], strict=True):
            (number,) = re.findall(r"<region(\d+)>", question)
            category = classes[row["regions"][int(number) - 1]["region_id"]]
            named = re.search(rf"\b{re.escape(category)}\b", question) is not None
            assert answer == ("yes" if named else "no")
            answers.append(answer)
    assert min(answers.count("yes"), answers.count("no")) > 0.3 * len(answers) > 10
    assert {task for row in asked for task in row["turn_tasks"]} == {Task.REGION_YES_NO}
    card = (made.folder / "README.md").read_text("utf-8")
    assert "| region_yes_no | `yes` or `no` | no | no |" in card
    assert verify(str(made.folder)).problems == []


def test_a_build_asks_only_what_its_recipe_names(sample_world, run_build) -> None:
    tasks = {
        task
        for row in run_build(sample_world, request={"label_set": "Things"}).rows()
        for task in row["turn_tasks"]
    }
    assert tasks == {Task.REGION_CLASSIFICATION}


def test_a_users_own_file_is_asked_about_where_its_annotations_are_complete(
    coco_file, run_build
) -> None:
    owner = coco_file().good(1).save()
    file = {
        "label_set": "Things",
        "annotations": str(owner.file),
        "images": str(owner.pictures),
        "tasks": (Task.REGION_YES_NO,),
    }
    with pytest.raises(UsageError, match=r"not known of your own file.* --complete coco"):
        run_build(owner.pictures, request=file)
    made = run_build(owner.pictures, request=file | {"complete": True})
    assert [row["task"] for row in made.rows()] == [Task.REGION_YES_NO]


def test_categories_of_another_name_need_a_word_that_they_are_complete(
    sample_world, run_build
) -> None:
    for label_set in ("Things", "COCO-80"):  # also the owner's name is no proof
        request = {"label_set": label_set, "tasks": (Task.REGION_YES_NO,)}
        with pytest.raises(UsageError, match=f"is not known of '{label_set}'.* --complete coco"):
            run_build(sample_world, request=request)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"tasks": (Task.REGION_CLASSIFICATION,), "label_set": "Things"}, "it is for the tasks"),
        ({"tasks": (Task.REGION_YES_NO,)}, "the owner's files say so"),
    ],
)
def test_a_word_on_completeness_in_vain_is_refused(sample_world, run_build, request_, expected):
    with pytest.raises(
        UsageError, match=f"--complete coco: source 'coco': expected none: {expected}"
    ):
        run_build(sample_world, request=request_ | {"complete": True})
