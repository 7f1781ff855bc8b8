"""Builds that ask questions about the owner's annotations: only where a recipe names the task."""

import json
import re

import pytest

from pipelines.verify import verify
from schemas.errors import UsageError
from schemas.sample import Task

BOTH = {"label_set": "Things", "tasks": (Task.REGION_CLASSIFICATION, Task.REGION_YES_NO)}


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
            own = classes[row["regions"][int(number) - 1]["region_id"]]
            named = re.search(rf"\b{re.escape(own)}\b", question) is not None
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


def test_a_users_own_file_is_not_asked_about(coco_file, run_build) -> None:
    owner = coco_file().good(1).save()
    own = {
        "name": "coco",
        "label_set": "Things",
        "annotations": str(owner.file),
        "images": str(owner.pictures),
    }
    with pytest.raises(UsageError, match="cannot be used for region_yes_no here"):
        run_build(owner.pictures, request=own | {"tasks": (Task.REGION_YES_NO,)})
