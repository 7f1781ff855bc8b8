"""The real samples of DLC-Bench and GAR-Bench, from their files through `build` to `judge`."""

import json

import pytest

from schemas.judged import read_judged
from schemas.predictions import Prediction, write_predictions

SAME = r"(?s)<Prompt1> is (sitting|standing) on <Prompt0>\..*<Prompt1> is \1 on <Prompt0>\."
DETAILED = (
    r"(?s)The thing, <Prompt0>: person\n.*: looking at\n.*<Prompt0> is looking at <Prompt1>\."
)


@pytest.fixture
def evaluated(samples, command_line, output_of, tmp_path):
    """Builds an evaluation of the real samples: its folder, and predictions by item."""

    def build(name, answer):
        root, folder = tmp_path / "root", tmp_path / name
        root.mkdir()
        for each in ("dlc_bench", "gar_bench"):
            (root / each).symlink_to(samples / "benchmarks" / each)
        done = command_line("build", "--recipe", name, "--data-root", root, "--output", folder)
        assert done.returncode == 0, done.stderr
        path = tmp_path / "predictions.jsonl"
        entries = [
            (row["id"], entry) for row in output_of(folder).rows() for entry in row["evaluation"]
        ]
        write_predictions(
            path,
            [
                Prediction(id_, each["turn"], each["position"], answer(each))
                for id_, each in entries
            ],
        )
        return folder, path

    return build


@pytest.mark.parametrize("pictures", [False, True], ids=["text only", "with pictures"])
def test_dlc_bench(samples, evaluated, command_line, judging, tmp_path, pictures):
    folder = samples / "benchmarks"
    content = (folder / "dlc_outputs" / "dam_3b_v1.json").read_text(encoding="utf-8")
    captions = json.loads(content)
    shards, predictions = evaluated("eval_dlc", lambda entry: captions[entry["item_id"]])
    server = judging({"prompt": "Kind: ", "answer": "A. Yes"})
    words = [
        "judge",
        predictions,
        "--bench",
        "dlc",
        "--questions",
        folder / "dlc_bench" / "qa.json",
    ]
    words += ["--shards", shards, "--endpoint", server.url, "--model", "stub"]
    words += ["--with-picture"] if pictures else []
    done = command_line(*words)
    assert done.returncode == 0, done.stderr
    judged = read_judged(tmp_path / "judged-dlc.jsonl")
    assert judged.run.pictures == pictures
    qa = json.loads((folder / "dlc_bench" / "qa.json").read_text(encoding="utf-8"))
    assert {each.outcome for each in judged.verdicts} == {"read"}
    # The stub replies "A" to all but the recognition: the first option's points.
    for verdict in judged.verdicts:
        if verdict.question:
            assert verdict.points == qa[verdict.item][verdict.question - 1]["choices"][0][1]
        assert verdict.words == len(captions[verdict.item].split())
    assert len(judged.verdicts) == sum(map(len, qa.values())) + len(qa)
    # The owners' own file of captions gives the same verdicts.
    theirs = tmp_path / "theirs.json"
    theirs.write_text(content, encoding="utf-8")
    done = command_line("judge", theirs, *words[2:], "--output", tmp_path / "theirs.jsonl")
    assert done.returncode == 0, done.stderr
    assert read_judged(tmp_path / "theirs.jsonl").verdicts == judged.verdicts


def test_gar_bench(samples, evaluated, command_line, judging, tmp_path):
    def answer(entry):
        detailed = entry["group"] == "detailed"
        return "Region [1] is looking at Region [2]." if detailed else entry["references"][0]

    shards, predictions = evaluated("eval_gar", answer)
    folder = samples / "benchmarks" / "gar_bench"
    server = judging(
        {"match": "^(?!canary)", "prompt": SAME, "answer": "True"},
        {"prompt": DETAILED, "answer": "True"},
    )
    words = ["judge", predictions, "--bench", "gar", "--shards", shards]
    for name in ("Simple", "Detailed"):
        words += ["--questions", folder / f"GAR-Bench-Caption-{name}.json"]
    done = command_line(*words, "--endpoint", server.url, "--model", "stub")
    assert done.returncode == 0, done.stderr
    verdicts = read_judged(tmp_path / "judged-gar.jsonl").verdicts
    assert [(each.item, each.points) for each in verdicts] == [
        ("caption_simple_64", 1.0),
        ("caption_simple_96", 1.0),
        ("caption_detailed_45", 1.0),
        ("caption_detailed_74", 1.0),
    ]
    assert "answers that no question is about: 4" in done.stdout
