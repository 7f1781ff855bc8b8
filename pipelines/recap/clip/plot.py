"""The curve of a calibration as a PNG: scores and errors of both kinds, and the threshold."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.recap.clip.curve import Curve, Scores

SIZE = (960, 600)  # pixels
SCALE = 2  # drawn larger, then reduced: smooth lines
LEFT, TOP, RIGHT, BOTTOM = 84, 84, 936, 520  # of the plot
BINS = 60
TICKS = 5
LABEL = 60  # pixels: half the width of the threshold's label
PAPER, INK, SOFT, GRID = "#ffffff", "#1a1d23", "#626a78", "#e6e9ee"
MATCHED, SHUFFLED, CHOSEN = "#2f6bff", "#e0602c", "#1a1d23"
MATCHED_FILL, SHUFFLED_FILL = "#cddbff", "#fbdccd"
BOTH_FILL = "#d7c7cf"  # where bars overlap

Point = tuple[float, float]  # x, y; pixels of the picture


def curve_png(
    found: Curve, matched: Scores, shuffled: Scores, threshold: float, title: str
) -> bytes:
    """Return the picture of a curve, 960 × 600 pixels.

    Args:
        found: the errors at each threshold: lines.
        matched: scores of matched pairs, (N,): bars.
        shuffled: scores of shuffled pairs, (N,): bars.
        threshold: that was chosen: an upright line.
        title: what stands above.
    """
    return _Sheet(matched, shuffled).draw(found, matched, shuffled, threshold, title)


class _Sheet:
    """A plot of scores from left to right, and of shares from the bottom up."""

    def __init__(self, matched: Scores, shuffled: Scores) -> None:
        scores = np.concatenate([matched, shuffled])
        low, high = float(scores.min()), float(scores.max())
        margin = max((high - low) * 0.04, 1e-3)
        self._low, self._high = low - margin, high + margin
        self._image = Image.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def draw(
        self, found: Curve, matched: Scores, shuffled: Scores, threshold: float, title: str
    ) -> bytes:
        self._bars(matched, shuffled)
        self._grid()
        self._line(found.thresholds, found.false_accepts, SHUFFLED)
        self._line(found.thresholds, found.false_rejects, MATCHED)
        self._threshold(threshold)
        self._words(title)
        out = BytesIO()
        self._image.reduce(SCALE).save(out, "PNG")
        return out.getvalue()

    def _at(self, score: float, share: float) -> Point:
        across = (score - self._low) / (self._high - self._low)
        x, y = LEFT + across * (RIGHT - LEFT), BOTTOM - share * (BOTTOM - TOP)
        return x * SCALE, y * SCALE

    def _bars(self, matched: Scores, shuffled: Scores) -> None:
        edges = np.linspace(self._low, self._high, BINS + 1)
        heights = [np.histogram(scores, edges)[0] / len(scores) for scores in (matched, shuffled)]
        tallest = max(float(height.max()) for height in heights)
        for left, right, one, two in zip(edges[:-1], edges[1:], *heights, strict=True):
            fills = ((one, MATCHED_FILL), (two, SHUFFLED_FILL), (min(one, two), BOTH_FILL))
            for height, fill in fills:
                if height:
                    corners = [self._at(left, height / tallest), self._at(right, 0)]
                    self._pen.rectangle(corners, fill=fill)

    def _grid(self) -> None:
        for step in range(TICKS + 1):
            share = step / TICKS
            self._pen.line([self._at(self._low, share), self._at(self._high, share)], GRID, SCALE)
            x, y = self._at(self._low, share)
            self._text((x - 12 * SCALE, y), f"{share:.0%}", SOFT, "rm")
            score = self._low + share * (self._high - self._low)
            x, y = self._at(score, 0)
            self._text((x, y + 12 * SCALE), f"{score:.3f}", SOFT, "mt")
        self._pen.line([self._at(self._low, 0), self._at(self._high, 0)], SOFT, SCALE)

    def _line(self, scores: Scores, shares: Scores, colour: str) -> None:
        points = [self._at(*pair) for pair in zip(scores.tolist(), shares.tolist(), strict=True)]
        ends = [self._at(self._low, shares[0]), *points, self._at(self._high, shares[-1])]
        self._pen.line(ends, colour, 3 * SCALE, joint="curve")

    def _threshold(self, threshold: float) -> None:
        x, top = self._at(threshold, 1)
        bottom = self._at(threshold, 0)[1]
        for y in range(int(top), int(bottom), 12 * SCALE):
            self._pen.line([(x, y), (x, min(y + 7 * SCALE, bottom))], CHOSEN, 2 * SCALE)
        x = min(max(x, LEFT * SCALE), (RIGHT - LABEL) * SCALE)
        self._text((x, top - 6 * SCALE), f"threshold {threshold:.4f}", INK, "mb")

    def _words(self, title: str) -> None:
        self._text((24 * SCALE, 24 * SCALE), title, INK, "lt", 18)
        self._text((SIZE[0] * SCALE / 2, 558 * SCALE), "similarity", SOFT, "mm")
        legend: Sequence[tuple[str, str]] = (
            (SHUFFLED, "shuffled pairs that pass (false accepts)"),
            (MATCHED, "matched pairs that do not (false rejects)"),
        )
        x = LEFT * SCALE
        for colour, words in legend:
            self._pen.line([(x, 580 * SCALE), (x + 24 * SCALE, 580 * SCALE)], colour, 4 * SCALE)
            self._text((x + 32 * SCALE, 580 * SCALE), words, INK, "lm")
            x += 320 * SCALE
        self._text((x, 580 * SCALE), "bars: the scores of both", SOFT, "lm")

    def _text(self, at: Point, words: str, colour: str, anchor: str, size: int = 14) -> None:
        font = ImageFont.load_default(size * SCALE)
        self._pen.text(at, words, fill=colour, font=font, anchor=anchor)
