"""`calibrate`: pairs from shards, a threshold from pairs, a file that `recap` reads."""

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import parser as cli
from pipelines.recap.clip.calibrate import (
    Calibration,
    CalibrationOptions,
    calibrate,
    load_calibration,
    sample_captions,
)
from pipelines.recap.clip.curve import curve
from pipelines.recap.clip.plot import SIZE, curve_png
from schemas.errors import InputFileError, UsageError
from tests.pipelines.recap.clip.shade_run import IMAGES, SHADES, Run, ShadeScorer


@pytest.fixture
def run(tmp_path, make_image):
    return Run(tmp_path / "run", make_image)


def calibrated(output, scorer=None, on_progress=lambda *_: None, **changes):
    options = CalibrationOptions(**({"pairs": 1000} | changes))
    sampled = sample_captions(output, options)
    return calibrate(sampled, scorer or ShadeScorer(), options, on_progress)


def test_matched_pairs_match_and_shuffled_pairs_do_not(run):
    scorer = ShadeScorer()
    calibration = calibrated(run.write(), scorer).calibration
    assert calibration.pairs == 2 * len(SHADES)
    assert sum(shown == named for shown, named in scorer.pairs) == calibration.pairs
    assert len(scorer.pairs) == 3 * calibration.pairs, "matched, shuffled, of the same image"
    assert calibration.roc_area == 1
    assert calibration.false_accept == calibration.false_reject == 0
    assert calibration.scorer == "shades 1, view box"


def test_a_shuffled_caption_is_of_another_image(run):
    scorer = ShadeScorer()
    calibrated(run.write(), scorer)
    foreign = scorer.pairs[1::3]
    assert len(foreign) == 2 * len(SHADES)
    assert all(IMAGES[shown] != IMAGES[named] for shown, named in foreign)


def test_a_calibration_depends_on_pairs_and_seed_alone(run):
    output = run.write()
    once, again = calibrated(output, pairs=30), calibrated(output, pairs=30)
    other = calibrated(output, pairs=30, seed=1)
    assert once.calibration == again.calibration
    assert (once.matched == again.matched).all()
    assert once.calibration.pairs == other.calibration.pairs == 30
    assert (once.shuffled != other.shuffled).any()


def test_how_regions_spread_over_shards_decides_nothing(tmp_path, make_image):
    calibrations = [
        calibrated(Run(tmp_path / str(shards), make_image).write(shards=shards), pairs=40)
        for shards in (1, 3)
    ]
    assert calibrations[0].calibration == calibrations[1].calibration


def test_a_share_of_false_accepts_that_is_wanted(run):
    calibration = calibrated(run.write(), false_accept=0.1).calibration
    assert 0 < calibration.false_accept <= 0.1
    assert calibration.wanted_false_accept == 0.1


def test_progress_is_reported(run):
    states = []
    calibrated(run.write(), on_progress=lambda *state: states.append(state))
    assert states == [(60, 60)]


@pytest.mark.parametrize(("score", "filtered"), [(None, False), (0.5, True)])
def test_whether_captions_were_filtered_before_is_told(run, score, filtered):
    assert calibrated(run.write(score=score)).filtered is filtered


def test_too_few_pairs(run):
    with pytest.raises(UsageError, match="18 captions can be paired"):
        calibrated(run.write(shades=range(132, 168, 4)))


def test_one_caption_for_all_leaves_no_pairs(run):
    with pytest.raises(UsageError, match="0 captions can be paired"):
        calibrated(run.write(say="shade 1"))


def test_images_must_be_embedded(run):
    with pytest.raises(UsageError, match="shards that hold them"):
        calibrated(run.write(embed=False))


def test_no_run_at_all(tmp_path):
    with pytest.raises(InputFileError, match="manifest"):
        calibrated(str(tmp_path))


def test_a_damaged_shard(run):
    output = run.write()
    path = next(run.folder.glob("recapd/*.arrow"))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputFileError, match="cannot read the shard"):
        calibrated(output)


WRITTEN = Calibration(
    threshold=0.25,
    false_accept=0.05,
    false_reject=0.1,
    wanted_false_accept=None,
    roc_area=0.9,
    pairs=100,
    scorer="small sha256:1",
    seed=0,
)


def test_a_calibration_of_an_earlier_version_is_refused_for_its_scorer(tmp_path):
    path = tmp_path / "calibration.json"
    earlier = WRITTEN.model_dump()
    del earlier["hard"]
    path.write_text(json.dumps(earlier), encoding="utf-8")
    with pytest.raises(UsageError, match="this run scores with 'small sha256:1, GELU"):
        load_calibration(str(path)).check_scorer("small sha256:1, GELU, by sentence, view box")


def test_a_calibration_is_for_its_scorer_only(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text(WRITTEN.model_dump_json(), encoding="utf-8")
    calibration = load_calibration(str(path))
    assert calibration == WRITTEN
    assert calibration.check_scorer("small sha256:1") is calibration
    with pytest.raises(UsageError, match="is for the scorer 'small sha256:1'"):
        calibration.check_scorer("small sha256:2")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        WRITTEN.model_dump_json().replace("0.25", '"high"'),
        WRITTEN.model_dump_json().replace("0.25", "NaN"),
        WRITTEN.model_dump_json().replace('"seed":0', '"seed":0,"more":1'),
    ],
)
def test_a_file_that_is_no_calibration(tmp_path, content):
    path = tmp_path / "calibration.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="expected what `regionforge calibrate` wrote"):
        load_calibration(str(path))


def test_a_calibration_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_calibration(str(tmp_path / "none.json"))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_picture_can_be_opened(spread):
    rng = np.random.default_rng(3)
    matched, shuffled = 0.6 + spread * rng.normal(0, 0.1, 50), 0.2 + spread * rng.random(50) / 2
    png = curve_png(curve(matched, shuffled), matched, shuffled, 0.4, "100 pairs")
    with Image.open(BytesIO(png)) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", SIZE)


def test_a_scorer_that_tells_nothing_apart_writes_no_threshold(run, small_clip, tmp_path, capsys):
    """The small CLIP cannot read shades."""
    path = tmp_path / "calibrated" / "calibration.json"
    words = ["calibrate", run.write(), "--to", str(path), "--device", "cpu"]
    assert cli.run(words) == 1
    shown = capsys.readouterr()
    assert "60 matched, 60 shuffled" in shown.out
    assert "is below 0.75" in shown.err
    assert "no threshold is written; --force" in shown.err
    assert not path.parent.exists()

    assert cli.run([*words, "--force"]) == 0
    shown = capsys.readouterr()
    assert "is below 0.75" in shown.err
    view = f"{small_clip.identity}, view box"
    calibration = load_calibration(str(path)).check_scorer(view)
    assert f"{calibration.threshold:.5f}" in shown.out
    assert f"--calibration {path}" in shown.out
    assert json.loads(path.read_bytes())["pairs"] == 60
    assert path.with_suffix(".png").stat().st_size > 1000


@pytest.mark.parametrize(("area", "separates"), [(0.6, False), (0.7499, False), (0.75, True)])
def test_the_area_that_separates(area, separates):
    assert WRITTEN.model_copy(update={"roc_area": area}).separates is separates


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--false-accept", "1.5"], "--false-accept 1.5"),
        (["--to", "curve.png"], "--to 'curve.png'"),
        (["--pairs", "0"], "--pairs 0"),
        (["--clip-model", "no-such-model", "--clip-weights", "x"], "no-such-model"),
    ],
)
def test_mistakes_end_without_a_traceback(run, flags, message, capsys):
    to = [] if "--to" in flags else ["--to", "calibration.json"]
    assert cli.run(["calibrate", run.write(), *to, *flags]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_an_output_that_cannot_be_used_ends_it_before_clip_is_loaded(
    run, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(
        "pipelines.recap.clip.open_clip.ClipScorer", lambda *_: pytest.fail("it was loaded")
    )
    for output, message in (
        (str(tmp_path / "none"), "there is no such folder"),
        (run.write(embed=False), "refers to images; calibrate needs shards that hold them"),
    ):
        assert cli.run(["calibrate", output, "--to", "x.json"]) == 2
        assert message in capsys.readouterr().err


def test_marks_of_captions_without_scores_say_how_to_score_them(run, tmp_path, capsys):
    path = tmp_path / "marks.json"
    path.write_text('{"marks_version": "1", "scorer": "", "marks": []}', encoding="utf-8")
    words = ["calibrate", run.write(), "--to", "x.json", "--marks", str(path)]
    assert cli.run(words) == 2
    error = capsys.readouterr().err
    assert "0 captions with a score are good" in error
    assert "captions are scored by `regionforge recap --threshold S`" in error
