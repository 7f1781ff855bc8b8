"""Marks from a report move the threshold of an output, by `calibrate` and by `recap`."""

import json
import shutil

import pytest

from pipelines.cli.parser import run
from pipelines.output.reader import read_manifest
from pipelines.output.records import read_records
from pipelines.report.choose import rejected_captions

WORDS = ["--source", "coco", "--label-set", "Shapes-15", "--captioner", "builtin"]


def kept_scores(output) -> list[float]:
    rows = [row for batch in read_records(str(output)) for row in batch.to_pylist()]
    captions = [text for row in rows for region in row["regions"] for text in region["captions"]]
    return sorted(text["clip"] for text in captions)


@pytest.fixture
def judged(recapd, tmp_path):
    """A copy of the output, and a file that marks all captions from a similarity on as good."""
    output = tmp_path / "recapd"
    shutil.copytree(recapd, output)

    def write(threshold: float, **changes: object) -> str:
        scores = kept_scores(output)
        scores += [
            caption.clip
            for _, caption in rejected_captions(str(output), read_manifest(str(output)).rejected)
            if caption.clip is not None
        ]
        every = [
            {
                "id": str(n),
                "region": "1",
                "mark": "good" if clip >= threshold else "bad",
                "clip": clip,
            }
            for n, clip in enumerate(scores)
        ]
        scorer = read_manifest(str(output)).identity.recipe["filter"]["scorer"]
        content = {"marks_version": "1", "scorer": f"{scorer}, view box", "marks": every}
        path = tmp_path / f"marks-{threshold}.json"
        path.write_text(json.dumps(content | changes), encoding="utf-8")
        return str(path)

    return output, write


@pytest.mark.parametrize("threshold", [0.47, 0.53])
def test_recap_filters_at_the_threshold_of_the_marks(judged, sample_world, threshold, capsys):
    output, write = judged
    words = ["--data-root", str(sample_world), "--output", str(output), "--refilter"]
    assert run(["recap", *WORDS, *words, "--marks", write(threshold)]) == 0
    chosen = read_manifest(str(output)).identity.recipe["filter"]["threshold"]
    assert chosen == pytest.approx(threshold, abs=0.005)
    assert min(kept_scores(output)) >= chosen - 1e-6
    assert f"by the marks, the threshold is {chosen:.5f}" in capsys.readouterr().out


def test_calibrate_writes_the_threshold_of_the_marks(judged, tmp_path):
    output, write = judged
    to = tmp_path / "calibration.json"
    assert run(["calibrate", str(output), "--marks", write(0.49), "--to", str(to)]) == 0
    content = json.loads(to.read_text(encoding="utf-8"))
    assert content["threshold"] == pytest.approx(0.49, abs=0.005)
    assert content["marks"]["good"] + content["marks"]["bad"] == content["pairs"]


def test_marks_of_another_scorer_are_refused(judged, sample_world, tmp_path, capsys):
    output, write = judged
    path = write(0.5, scorer="ViT-L-14 openai, view box")
    assert run(["calibrate", str(output), "--marks", path, "--to", str(tmp_path / "c.json")]) == 2
    assert "scored by 'ViT-L-14 openai, view box'" in capsys.readouterr().err
    words = ["--data-root", str(sample_world), "--output", str(output), "--refilter"]
    assert run(["recap", *WORDS, *words, "--marks", path]) == 2
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--refilter"], "at which threshold"), (["--refilter", "0.5", "--marks", "x"], "goes with")],
)
def test_refilter_takes_one_threshold(judged, words, message, capsys):
    output, _ = judged
    assert run(["recap", *WORDS, "--output", str(output), *words]) == 2
    assert message in capsys.readouterr().err
