"""The published numbers of the classification of COCO's regions, with ablations."""

from collections.abc import Mapping, Sequence

from train.evaluation.report.lines import Line, published_line

_BY_SIZE = ("mAP", "AP small", "AP medium", "AP large")
_FEATURES = "compares features with the names: every box has a score for every name"
_IMPORTED = "RegionGPT's authors import the number from PVIT's paper"
_PRINTED = "the paper's text says 80.86 for this accuracy"
_SMALLER = "tower: SigLIP ViT-B/16 at 512 pixels"
_ONLY = f"{_SMALLER}; trained on this task alone, on some regions of each name"


def _line(method: str, table: str, values: Mapping[str, float], note: str = "") -> Line:
    return published_line(method, f"RegionGPT, {table}", values, note=note)


def _by_size(method: str, table: str, values: Sequence[float], note: str = "") -> Line:
    return _line(method, table, dict(zip(_BY_SIZE, values, strict=True)), note)


_REGIONGPT = _line("RegionGPT", "Table 3", {"mAP": 70.0, "accuracy": 80.61}, _PRINTED)
_METHODS = (
    _REGIONGPT,
    _line("ASM", "Table 3", {"mAP": 69.3}, _FEATURES),
    _line("CLIP ViT-L, crops", "Table 3", {"mAP": 58.9}, _FEATURES),
    _line("RegionCLIP R50x4", "Table 3", {"mAP": 58.3}, _FEATURES),
    _line("PVIT", "Table 3", {"accuracy": 64.53}, _IMPORTED),
    _line("GPT4RoI", "Table 3", {"accuracy": 64.01}, _IMPORTED),
    _line("Shikra", "Table 3", {"accuracy": 53.91}, _IMPORTED),
    _line("LLaVA", "Table 3", {"accuracy": 40.04}, _IMPORTED),
)
_REFINEMENT = (
    _by_size("RegionGPT, two deconvolutions", "Table 6", (66.8, 51.1, 71.5, 78.0), _SMALLER),
    _by_size("RegionGPT, bilinear", "Table 6", (60.9, 52.8, 70.8, 57.9), _SMALLER),
    _by_size(
        "RegionGPT, deconvolutions and bilinear", "Table 6", (62.7, 53.8, 71.4, 60.3), _SMALLER
    ),
    _by_size("RegionGPT, no refinement", "Table 6", (57.7, 42.7, 65.2, 65.4), _SMALLER),
)
_TOWERS = (
    _by_size("RegionGPT, OpenAI ViT-L at 336", "Table 7", (70.0, 55.7, 75.5, 81.5)),
    _by_size("RegionGPT, SigLIP ViT-B at 512", "Table 7", (66.8, 51.1, 71.5, 78.0)),
    _by_size("RegionGPT, SigLIP ViT-L at 384", "Table 7", (69.5, 56.8, 74.1, 80.2)),
    _by_size("RegionGPT, SigLIP ViT-SO400M at 384", "Table 7", (71.0, 57.9, 76.5, 81.6)),
)
_MODES = (
    _line("RegionGPT, one turn for all regions", "Table 11", {"mAP": 70.0}, _SMALLER),
    _line("RegionGPT, a turn for each region", "Table 11", {"mAP": 73.8}, _SMALLER),
    _line("RegionGPT, one turn for one region", "Table 11", {"mAP": 71.5}, _SMALLER),
)
_QUANTITIES = tuple(
    _line(f"RegionGPT, {number} regions a name", "Table 12", {"mAP": value}, _ONLY)
    for number, value in ((10, 52.7), (20, 56.8), (50, 57.3), (200, 60.9))
)
_INPUTS = tuple(
    _line(
        f"RegionGPT, {form}, {refinement}", "Table 15", {"mAP": value}, "tower: SigLIP ViT-SO400M"
    )
    for form, refinement, value in (
        ("masks", "refinement", 71.0),
        ("boxes", "refinement", 70.4),
        ("masks", "no refinement", 65.6),
        ("boxes", "no refinement", 60.0),
    )
)
_BOXES = _line("RegionGPT, boxes", "Table 16", {"mAP": 69.3})
_MASKS = _line("RegionGPT, masks", "Table 16", {"mAP": 70.0})

GIVEN = (*_METHODS, *_REFINEMENT, *_TOWERS, *_MODES, *_QUANTITIES, *_INPUTS, _BOXES, _MASKS)
DILATED = (_line("RegionGPT, dilated masks", "Table 16", {"mAP": 71.0}), _MASKS, _BOXES)
ERODED = (_line("RegionGPT, eroded masks", "Table 16", {"mAP": 68.2}), _MASKS, _BOXES)
