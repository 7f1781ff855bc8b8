import numpy as np
import pytest

from model.frame import Frame


@pytest.mark.parametrize(
    ("width", "height", "corner", "opposite"),
    [
        (640, 480, (0.0, 42.0), (336.0, 294.0)),
        (480, 640, (42.0, 0.0), (294.0, 336.0)),
        (336, 336, (0.0, 0.0), (336.0, 336.0)),
        (1, 3, (112.0, 0.0), (224.0, 336.0)),
        (8, 7, (0.0, 0.0), (336.0, 294.0)),  # the odd pixel of padding lies below
    ],
)
def test_a_padded_picture_lies_in_the_middle_of_its_canvas(
    width: int, height: int, corner: tuple[float, float], opposite: tuple[float, float]
) -> None:
    frame = Frame.padded(width, height, 336)
    assert frame.to_model((0, 0, width, height)) == pytest.approx((*corner, *opposite))
    assert frame.scale_x == frame.scale_y == 336 / max(width, height)


def test_a_stretched_picture_fills_the_model_s() -> None:
    frame = Frame.stretched(640, 480, 224)
    assert frame.to_model((0, 0, 640, 480)) == pytest.approx((0, 0, 224, 224))
    assert frame.to_model((320, 120, 480, 360)) == pytest.approx((112, 56, 168, 168))


def test_boxes_are_clipped_to_the_owner_s_picture_not_to_the_padding() -> None:
    frame = Frame.padded(640, 480, 336)
    assert frame.to_model((-50, -50, 9999, 9999)) == pytest.approx((0, 42, 336, 294))


@pytest.mark.parametrize("frame", [Frame.padded(500, 333, 336), Frame.stretched(500, 333, 336)])
def test_cell_edges_are_whole_steps_of_the_model_s_picture(frame: Frame) -> None:
    x, y = frame.cell_edges(96)
    np.testing.assert_allclose(frame.offset_x + frame.scale_x * x, np.arange(97) * 3.5, atol=1e-9)
    np.testing.assert_allclose(frame.offset_y + frame.scale_y * y, np.arange(97) * 3.5, atol=1e-9)


def test_an_incomplete_patch_has_no_cells() -> None:
    frame = Frame.stretched(384, 384, 384, patch=14)
    assert (frame.size, frame.covered) == (384, 378)
    x, _ = frame.cell_edges(108)
    assert (x[0], x[-1]) == (0, 378)
    assert x[4] == pytest.approx(14)  # four cells a patch


def test_cell_edges_belong_to_all_who_ask_and_cannot_be_changed() -> None:
    frame = Frame.padded(500, 333, 336)
    x, y = frame.cell_edges(96)
    assert frame.cell_edges(96) == (x, y)
    with pytest.raises(ValueError, match="read-only"):
        x += 1
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 1
