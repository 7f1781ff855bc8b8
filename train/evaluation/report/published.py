"""The published numbers that reports show beside ours, by the key of a benchmark.

They were read in the papers' tables and the owners' files, and are in the units of our figures.
Numbers that are only remembered, or that no text we have states, are left out.
"""

from collections.abc import Mapping, Sequence

from train.evaluation.report.lines import Line, published_line
from train.evaluation.report.published_classification import DILATED, ERODED, GIVEN

_CAPTIONS = tuple(
    f"{group}: {name}"
    for group in ("refcocog/val", "visual_genome/test")
    for name in ("METEOR", "CIDEr")
)
_POPE = tuple(
    f"{group}: {name}"
    for group in ("random", "popular", "adversarial")
    for name in ("accuracy", "precision", "recall", "F1", "yes-ratio")
)
_GAR = (
    "accuracy", "color: accuracy", "texture/pattern: accuracy", "mirror: accuracy",
    "ordering: accuracy", "material: accuracy", "shape: accuracy", "relation: accuracy",
)  # fmt: skip

_REFERENCES = "the paper does not say whether an entry is a sentence or a region with all of its"
_CANDIDATES = (
    "candidates are Co-DETR's boxes, of a number and a score that the paper does not state"
)
_FREE = "localises freely; RegionGPT chooses among a detector's boxes and the added right one"
_RANDOM = "its random part fits the older file of 2,910 questions"
_MISPRINT = "the adversarial F1 printed is not that of its precision and recall"
_SAMPLE = (
    "a sample of 1,000 pictures with 4,004 objects; answers sampled at temperature 0.2; of an "
    "answer with a colon, only the piece behind it counts"
)
_OWN_REPLIES = "the judge's replies kept there give 65.8, 87.6 and 76.7"
LLAMA = "Llama 3.1 8B Instruct, text only"
GPT4O = "GPT-4o 2024-11-20, with pictures"


def _captions(method: str, *values: float) -> Line:
    named = dict(zip(_CAPTIONS, values, strict=False))
    return published_line(method, "RegionGPT, Table 4", named, note=_REFERENCES)


def _rec(method: str, val: float, test: float, note: str = _FREE) -> Line:
    values = {"val: accuracy": val, "test: accuracy": test}
    return published_line(method, "RegionGPT, Table 5", values, note=note)


def _pope(method: str, values: Sequence[float], note: str = "") -> Line:
    named = dict(zip(_POPE, values, strict=True))
    return published_line(method, "RegionGPT, Table 8", named, note=note)


def _semantic(method: str, similarity: float, overlap: float) -> Line:
    values = {"SS": similarity, "S-IoU": overlap}
    return published_line(method, "Osprey, table of LVIS and PACO", values, note=_SAMPLE)


def _dlc(method: str, judge: str, values: Sequence[float], note: str = "") -> Line:
    named = dict(zip(("Pos", "Neg", "Avg"), values, strict=True))
    source = "DAM's repository" if method.startswith("DAM") else "GAR's repository"
    return published_line(method, source, named, judge=judge, note=note)


def _gar(method: str, choices: Sequence[float], captions: Sequence[float]) -> list[Line]:
    answers = dict(zip(_GAR, choices, strict=True))
    judged = dict(zip(("Simple", "Detailed"), captions, strict=True))
    return [
        published_line(method, "GAR's repository", answers),
        published_line(method, "GAR's repository", judged, judge=GPT4O),
    ]


_PUBLISHED: Mapping[str, Sequence[Line]] = {
    "coco": GIVEN,
    "coco_dilated": DILATED,
    "coco_eroded": ERODED,
    "captions": (
        _captions("RegionGPT", 16.9, 109.9, 17.0, 145.6),
        _captions("GRiT", 15.2, 71.6, 17.1, 142.0),
        _captions("SLR", 15.9, 66.2),
        _captions("Kosmos-2", 14.1, 62.3),
    ),
    "rec": (
        _rec("RegionGPT", 86.44, 86.96, _CANDIDATES),
        _rec("MiniGPT-v2", 84.44, 84.66),
        _rec("Shikra", 82.27, 82.19),
        _rec("MDETR", 81.64, 80.89),
        _rec("Kosmos-2", 60.57, 61.65),
    ),
    "pope": (
        _pope("RegionGPT", (
            87.80, 97.75, 78.13, 86.85, 41.20, 87.20, 95.44, 78.13, 85.92, 40.93,
            85.67, 91.99, 78.13, 84.50, 42.47,
        ), _RANDOM),
        _pope("Shikra", (
            86.90, 94.40, 79.26, 86.19, 43.26, 83.97, 87.55, 79.20, 83.16, 45.23,
            83.10, 85.60, 79.60, 82.49, 46.50,
        )),
        _pope("InstructBLIP", (
            88.57, 84.09, 95.13, 89.27, 56.57, 82.77, 76.27, 95.13, 84.66, 62.37,
            72.10, 65.13, 95.13, 77.32, 73.03,
        )),
        _pope("MiniGPT-4", (
            79.67, 78.24, 82.20, 80.17, 52.53, 69.73, 65.86, 81.93, 73.02, 62.20,
            65.17, 61.19, 82.93, 76.05, 67.77,
        ), _MISPRINT),
        _pope("LLaVA", (
            86.00, 87.50, 84.00, 85.71, 48.00, 76.67, 72.22, 86.67, 78.79, 60.00,
            73.33, 69.02, 84.67, 66.32, 61.33,
        ), _MISPRINT),
        _pope("MM-GPT", (
            50.10, 50.05, 100.00, 66.71, 99.90, 50.00, 50.00, 100.00, 66.67, 100.00,
            50.00, 50.00, 100.00, 66.67, 100.00,
        )),
        _pope("mPLUG-Owl", (
            53.97, 52.07, 99.60, 68.39, 95.63, 50.90, 50.46, 99.40, 66.94, 98.57,
            50.67, 50.34, 99.33, 66.82, 98.67,
        )),
    ),
    "lvis": (
        _semantic("Osprey-7B", 65.24, 38.19),
        _semantic("Ferret-7B", 63.78, 36.57),
        _semantic("GPT4RoI-7B", 51.32, 11.99),
        _semantic("Shikra-7B", 49.65, 19.82),
        _semantic("LLaVA-1.5", 48.95, 19.81),
        _semantic("Kosmos-2", 38.95, 8.67),
    ),
    "dlc": (
        _dlc("DAM-3B", LLAMA, (51.0, 83.0, 67.0), "the public weights"),
        _dlc("DAM-3B, joint", LLAMA, (56.8, 84.8, 70.8), "from the judge's replies kept there"),
        _dlc("GAR-1B", LLAMA, (48.9, 87.0, 67.9)),
        _dlc("GAR-8B", LLAMA, (50.2, 84.6, 67.4)),
        _dlc("GAR-1B", GPT4O, (66.2, 88.0, 77.1), _OWN_REPLIES),
        _dlc("GAR-8B", GPT4O, (68.0, 86.0, 77.0)),
    ),
    "gar": (
        *_gar("GAR-8B", (57.8, 58.0, 75.9, 59.0, 43.8, 52.8, 53.1, 65.4), (63.9, 69.2)),
        *_gar("GAR-1B", (47.9, 49.3, 58.6, 59.0, 20.3, 38.9, 50.0, 56.4), (55.7, 66.4)),
    ),
    "v3det": (),
    "vcr": (),
}  # fmt: skip


def published(key: str) -> Sequence[Line]:
    """Return the published numbers of a benchmark, the paper's own first; none where none are.

    >>> [line.method for line in published("rec")][:2]
    ['RegionGPT', 'MiniGPT-v2']
    """
    return _PUBLISHED[key]
