"""The charts of a report: numbers in words and in shares of a drawing, which templates draw."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.report.statistics import CLIP_BIN, Statistics, clip_bin

_MOST_BARS = 40  # columns of a histogram of numbers; larger numbers share the last one
_LABELS = 70  # characters that stand side by side below a histogram
_MOST_ROWS = 30  # rows of a list; the others are summed up
_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled bar; `start` and `width` are percent of the room for bars."""

    label: str
    value: str
    start: float
    width: float
    mark: float | None = None  # a tick within the bar, percent of the room


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a histogram: heights of its parts in percent of the drawing, from below."""

    label: str  # below the column; empty for none
    title: str
    heights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A histogram, or a list of bars."""

    title: str
    note: str = ""
    rows: list[Row] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    legend: tuple[str, ...] = ()  # the names of the columns' parts
    marker: float | None = None  # a vertical line, percent of the drawing's width
    marker_label: str = ""


def charts(
    statistics: Statistics, short: Mapping[str, Mapping[str, int]], threshold: float | None
) -> list[Chart]:
    """Return the charts of an output; those without anything to show are left out.

    Args:
        statistics: the counts of all records.
        short: regions of the categories that fall short of a cap, by source and split.
        threshold: the least CLIP similarity of a kept caption.
    """
    every = [
        _clip(statistics, threshold),
        _shares("Assistant turns by task", statistics.turns),
        _words(statistics.words),
        _numbers("Regions of an image", statistics.regions_per_image),
        _sides(statistics.box_sides),
        _shares("Regions by category", statistics.categories),
        _shares(
            "Categories with fewer regions than asked for",
            {
                f"{name} ({of})": number
                for of, names in short.items()
                for name, number in names.items()
            },
        ),
    ]
    return [chart for chart in every if chart.rows or chart.columns]


def _shares(title: str, counts: Mapping[str, int]) -> Chart:
    total, top = sum(counts.values()), Counter(counts).most_common()
    shown, rest = top[:_MOST_ROWS], top[_MOST_ROWS:]
    most = shown[0][1] if shown else 0
    rows = [
        Row(label, f"{number:,} ({number / max(1, total):.1%})", 0, 100 * number / max(1, most))
        for label, number in shown
    ]
    others = sum(number for _, number in rest)
    note = f"and {len(rest):,} others, {others:,} in all" if rest else ""
    return Chart(title=title, rows=rows, note=note)


def _words(words: Mapping[str, Counter[int]]) -> Chart:
    quantiles = {task: _quantiles(counts) for task, counts in sorted(words.items())}
    most = max((high for *_, high in quantiles.values()), default=0) or 1
    rows = [
        Row(
            task,
            f"{low} to {high}, median {middle}",
            100 * low / most,
            max(0.5, 100 * (high - low) / most),
            100 * middle / most,
        )
        for task, (low, middle, high) in quantiles.items()
    ]
    return Chart(
        title="Words of an answer by task",
        rows=rows,
        note="from the 10th to the 90th percentile, with the median between",
    )


def _quantiles(counts: Counter[int]) -> tuple[int, int, int]:
    """Return the three `_QUANTILES` of numbers that are counted."""
    total = counts.total()
    reached = 0
    results: list[int] = []
    for number in sorted(counts):
        reached += counts[number]
        while len(results) < len(_QUANTILES) and reached >= _QUANTILES[len(results)] * total:
            results.append(number)
    low, middle, high = results
    return low, middle, high


def _numbers(title: str, counts: Counter[int]) -> Chart:
    if not counts:
        return Chart(title=title)
    low, high = min(counts), max(counts)
    cut = min(high, low + _MOST_BARS - 1)
    summed = Counter[int]()
    for number, images in counts.items():
        summed[min(number, cut)] += images
    columns = [
        (f"{number}+" if number == cut < high else str(number), (summed[number],))
        for number in range(low, cut + 1)
    ]
    return Chart(title=title, columns=_columns(columns))


def _sides(counts: Counter[int]) -> Chart:
    title, note = "Sizes of boxes", "square root of the area, pixels"
    if not counts:
        return Chart(title=title)
    exponents = range(min(counts), max(counts) + 1)
    columns = [(f"{2**e}–{2 ** (e + 1)}", (counts[e],)) for e in exponents]
    return Chart(title=title, note=note, columns=_columns(columns))


def _clip(statistics: Statistics, threshold: float | None) -> Chart:
    title = "CLIP similarities of captions"
    kept, rejected = statistics.kept_clip, statistics.rejected_clip
    if not kept | rejected:
        return Chart(title=title)
    edges = [*kept, *rejected, *([] if threshold is None else [clip_bin(threshold)])]
    low, high = min(edges), max(edges) + 1
    columns = [
        (f"{bin_ * CLIP_BIN:.2f}", (kept[bin_], rejected[bin_])) for bin_ in range(low, high)
    ]
    return Chart(
        title=title,
        columns=_columns(columns),
        legend=("kept", "rejected"),
        marker=None if threshold is None else 100 * (threshold / CLIP_BIN - low) / (high - low),
        marker_label="" if threshold is None else f"threshold {threshold:.4g}",
    )


def _columns(columns: Sequence[tuple[str, tuple[int, ...]]]) -> list[Column]:
    """Return columns as high as their numbers, the highest one as high as the drawing."""
    most = max(sum(numbers) for _, numbers in columns) or 1
    longest = max(len(label) for label, _ in columns)
    step = -(-len(columns) * (longest + 1) // _LABELS)  # every label where there is room
    return [
        Column(
            "" if left % step else label,  # the last one has its label, which may be "40+"
            f"{label}: {' + '.join(f'{number:,}' for number in numbers)}",
            tuple(100 * number / most for number in numbers),
        )
        for left, (label, numbers) in zip(reversed(range(len(columns))), columns, strict=True)
    ]
