"""Hard pairs of `calibrate`: captions of the same image and of the same class, and their rates."""

from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import parser as cli
from pipelines.recap.clip.calibrate import CalibrationOptions, calibrate, sample_captions
from pipelines.recap.clip.crops import clip_crop
from pipelines.recap.clip.pairs import load_crops, sample_pairs
from schemas.errors import UsageError
from schemas.mask import from_pixels
from tests.pipelines.recap.clip.shade_run import IMAGES, SHADES, Run, ShadeScorer


def category(shade: int) -> str | None:
    """Three classes of bright halves; the dark halves are of one class, but for two of them."""
    if shade == 66:
        return None
    if shade == 68:
        return "alone"
    return f"bright {shade % 3}" if shade in SHADES else "dark"


def calibrated(output, scorer, **options):
    chosen = CalibrationOptions(**options)
    return calibrate(sample_captions(output, chosen), scorer, chosen, lambda *_: None)


def by_region(pairs):
    """The shades named beside each shade shown, in the order of the kinds."""
    named: dict[int, list[int]] = {}
    for shown, shade in pairs:
        named.setdefault(shown, []).append(shade)
    return named


def test_each_kind_is_of_other_regions_as_it_says(tmp_path, make_image):
    scorer = ShadeScorer()
    calibrated(Run(tmp_path / "run", make_image, category=category).write(), scorer)
    regions = by_region(scorer.pairs)
    assert len(regions) == 2 * len(SHADES)
    for shade, (own, foreign, same_image, *same_class) in regions.items():
        assert own == shade
        assert IMAGES[foreign] != IMAGES[shade]
        assert IMAGES[same_image] == IMAGES[shade]
        assert same_image != shade
        assert len(same_class) == (category(shade) not in (None, "alone"))
        for other in same_class:
            assert category(other) == category(shade)
            assert IMAGES[other] != IMAGES[shade]
    assert len({others[3] for others in regions.values() if len(others) > 3}) > len(SHADES)


def test_rates_and_areas_are_those_of_their_pairs(tmp_path, make_image):
    scorer = ShadeScorer()
    output = Run(tmp_path / "run", make_image, category=category).write()
    calibration = calibrated(output, scorer, false_accept=0.3).calibration
    named = by_region(scorer.pairs)
    kinds = {
        "same_image": {shade: others[2] for shade, others in named.items()},
        "same_class": {shade: others[3] for shade, others in named.items() if len(others) > 3},
    }
    assert calibration.hard.keys() == kinds.keys()
    assert 0 < calibration.hard["same_class"].false_accept < 1
    for kind, pairs in kinds.items():
        scores = [1 - abs(shown - other) / 255 for shown, other in pairs.items()]
        matched = [1.0] * len(named)
        above = [(own > other) + (own == other) / 2 for own, other in product(matched, scores)]
        hard = calibration.hard[kind]
        assert hard.pairs == len(pairs)
        assert hard.false_accept == np.mean([score >= calibration.threshold for score in scores])
        assert hard.roc_area == pytest.approx(np.mean(above))


def test_pairs_do_not_hang_on_the_order_of_shards(tmp_path, make_image):
    runs = [
        Run(tmp_path / str(shards), make_image, category=category).write(shards=shards)
        for shards in (1, 3)
    ]
    first, second = (
        [
            (each.region.region_id, each.other_image, each.same_image, each.same_class)
            for each in sample_pairs(sorted(map(str, shards)), 40, 0)
        ]
        for shards in (list((tmp_path / str(number)).rglob("*.arrow")) for number in (1, 3))
    )
    assert runs[0] != runs[1]
    assert first == second


def test_a_region_without_a_neighbour_has_no_hard_pair(tmp_path, make_image, capsys):
    scorer = ShadeScorer()
    run = Run(tmp_path / "run", make_image, category=lambda shade: str(shade))
    output = run.write()
    assert calibrated(output, scorer).calibration.hard.keys() == {"same_image"}
    cli.run(["calibrate", output, "--to", str(tmp_path / "c.json"), "--device", "cpu"])
    shown = capsys.readouterr().out
    assert "of 60 pairs of other regions of the same image; ROC area 0." in shown
    assert "no pairs of other images' regions of the same class" in shown


@pytest.fixture
def masked(tmp_path, make_image):
    """A run whose left regions have a mask: the upper half of the picture."""
    pixels = np.zeros((32, 64), bool)
    pixels[:16] = True
    return Run(tmp_path / "masked", make_image, mask=from_pixels(pixels))


def decoded(jpeg: bytes) -> np.ndarray:
    with Image.open(BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"), float)


def test_a_crop_is_blurred_outside_its_mask_only(masked):
    masked.write(shades=list(SHADES)[:12])
    sampled = sample_pairs(sorted(map(str, masked.folder.rglob("*.arrow"))), 24, 0)
    region = next(each.region for each in sampled if each.region.region_id == "left")
    noise = np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)
    plain, blurred = (
        decoded(clip_crop(Image.fromarray(noise), region.box, mask=mask))
        for mask in (None, region.mask)
    )
    # The box begins at row 2, so that 14 rows are in the mask; JPEG has blocks of 8 rows.
    assert np.array_equal(plain[:8], blurred[:8])
    assert blurred[16:].std() < plain[16:].std() / 2
    crops = load_crops([each.region for each in sampled], mask_blur=True)
    for each, (sharp, seen) in zip(sampled, crops, strict=True):
        assert sharp.size == seen.size
        assert (each.region.mask is None) == (each.region.region_id == "right")


def test_both_areas_are_known_and_a_threshold_is_for_its_view_only(masked):
    output = masked.write()
    plain = calibrated(output, ShadeScorer())
    blurred = calibrated(output, ShadeScorer(), mask_blur=True)
    assert plain.sharp_area is None
    assert blurred.sharp_area == plain.calibration.roc_area
    assert blurred.calibration.scorer == "shades 1, view box blurred outside masks"
    with pytest.raises(UsageError, match="--mask-blur"):
        blurred.calibration.check_scorer("shades 1, view box")


def test_the_command_prints_both_areas(masked, tmp_path, capsys):
    words = ["--to", str(tmp_path / "c.json"), "--device", "cpu", "--mask-blur", "--force"]
    assert cli.run(["calibrate", masked.write(), *words]) == 0
    shown = capsys.readouterr().out
    assert "view box blurred outside masks" in shown
    assert " without --mask-blur\n" in shown
