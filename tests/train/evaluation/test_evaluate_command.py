"""`evaluate` from shards to predictions: stopped, gone on with, refused, or from a file."""

import json
import shutil

import numpy as np
import pytest

from schemas.predictions import read_predictions, read_run
from train.cli import run
from train.data.build import Build
from train.evaluation import journal


@pytest.fixture(scope="module")
def words(build_of, tiny_models):
    """The words of a short evaluation, but for the output."""

    def make(config, kind="regiongpt"):
        words = ["evaluate", "--config", config, "--shards", str(build_of(config))]
        return [*words, "--checkpoint", str(tiny_models[kind]), "--device", "cpu"]

    return make


SHORT = ["--max-new-tokens", "6", "--batch", "8"]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The folder of an evaluation without a stop."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run([*words("eval_pope"), *SHORT, "--output", str(folder)]) == 0
    return folder


def test_what_an_evaluation_leaves(whole, build_of, rows_of, tiny_models):
    build = Build.open(build_of("eval_pope"))
    record = read_run(whole / "run.json")
    assert record.config == "eval_pope"
    assert record.manifest == build.digest
    assert record.checkpoint == str(tiny_models["regiongpt"])
    assert record.generation["max_new_tokens"] == 6
    assert record.generation["earlier_turns"].startswith("the model's answers")
    predictions = read_predictions(whole / "predictions.jsonl")
    assert [each.id for each in predictions] == rows_of(build.folder).ids()
    assert all(0 < (each.score or 0) <= 1 for each in predictions)


def test_an_evaluation_that_is_stopped_and_cut_ends_as_one_that_was_not(
    words, whole, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "run"
    command = [*words("eval_pope"), *SHORT, "--output", str(folder)]
    add, calls = journal.Journal.add, list[None]()

    def stopped(self, replies):
        calls.append(add(self, replies))
        if len(calls) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "add", stopped)
        assert run(command) == 130
    assert "run the same command again to go on" in capsys.readouterr().err
    assert not (folder / "predictions.jsonl").exists()
    path = folder / journal.JOURNAL
    path.write_bytes(path.read_bytes()[:-30])  # the last reply of the third batch
    calls.clear()
    monkeypatch.setattr(
        journal.Journal, "add", lambda self, replies: calls.append(add(self, replies))
    )
    assert run(command) == 0
    batches = -(-len(read_predictions(whole / "predictions.jsonl")) // 8)
    assert len(calls) == batches - 2
    for name in ("predictions.jsonl", "run.json"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_the_command_of_a_finished_evaluation_opens_no_model(words, whole, monkeypatch, capsys):
    monkeypatch.setattr("train.evaluation.asking.open_trained", lambda *_: pytest.fail("opened"))
    assert run([*words("eval_pope"), *SHORT, "--output", str(whole)]) == 0
    first = capsys.readouterr().out
    file = str(whole / "predictions.jsonl")
    assert run([*words("eval_pope")[:5], "--predictions", file]) == 0
    assert capsys.readouterr().out == first
    assert "accuracy" in first


def test_an_evaluation_of_other_weights_is_refused(words, whole, tiny_models, tmp_path, capsys):
    other = shutil.copytree(tiny_models["regiongpt"], tmp_path / "model")
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    command = [*words("eval_pope"), *SHORT, "--output", str(whole)]
    command[command.index("--checkpoint") + 1] = str(other)
    assert run(command) == 2
    assert "holds an evaluation with model" in capsys.readouterr().err


def test_choices_are_ranked_by_likelihood(words, build_of, rows_of, tmp_path):
    assert run([*words("eval_vcr", "gpt4roi"), "--limit", "1", "--output", str(tmp_path)]) == 0
    predictions = read_predictions(tmp_path / "predictions.jsonl")
    assert {each.turn for each in predictions} == {0, 1}
    choices = {row["id"]: row["evaluation"][0]["choices"] for row in rows_of(build_of("eval_vcr"))}
    for each in predictions:
        ranked = sorted(zip(each.choice_loglik or (), choices[each.id], strict=True))
        assert len(ranked) == 4
        assert each.answer == ranked[-1][1]


def test_the_likelihood_of_choices_beside_an_answer(words, whole, tmp_path, capsys):
    flags = ["--choice-likelihood", "--limit", "1", "--seed", "3", "--output", str(tmp_path)]
    assert run([*words("eval_pope"), *SHORT, *flags]) == 0
    assert "accuracy by likelihood" in capsys.readouterr().out
    answers = {each.key: each.answer for each in read_predictions(whole / "predictions.jsonl")}
    some = read_predictions(tmp_path / "predictions.jsonl")
    assert 0 < len(some) < len(answers)
    for each in some:
        assert each.answer == answers[each.key]
        assert len(each.choice_loglik or ()) == 2


def test_a_picture_that_cannot_be_read_is_counted(
    words, build_of, rows_of, whole, tmp_path, monkeypatch, capsys
):
    record = rows_of(build_of("eval_pope")).ids()[1]

    def bytes_of(row, image_root):
        return b"GIF" if row["id"] == record else row["image"]["bytes"]

    monkeypatch.setattr("train.evaluation.questions.picture_bytes", bytes_of)
    assert run([*words("eval_pope"), *SHORT, "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "1 question without an answer, counted as wrong" in shown
    assert f"{record} turn 0: the picture" in shown
    answers = {each.key: each.answer for each in read_predictions(whole / "predictions.jsonl")}
    others = {each.key: each.answer for each in read_predictions(tmp_path / "predictions.jsonl")}
    assert answers.keys() - others.keys() == {(record, 0, 0)}
    assert all(answers[key] == answer for key, answer in others.items())


def test_referenced_pictures_are_those_of_a_folder(
    words, whole, build_of, sample_world, tmp_path, capsys
):
    command = [*words("eval_pope"), *SHORT, "--limit", "1", "--output", str(tmp_path / "out")]
    command[command.index("--shards") + 1] = str(build_of("eval_pope", images="reference"))
    assert run(command) == 2
    assert "name their folder, --image-root" in capsys.readouterr().err
    assert run([*command, "--image-root", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert run([*command, "--image-root", str(sample_world)]) == 0
    answers = {each.key: each.answer for each in read_predictions(whole / "predictions.jsonl")}
    some = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert some
    assert all(each.answer == answers[each.key] for each in some)


class Crops:
    """A classifier that takes every crop for the first name."""

    def __init__(self, model, weights, device):
        self.identity = f"{model} {weights}"

    def probabilities(self, crops, names):
        return np.array([[0.5, *[0.0] * (len(names) - 1)] for _ in crops])


def test_a_baseline_makes_predictions_like_any_others(
    build_of, rows_of, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("open_clip")
    monkeypatch.setattr("train.evaluation.baseline.clip.ClipClassifier", Crops)
    shards = build_of("eval_v3det")
    words = ["evaluate", "--config", "eval_v3det", "--shards", str(shards), "--baseline", "clip"]
    assert run(words) == 2
    assert "--output DIR is missing" in capsys.readouterr().err
    of_nobody = [*words[:-2], "--checkpoint", str(tmp_path / "nobody")]
    assert run(of_nobody) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}/nobody: no such folder, and no name of a model on the Hub" in error
    output = tmp_path / "out"
    assert run([*words, "--output", str(output)]) == 0
    record = read_run(output / "run.json")
    assert (record.checkpoint, record.regions) == ("ViT-L-14-336 openai", "box")
    rows = rows_of(shards)
    names = sorted({row["evaluation"][0]["references"][0] for row in rows})
    predictions = read_predictions(output / "predictions.jsonl")
    assert [each.id for each in predictions] == rows.ids()
    assert {each.answer for each in predictions} == {names[0]}
    assert run([*words, "--output", str(output)]) == 0
    assert run([*words, "--output", str(output), "--clip-weights", "laion2b"]) == 2
    assert "holds other predictions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "kind", "flags", "message"),
    [
        (
            "eval_pope",
            "regiongpt",
            ["--config", "eval_popes"],
            "did you mean eval_pope?",
        ),
        ("eval_pope", "regiongpt", ["--config", "eval_rec"], "is a build of eval_pope"),
        ("eval_pope", "regiongpt", ["--regions", "box"], "about no regions"),
        ("eval_pope", "regiongpt", ["--encoder", "x"], "takes no --encoder: only eval_coco"),
        ("eval_pope", "regiongpt", ["--split", "val"], "no split 'val'"),
        ("eval_pope", "regiongpt", ["--seed", "1"], "--seed chooses the pictures of --limit"),
        (
            "eval_pope",
            "regiongpt",
            ["--predictions", "x"],
            "--checkpoint and --predictions: name one",
        ),
        ("eval_pope", "regiongpt", ["--clip-model", "x"], "--clip-model: it is for --baseline"),
        ("eval_v3det", "regiongpt", ["--baseline", "clip"], "--checkpoint and --baseline: name"),
        ("eval_pope", "regiongpt", ["--judged", "x"], "takes no --judged: only eval_dlc, eval_gar"),
        ("eval_pope", "regiongpt", ["--checkpoint", "nowhere"], "nowhere: no such folder"),
        ("eval_pope", "regiongpt", ["--device", "tpu"], "--device tpu"),
        ("eval_pope", "regiongpt", ["--image-root", "."], "hold the pictures themselves"),
        ("eval_vcr", "regiongpt", ["--batch", "4"], "takes no --batch"),
        ("eval_vcr", "regiongpt", ["--max-new-tokens", "4"], "takes no --max-new-tokens"),
        ("eval_vcr", "regiongpt", ["--choice-likelihood"], "takes no --choice-likelihood"),
        ("eval_vcr", "gpt4roi", ["--regions", "mask"], "takes boxes, no masks"),
        ("eval_v3det", "regiongpt", ["--regions", "mask"], "no region has a mask"),
        ("eval_v3det", "regiongpt", ["--encoder", "x"], "--encoder x: no such folder"),
        ("eval_v3det", "regiongpt", ["--encoder", "."], "no such file: expected the folder of"),
    ],
)
def test_what_cannot_be_is_a_line_before_any_work(
    words, tmp_path, capsys, config, kind, flags, message
):
    output = tmp_path / "run"
    command = [*words(config, kind), "--output", str(output), *flags]
    capsys.readouterr()  # of the build
    assert run(command) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("flag", ["--regions=box", "--batch=2", "--device=cpu", "--workers=1"])
def test_a_file_of_predictions_takes_no_flag_of_a_model(words, whole, capsys, flag):
    file = str(whole / "predictions.jsonl")
    assert run([*words("eval_pope")[:5], "--predictions", file, flag]) == 2
    assert f"{flag.partition('=')[0]}: it is for a model" in capsys.readouterr().err


def test_predictions_of_another_build_are_refused(words, whole, tmp_path, capsys):
    copy = shutil.copytree(whole, tmp_path / "run")
    record = json.loads((copy / "run.json").read_bytes())
    (copy / "run.json").write_text(json.dumps(record | {"manifest": "0" * 64}), encoding="utf-8")
    file = str(copy / "predictions.jsonl")
    command = [*words("eval_pope")[:5], "--predictions", file]
    assert run(command) == 2
    assert "the predictions were made on another build" in capsys.readouterr().err
    (copy / "run.json").unlink()
    assert run(command) == 0


def test_the_usual_output_lies_in_the_models_folder(words, tiny_models, tmp_path):
    folder = shutil.copytree(tiny_models["regiongpt"], tmp_path / "runs" / "final")
    (tmp_path / "runs" / "run.json").write_text("{}", encoding="utf-8")
    command = [*words("eval_pope"), *SHORT, "--limit", "1"]
    for checkpoint in (folder, tmp_path / "runs"):
        command[command.index("--checkpoint") + 1] = str(checkpoint)
        assert run(command) == 0
    assert (tmp_path / "runs" / "evaluation" / "eval_pope" / "predictions.jsonl").is_file()
