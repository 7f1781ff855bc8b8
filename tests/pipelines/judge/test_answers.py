"""The answers to judge: three kinds of file, and what is wrong with others."""

import doctest
import json

import pytest

from pipelines.judge import answers as module
from pipelines.judge.answers import read_answers, with_prompt_names
from pipelines.judge.build import read_build
from schemas.errors import InputFileError, UsageError
from schemas.predictions import Prediction, write_predictions


def test_examples():
    assert doctest.testmod(module).failed == 0


@pytest.fixture(scope="module")
def build(coco_file, run_build):
    """A build that asks about the regions 11, 12, 21 and 22."""
    owner = coco_file().good(1, 2).save()
    return run_build(owner, evaluation=True, request={"tasks": ("region_classification",)})


def predictions(build, texts):
    """Our predictions: for each region in turn a text, or None for none."""
    entries = [(row["id"], entry) for row in build.rows() for entry in row["evaluation"]]
    by_item = {entry["item_id"]: (record, entry) for record, entry in entries}
    return [
        Prediction(by_item[item][0], by_item[item][1]["turn"], by_item[item][1]["position"], text)
        for item, text in texts.items()
    ]


def test_our_predictions_are_about_the_items_of_their_build(build, tmp_path):
    texts = {"22": "A cup.", "11": "A dog.", "21": ""}
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, predictions(build, texts))
    assert read_answers(str(path), "dlc", read_build(str(build.folder))).texts == texts


def test_our_names_of_regions_are_those_of_gar_bench(build, tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, predictions(build, {"11": "Region [1] is on Region [2]."}))
    evaluated = read_build(str(build.folder))
    texts = read_answers(str(path), "gar", evaluated).texts
    assert texts == {"11": "<Prompt0> is on <Prompt1>."}
    # Others' answers stay as they are.
    path.write_text('{"11": "Region [1] is on <Prompt1>."}', encoding="utf-8")
    assert read_answers(str(path), "gar", evaluated).texts == {"11": "Region [1] is on <Prompt1>."}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Region [1] is left of region [12].", "<Prompt0> is left of <Prompt11>."),
        ("[2] <region2> and <region3>", "<Prompt1> and <Prompt2>"),
        ("[2] <region3>", "<Prompt1> <Prompt2>"),
        ("region1's cup, Region 2", "<Prompt0>'s cup, <Prompt1>"),
        ("The regions and [0], regional1", "The regions and [0], regional1"),
    ],
)
def test_each_form_of_a_name(text, named):
    assert with_prompt_names(text) == named


def test_our_predictions_need_their_build(build, tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, predictions(build, {"11": "A dog."}))
    with pytest.raises(UsageError, match="only the build they answer can tell: --shards"):
        read_answers(str(path), "dlc", None)
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(InputFileError, match=r"predictions.jsonl: line 2: not a prediction"):
        read_answers(str(path), "dlc", read_build(str(build.folder)))


def test_an_item_that_is_asked_twice(build, tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, predictions(build, {"11": "A dog.", "12": "A cup."}))
    asked = read_build(str(build.folder))
    (record, entry), *others = asked.entries
    twice = type(asked)(asked.folder, [(record, entry), *[(r, entry) for r, _ in others]])
    with pytest.raises(InputFileError, match=f"item '{entry.item_id}' is asked a second time"):
        read_answers(str(path), "dlc", twice)


@pytest.mark.parametrize("name", ["dam_3b_v1", "dam_3b_joint_v1", "gar_1b", "gar_8b"])
def test_real_captions_of_dlc_bench(samples, name):
    path = samples / "benchmarks" / "dlc_outputs" / f"{name}.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain.pop("query", None)
    assert len(plain) == 3
    assert read_answers(str(path), "dlc", None).texts == plain


def test_real_records_of_gar_bench(samples):
    path = samples / "benchmarks" / "gar_bench" / "gar_1b_simple_eval_no_masks.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    texts = read_answers(str(path), "dlc", None).texts
    assert len(texts) == 97
    assert texts == {
        record["image"].removeprefix("images/").removesuffix(".png"): record["model_output"]
        for record in plain
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected predictions, an object of captions by item, or a list"),
        ('{"1": 5}', "expected predictions, an object of captions by item, or a list"),
        ('{"1": "Error: no memory"}', "the answer to '1' is the message of an error; such: 1"),
        ("[1]", "not records with answers: Expected `object`, got `int`"),
        ('[{"image": "a.png"}]', "not records with answers: .*`model_output`"),
        (
            '[{"image": "x/a.png", "model_output": ""}, {"image": "a.png", "model_output": ""}]',
            "'a.png' is answered twice",
        ),
    ],
)
def test_what_holds_no_answers(tmp_path, content, message):
    path = tmp_path / "answers.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=message):
        read_answers(str(path), "dlc", None)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputFileError, match=r"cannot read .*gone.json"):
        read_answers(str(tmp_path / "gone.json"), "dlc", None)
