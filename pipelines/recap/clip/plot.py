"""The plot of a calibration as a PNG: scores and error rates of pairs, and the threshold."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.recap.clip.curve import Curve, Scores

SIZE = (960, 600)  # width, height of the picture in pixels
_SCALE = 2  # drawn larger, then scaled down for smooth lines
_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 84, 936, 520  # edges of the plot in pixels
_BINS = 60
_TICKS = 5
_LABEL = 60  # half the width of the threshold's label in pixels
_PAPER, _INK, _SOFT, _GRID = "#ffffff", "#1a1d23", "#626a78", "#e6e9ee"
_MATCHED, _SHUFFLED, _CHOSEN = "#2f6bff", "#e0602c", "#1a1d23"
_MATCHED_FILL, _SHUFFLED_FILL = "#cddbff", "#fbdccd"
_BOTH_FILL = "#d7c7cf"  # colour of overlapping bars

Point = tuple[float, float]  # x, y in pixels of the picture


def curve_png(
    errors: Curve,
    matched: Scores,
    shuffled: Scores,
    threshold: float,
    title: str,
    names: tuple[str, str] = ("matched pairs", "shuffled pairs"),
) -> bytes:
    """Return the plot of a calibration as a PNG of 960 × 600 pixels.

    Args:
        errors: error rates at each threshold, drawn as lines.
        matched: scores of matched pairs, (N,), drawn as bars.
        shuffled: scores of shuffled pairs, (N,), drawn as bars.
        threshold: the chosen threshold, drawn as a vertical line.
        title: the text above the plot.
        names: what is said instead of matched and shuffled pairs.
    """
    return _Sheet(matched, shuffled, names).draw(errors, matched, shuffled, threshold, title)


class _Sheet:
    """A drawing with scores on the horizontal axis, and shares of pairs on the vertical axis."""

    def __init__(self, matched: Scores, shuffled: Scores, names: tuple[str, str]) -> None:
        self._matched_name, self._shuffled_name = names
        scores = np.concatenate([matched, shuffled])
        low, high = float(scores.min()), float(scores.max())
        margin = max((high - low) * 0.04, 1e-3)
        self._low, self._high = low - margin, high + margin
        self._image = Image.new("RGB", (SIZE[0] * _SCALE, SIZE[1] * _SCALE), _PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def draw(
        self, errors: Curve, matched: Scores, shuffled: Scores, threshold: float, title: str
    ) -> bytes:
        self._bars(matched, shuffled)
        self._grid()
        self._line(errors.thresholds, errors.false_accepts, _SHUFFLED)
        self._line(errors.thresholds, errors.false_rejects, _MATCHED)
        self._threshold(threshold)
        self._words(title)
        out = BytesIO()
        self._image.reduce(_SCALE).save(out, "PNG")
        return out.getvalue()

    def _point(self, score: float, share: float) -> Point:
        across = (score - self._low) / (self._high - self._low)
        x, y = _LEFT + across * (_RIGHT - _LEFT), _BOTTOM - share * (_BOTTOM - _TOP)
        return x * _SCALE, y * _SCALE

    def _bars(self, matched: Scores, shuffled: Scores) -> None:
        edges = np.linspace(self._low, self._high, _BINS + 1)
        heights = [np.histogram(scores, edges)[0] / len(scores) for scores in (matched, shuffled)]
        tallest = max(float(height.max()) for height in heights)
        for left, right, matched_height, shuffled_height in zip(
            edges[:-1], edges[1:], *heights, strict=True
        ):
            fills = (
                (matched_height, _MATCHED_FILL),
                (shuffled_height, _SHUFFLED_FILL),
                (min(matched_height, shuffled_height), _BOTH_FILL),
            )
            for height, fill in fills:
                if height:
                    corners = [self._point(left, height / tallest), self._point(right, 0)]
                    self._pen.rectangle(corners, fill=fill)

    def _grid(self) -> None:
        for step in range(_TICKS + 1):
            share = step / _TICKS
            self._pen.line(
                [self._point(self._low, share), self._point(self._high, share)], _GRID, _SCALE
            )
            x, y = self._point(self._low, share)
            self._text((x - 12 * _SCALE, y), f"{share:.0%}", _SOFT, "rm")
            score = self._low + share * (self._high - self._low)
            x, y = self._point(score, 0)
            self._text((x, y + 12 * _SCALE), f"{score:.3f}", _SOFT, "mt")
        self._pen.line([self._point(self._low, 0), self._point(self._high, 0)], _SOFT, _SCALE)

    def _line(self, scores: Scores, shares: Scores, colour: str) -> None:
        points = [self._point(*pair) for pair in zip(scores.tolist(), shares.tolist(), strict=True)]
        ends = [self._point(self._low, shares[0]), *points, self._point(self._high, shares[-1])]
        self._pen.line(ends, colour, 3 * _SCALE, joint="curve")

    def _threshold(self, threshold: float) -> None:
        x, top = self._point(threshold, 1)
        bottom = self._point(threshold, 0)[1]
        for y in range(int(top), int(bottom), 12 * _SCALE):
            self._pen.line([(x, y), (x, min(y + 7 * _SCALE, bottom))], _CHOSEN, 2 * _SCALE)
        x = min(max(x, _LEFT * _SCALE), (_RIGHT - _LABEL) * _SCALE)
        self._text((x, top - 6 * _SCALE), f"threshold {threshold:.4f}", _INK, "mb")

    def _words(self, title: str) -> None:
        self._text((24 * _SCALE, 24 * _SCALE), title, _INK, "lt", 18)
        self._text((SIZE[0] * _SCALE / 2, 558 * _SCALE), "similarity", _SOFT, "mm")
        legend: Sequence[tuple[str, str]] = (
            (_SHUFFLED, f"{self._shuffled_name} that pass (false accepts)"),
            (_MATCHED, f"{self._matched_name} that do not (false rejects)"),
        )
        x = _LEFT * _SCALE
        for colour, words in legend:
            self._pen.line([(x, 580 * _SCALE), (x + 24 * _SCALE, 580 * _SCALE)], colour, 4 * _SCALE)
            self._text((x + 32 * _SCALE, 580 * _SCALE), words, _INK, "lm")
            x += 320 * _SCALE
        self._text((x, 580 * _SCALE), "bars: the scores of both", _SOFT, "lm")

    def _text(self, point: Point, words: str, colour: str, anchor: str, size: int = 14) -> None:
        font = ImageFont.load_default(size * _SCALE)
        self._pen.text(point, words, fill=colour, font=font, anchor=anchor)
