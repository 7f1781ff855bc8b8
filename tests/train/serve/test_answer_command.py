"""`regionforge answer`: batches beside one question at a time, runs that go on, and mistakes."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import regionforge
from model.serve.answering import Settings
from model.serve.composition import disarmed
from model.serve.opened import OpenedModel, Prompt
from train.evaluation.journal import JOURNAL
from train.evaluation.respond import _Respondent
from train.serve.bulk import ANSWERS

QUESTION = "What is region1?"


@pytest.fixture
def words(tiny_models, photos, tmp_path):
    """The flags of a run about boxes."""
    return [
        *("answer", "--checkpoint", tiny_models["regiongpt"], "--images", photos),
        *("--regions", photos / "boxes.json", "--question", QUESTION),
        *("--max-new-tokens", 6, "--workers", 0, "--output", tmp_path / "out"),
    ]


def lines(folder):
    return [json.loads(line) for line in (folder / ANSWERS).read_bytes().splitlines()]


def test_answers_about_boxes_equal_a_talk_about_each(words, photos, tmp_path, tiny_models, say):
    status, out, _ = say(*words, "--batch", 3)
    assert (status, out) == (0, f"wrote {tmp_path}/out/{ANSWERS}: 7 answers\n")
    written = lines(tmp_path / "out")
    assert [line["id"] for line in written] == [f"{n % 3}/{10 + n}" for n in range(7)]
    assert written[0].keys() == {
        *("id", "turn", "image", "image_id", "annotation_id", "question"),
        *("answer", "score", "reason"),
    }
    model: OpenedModel = regionforge.open_model(tiny_models["regiongpt"])
    content = json.loads((photos / "boxes.json").read_bytes())
    for line, annotation in zip(written, content["annotations"], strict=True):
        x, y, width, height = annotation["bbox"]
        region = (x, y, x + width, y + height)
        if "segmentation" not in annotation:
            talk = model.talk(photos / line["image"], [region], max_new_tokens=6)
            assert line["answer"] == talk.ask(QUESTION)
    assert len({line["answer"] for line in written}) > 1
    assert all(0 < line["score"] <= 1 for line in written)


def test_batches_equal_one_at_a_time(words, tmp_path, say):
    assert say(*words, "--batch", 4)[0] == 0
    assert say(*words, "--batch", 1, "--output", tmp_path / "alone")[0] == 0
    for together, alone in zip(lines(tmp_path / "out"), lines(tmp_path / "alone"), strict=True):
        assert together["score"] == pytest.approx(alone["score"], rel=1e-4)
        assert {**together, "score": 0} == {**alone, "score": 0}


def test_a_run_that_was_stopped_goes_on(words, tmp_path, say, monkeypatch):
    assert say(*words, "--batch", 2)[0] == 0
    whole = (tmp_path / "out" / ANSWERS).read_bytes()
    computed = _Respondent._computed
    asked: list[int] = []
    most = 2

    def counted(self, work, batch):
        if len(asked) == most:
            raise KeyboardInterrupt
        asked.append(len(work))
        return computed(self, work, batch)

    monkeypatch.setattr(_Respondent, "_computed", counted)
    words[-1] = tmp_path / "stopped"
    status, _, err = say(*words, "--batch", 2)
    assert (status, asked) == (130, [2, 2])
    assert err.endswith("run the same command again to go on\n")
    assert not (tmp_path / "stopped" / ANSWERS).exists()
    asked.clear()
    most = 9
    assert say(*words, "--batch", 2)[0] == 0
    assert asked == [2, 1]
    assert (tmp_path / "stopped" / ANSWERS).read_bytes() == whole
    asked.clear()
    assert say(*words, "--batch", 2)[0] == 0
    assert asked == []
    status, _, err = say(*words, "--batch", 4)
    assert status == 2
    assert "holds an evaluation with batch 2, not 4: name another --output" in err
    assert len((tmp_path / "stopped" / JOURNAL).read_bytes().splitlines()) == 8


def test_what_cannot_be_asked_is_told_apart(words, photos, tmp_path, say):
    content = json.loads((photos / "boxes.json").read_bytes())
    content["images"] += [
        {"id": 8, "file_name": "0.png", "width": 48, "height": 64},
        {"id": 9, "file_name": "../0.png"},
    ]
    content["annotations"] = [
        {"id": 1, "image_id": 0, "bbox": [100, 2, 30, 20]},
        {"id": 2, "image_id": 1, "bbox": [1, 2, 30, 20], "segmentation": "broken"},
        {"id": 3, "image_id": 8, "bbox": [1, 2, 30, 20]},
        {"id": 4, "image_id": 9, "bbox": [1, 2, 30, 20]},
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    words[words.index("--regions") + 1] = path
    status, out, err = say(*words)
    assert status == 0
    assert out.endswith(": 1 answer, and 3 questions that could not be put: see `reason`\n")
    reasons = [line["reason"] for line in lines(tmp_path / "out")]
    assert reasons == [
        "region 1: (100.0, 2.0, 130.0, 22.0) has no part in a 64 x 48 image",
        None,
        "a picture of 64 x 48 pixels, expected 48 x 64",
        "9/4: the picture '../0.png' lies outside the folder of pictures",
    ]
    assert f"0/1: {reasons[0]}\n" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected COCO's format, images and annotations: Expected `object`"),
        ('{"images": [], "annotations": []}', "no annotations: nothing is asked about"),
        (
            '{"images": [], "annotations": [{"image_id": 3, "id": 5}]}',
            "annotation 5 is of image 3, which is not among its images",
        ),
        (
            '{"images": [{"id": 3, "file_name": "a"}], "annotations": '
            '[{"image_id": 3, "id": 5}, {"image_id": 3, "id": 5}]}',
            "annotation 5 is there twice",
        ),
        (
            '{"images": [{"id": 3, "file_name": "a"}, {"id": 3, "file_name": "b"}], '
            '"annotations": [{"image_id": 3, "id": 5}]}',
            "image 3 is there twice",
        ),
    ],
)
def test_a_file_that_is_none_is_named(content, message, words, tmp_path, say):
    path = tmp_path / "boxes.json"
    path.write_text(content, encoding="utf-8")
    words[words.index("--regions") + 1] = path
    status, out, err = say(*words)
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {path}: {message}")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "name a build by --shards, or pictures by --images, --regions and --question"),
        (["--images", "."], "--regions is missing: --images, --regions and --question go together"),
        (["--shards", "x", "--question", "?"], "--question: the shards hold the questions: leave"),
        (["--images", "nowhere", "--regions", "x", "--question", "?"], "--images nowhere: no such"),
        (["--images", ".", "--regions", "x", "--question", "?"], "--regions x: no such file"),
        (["--shards", "nowhere"], "--shards nowhere: no such folder"),
        (["--shards", ".", "--checkpoint", "/nowhere"], "/nowhere: no such folder, and no name of"),
        (
            ["--images", ".", "--regions", "x", "--question", "region1", "--split", "val"],
            "--split: it is for --shards: leave it out",
        ),
        (
            ["--images", ".", "--regions", __file__, "--question", "What is region2?"],
            "--question: 'region2' in a question, and there is one region",
        ),
        (
            ["--images", ".", "--regions", __file__, "--question", " "],
            "--question: an empty question",
        ),
    ],
)
def test_mistakes_are_named(flags, message, tiny_models, tmp_path, say):
    words = ["answer", "--checkpoint", tiny_models["regiongpt"], "--output", tmp_path / "out"]
    status, out, err = say(*words, *flags)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {message}")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def shards(sample_world, tmp_path_factory) -> Path:
    """A build with records of several turns."""
    output: Path = tmp_path_factory.mktemp("shards")
    recipe = regionforge.load_recipe("regiongpt_finetune", limit=2)
    names = ("refcocog", "llava")
    recipe = recipe.model_copy(
        update={"sources": [each for each in recipe.sources if each.name in names]}
    )
    regionforge.launch(regionforge.make_plan(recipe, sample_world, output))
    return output


def test_every_turn_of_a_build_follows_the_models_own_answers(shards, tiny_models, tmp_path, say):
    words = ["answer", "--checkpoint", tiny_models["regiongpt"], "--shards", shards]
    words += ["--max-new-tokens", 4, "--workers", 0, "--output", tmp_path / "out"]
    status, _, err = say(*words)
    assert (status, "error" in err) == (0, False)
    rows = [row for batch in regionforge.read_shards(shards) for row in batch.to_pylist()]
    asked = {
        (row["id"], turn): message["content"]
        for row in rows
        for turn, message in enumerate(m for m in row["messages"] if m["role"] == "user")
    }
    written = lines(tmp_path / "out")
    assert {(line["id"], line["turn"]): line["question"] for line in written} == asked
    assert max(line["turn"] for line in written) > 0
    model = regionforge.open_model(tiny_models["regiongpt"])
    answers = {(line["id"], line["turn"]): line["answer"] for line in written}
    row = next(row for row in rows if (row["id"], 1) in asked and row["image"])
    messages = [{"role": "user", "content": asked[row["id"], 0]}]
    messages += [{"role": "assistant", "content": disarmed(answers[row["id"], 0])}]
    messages += [{"role": "user", "content": asked[row["id"], 1]}]
    mentioned = [
        region
        for number, region in enumerate(row["regions"], start=1)
        if any(f"<region{number}>" in message["content"] for message in messages)
    ]
    assert len(mentioned) in (0, len(row["regions"]))
    prompt = Prompt(
        messages=messages, picture=Image.open(BytesIO(row["image"]["bytes"])), regions=mentioned
    )
    assert model.answer(prompt, Settings(max_new_tokens=4)) == answers[row["id"], 1]
