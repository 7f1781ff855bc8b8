"""`calibrate`: pairs from shards, a threshold from pairs, a file that `recap` reads."""

import json
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipelines.cli import parser as cli
from pipelines.recap.clip.calibrate import Calibration, calibrate, load_calibration
from pipelines.recap.clip.curve import curve
from pipelines.recap.clip.plot import SIZE, curve_png
from pipelines.recap.clip.scorer import Score
from schemas.columns import BuildStamp, ImageColumn, Row, to_batch
from schemas.errors import InputFileError, UsageError
from schemas.ids import sample_id
from schemas.item import RegionCaption
from schemas.layout import shard_name
from schemas.manifest import BuildIdentity, Manifest, Shard
from schemas.sample import Conversation, Message, Region, Task
from schemas.shard import VERSION

# Grey levels of left halves; right ones are half as bright. All differ, so that a crop says what it
# is of.
SHADES = range(132, 252, 4)
IMAGES = {shade: image for image in SHADES for shade in (image, image // 2)}
STAMP = BuildStamp(builder="regionforge 9", recipe="recapd", seed=0)


class ShadeScorer:
    """Reads the shade that a caption names and the one a crop has."""

    identity = "shades 1"

    def __init__(self):
        self.pairs = []

    def score(self, crops, captions):
        shown = [round(np.asarray(crop).mean()) for crop in crops]
        named = [int(caption.split()[-1]) for caption in captions]
        self.pairs += zip(shown, named, strict=True)
        return [Score(1 - abs(s - n) / 255, 0.0) for s, n in zip(shown, named, strict=True)]


def jpeg(shade: int, other: int) -> bytes:
    """Return an image of two halves."""
    image = Image.new("L", (64, 32), shade)
    image.paste(other, (32, 0, 64, 32))
    room = BytesIO()
    image.save(room, "JPEG", quality=95)
    return room.getvalue()


class Run:
    """The output of a run of `recap`: of each shade an image, with a region in either half."""

    def __init__(self, folder, make_image) -> None:
        self.folder = folder
        self._make_image = make_image

    def write(self, shades=SHADES, *, say="shade {}", score=None, embed=True, shards=2) -> str:
        """Write it; the right half of an image is half as bright as the left one."""
        (self.folder / "recapd").mkdir(parents=True)
        listed = []
        for index in range(shards):
            rows, column = [], ImageColumn(0)
            for shade in list(shades)[index::shards]:
                rows.append(self._row(shade, say, score))
                data = jpeg(shade, shade // 2)
                column.room(len(data))[:] = data
                column.commit(len(data))
            images = column.array() if embed else None
            batch = to_batch(rows, STAMP, images)
            listed.append(self._shard(index, shards, batch))
        identity = BuildIdentity(
            schema_version=VERSION, builder="regionforge 9", recipe={"name": "recapd"}, sources={}
        )
        manifest = Manifest(identity=identity, shards=listed, rejected={})
        (self.folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
        return str(self.folder)

    def _row(self, shade: int, say: str, score: float | None) -> Row:
        left, right, task = (2, 2, 28, 30), (36, 2, 62, 30), Task.REGION_DETAILED_CAPTION
        scored = (RegionCaption("paragraph", "x", score, score),)
        talk = Conversation(
            id=sample_id("recapd", "train", f"sub/{shade}", task, 0),
            turn_tasks=(task,),
            regions=(
                Region("left", left, caption=say.format(shade), captions=scored),
                Region("right", right, caption=say.format(shade // 2), captions=scored),
                Region("unsaid", right),
            ),
            messages=(Message("user", "<image> ?"), Message("assistant", "!")),
            prompts=("p",),
        )
        return Row(self._make_image(), f"{shade}.jpg", talk, (64, 32))

    def _shard(self, index: int, of: int, batch: pa.RecordBatch) -> Shard:
        path, rows = f"recapd/{shard_name('train', index, of)}", batch.num_rows
        with (
            pa.OSFile(str(self.folder / path), "wb") as sink,
            pa.ipc.new_stream(sink, batch.schema) as stream,
        ):
            stream.write_batch(batch)
        return Shard(
            config="recapd",
            split="train",
            index=index,
            of=of,
            path=path,
            rows=rows,
            bytes=1,
            sha256="",
        )


@pytest.fixture
def run(tmp_path, make_image):
    return Run(tmp_path / "run", make_image)


def calibrated(output, scorer=None, **changes):
    settings = {"pairs": 1000, "false_accept": None, "seed": 0, "on_progress": lambda *_: None}
    return calibrate(output, scorer or ShadeScorer(), **(settings | changes))


def test_matched_pairs_match_and_shuffled_pairs_do_not(run):
    scorer = ShadeScorer()
    calibration = calibrated(run.write(), scorer).calibration
    assert calibration.pairs == 2 * len(SHADES)
    assert sum(shown == named for shown, named in scorer.pairs) == calibration.pairs
    assert calibration.roc_area == 1
    assert calibration.false_accept == calibration.false_reject == 0
    assert calibration.scorer == "shades 1"


def test_a_shuffled_caption_is_of_another_image(run):
    scorer = ShadeScorer()
    calibrated(run.write(), scorer)
    foreign = [(shown, named) for shown, named in scorer.pairs if shown != named]
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


def test_the_command(run, small_clip, tmp_path, capsys):
    path = tmp_path / "calibrated" / "calibration.json"
    assert cli.run(["calibrate", run.write(), "--to", str(path), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    calibration = load_calibration(str(path)).check_scorer(small_clip.identity)
    assert f"{calibration.threshold:.5f}" in shown
    assert f"--calibration {path}" in shown
    assert json.loads(path.read_bytes())["pairs"] == 60
    assert path.with_suffix(".png").stat().st_size > 1000


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
    assert cli.run(["calibrate", run.write(), *to, *flags]) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_an_output_that_cannot_be_used_ends_it_before_clip_is_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pipelines.cli.calibrate.require", lambda *_: pytest.fail("it was loaded"))
    assert cli.run(["calibrate", str(tmp_path / "none"), "--to", "x.json"]) == 1
    assert "no output is in" in capsys.readouterr().err
