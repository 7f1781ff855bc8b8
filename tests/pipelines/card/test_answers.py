"""The card's table of answers, beside the answers of the build; and a recipe's notes."""

import re
from collections import defaultdict

import pytest

from pipelines.card.answers import answers_section
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch

CHOICE = "referring_expression_comprehension"


@pytest.fixture(scope="module")
def output(sample_world, output_of, tmp_path_factory):
    """A build of categories, captions, choices and relationships, with a note."""
    folder = tmp_path_factory.mktemp("answers")
    sources = (
        SourceRequest(name="coco", label_set="Shapes-15", splits=("train",)),
        SourceRequest(name="refcocog", splits=("train",)),
        SourceRequest(name="visual_genome", splits=("train",)),
    )
    recipe = Recipe(
        name="mine", sources=sources, images="reference", guard=False, notes=("Weigh it.",)
    )
    launch(make_plan(recipe, str(sample_world), str(folder)), LaunchOptions())
    return output_of(folder)


def test_answers_are_as_the_card_says(output):
    card = (output.folder / "README.md").read_text(encoding="utf-8")
    lines = card.split("\n## Answers\n")[1].split("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    stated = {task: (capital, stop) for task, _, capital, stop in cells[2:]}
    answers = defaultdict(list)
    for row in output.rows():
        for task, message in zip(row["turn_tasks"], row["messages"][1::2], strict=True):
            answers[task].append(message["content"])
    assert stated.keys() == answers.keys()
    assert {CHOICE, "region_relationship", "region_classification"} <= stated.keys()
    for task, (capital, stop) in stated.items():
        assert capital != "yes" or all(answer[0].isupper() for answer in answers[task])
        if stop in ("yes", "no"):
            assert {answer.endswith(".") for answer in answers[task]} == {stop == "yes"}
    assert stated[CHOICE] == stated["region_relationship"] == ("yes", "yes")
    assert stated["region_classification"][1] == "no"


def test_a_note_stands_in_the_card(output):
    card = (output.folder / "README.md").read_text(encoding="utf-8")
    assert "\n\nWeigh it.\n\n## Loading" in card


@pytest.mark.parametrize("name", ["regiongpt_pretrain", "regiongpt_finetune"])
def test_the_paper_s_images_are_not_our_conversations(name):
    recipe = make_recipe(load_recipe(name) | {"no_recapd": True}, name)
    assert recipe.paper is not None
    texts = [report.source_text for report in recipe.paper.reports if report.number == 25_800]
    form = (
        r"Table \d+; about \d\.\d conversations an image here \(in val\), "
        "as each holds one referring question"
    )
    assert [text for text in texts if re.fullmatch(form, text)] == texts != []
    assert any("`suffix_share`" in note for note in recipe.notes)


def test_an_evaluation_answers_yes_or_no():
    section = answers_section({"image_conversation"}, evaluation=True)
    assert section.splitlines()[4:] == ["| image_conversation | `yes` or `no` | no | no |"]
