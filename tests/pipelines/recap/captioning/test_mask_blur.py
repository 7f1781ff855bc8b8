"""The crops of the scorer, blurred outside masks, and the flag that asks for them."""

import json
from io import BytesIO

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image, ImageOps

from pipelines.recap.captioning.views import CropOptions, view_image
from pipelines.recap.clip.calibrate import Calibration
from pipelines.recap.small_clip import FOLDER
from schemas.clip_weights import WEIGHTS_NAME
from schemas.sample import Region, ScreenedImage

SIZE = (64, 48)  # of the stored picture, in whose frame it is annotated
BOX = (8.0, 8.0, 40.0, 40.0)
UPPER = [8.0, 8.0, 40.0, 8.0, 40.0, 24.0, 8.0, 24.0]  # a polygon: the upper half of the box
# Where the upper half lies in the upright crop of 32 x 32 pixels, by EXIF orientation: as stored,
# and turned clockwise by a quarter.
INSIDE = {1: np.s_[:16, :], 6: np.s_[:, 16:]}
OUTSIDE = {1: np.s_[16:, :], 6: np.s_[:, :16]}


def pixels_of(jpeg: bytes) -> np.ndarray:
    with Image.open(BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"), float)


@pytest.fixture
def photograph():
    """The bytes of a noisy picture that is stored in an orientation."""

    def make(orientation: int) -> bytes:
        room, exif = BytesIO(), Image.Exif()
        exif[0x0112] = orientation
        noise = np.random.default_rng(1).integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8)
        Image.fromarray(noise).save(room, "JPEG", quality=95, subsampling=0, exif=exif)
        return room.getvalue()

    return make


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("segmentation", [[UPPER], []], ids=["masked", "without a mask"])
def test_a_mask_turns_with_its_picture(photograph, make_image, orientation, segmentation) -> None:
    data = photograph(orientation)
    image = make_image(width=SIZE[0], height=SIZE[1], size_bytes=len(data))
    screened = replace(
        ScreenedImage(image, (Region("1", BOX),)),
        segmentations={"1": json.dumps(segmentation).encode()},
    )
    sharp, blurred = (
        pixels_of(view_image(screened, options, data).regions["1"].clip_crop)
        for options in (
            CropOptions(folder="", context=0.0, max_pixels=10_000, scored=True, mask_blur=blur)
            for blur in (False, True)
        )
    )
    with Image.open(BytesIO(data)) as stored:
        upright = ImageOps.exif_transpose(stored)
    assert upright.size == (SIZE if orientation == 1 else SIZE[::-1])
    assert np.abs(sharp - np.asarray(upright, float)[8:40, 8:40]).mean() < 12
    if not segmentation:
        assert np.array_equal(sharp, blurred)
        return
    assert np.array_equal(sharp[INSIDE[orientation]], blurred[INSIDE[orientation]])
    outside = OUTSIDE[orientation]
    assert blurred[outside].std() < sharp[outside].std() / 2


def test_a_run_scores_with_the_view_its_calibration_was_made_with(
    recap_words, recap_output, small_clip, tmp_path
) -> None:
    path, out = tmp_path / "calibration.json", tmp_path / "out"
    assert (FOLDER / WEIGHTS_NAME).is_file()
    view = f"{small_clip.identity}, view box blurred outside masks"
    calibration = Calibration(
        threshold=-0.5,
        false_accept=0.1,
        false_reject=0.1,
        wanted_false_accept=None,
        roc_area=0.9,
        pairs=100,
        scorer=view,
        seed=0,
    )
    path.write_text(calibration.model_dump_json(), encoding="utf-8")
    flags = ["--captioner", "builtin", "--limit", 2]
    status, printed = recap_words(out, *flags, "--calibration", path)
    assert (status, "is for the scorer" in printed, "--mask-blur" in printed) == (2, True, True)
    assert not out.exists()
    assert recap_words(out, *flags, "--no-filter")[0] == 0
    status, printed = recap_words(out, *flags, "--refilter", path, "--mask-blur")
    assert status == 0, printed
    rows = recap_output(out).output.rows()
    assert rows
    assert {row["provenance"]["scorer"] for row in rows} == {view}
