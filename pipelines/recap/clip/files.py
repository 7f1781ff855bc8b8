"""The files of a calibration: a JSON file with the threshold, and a picture of the curve.

An example of the JSON: `{"threshold": 0.2173, "false_accept": 0.05, "false_reject": 0.03,
"roc_area": 0.98, "wanted_false_accept": 0.05, "pairs": 500,
"scorer": "ViT-B-32 openai, QuickGELU, by sentence, view box", "seed": 0,
"hard": {"same_image": {"pairs": 480, "false_accept": 0.17, "roc_area": 0.91}}}`.
"""

from pipelines.recap.clip.calibrate import Calibration, CalibrationRun
from pipelines.recap.clip.plot import curve_png
from pipelines.storage import files
from schemas.counted import counted

SUFFIX = ".json"
_PAIRED, _MARKED = ("matched pairs", "shuffled pairs"), ("good captions", "bad captions")


def write_calibration(run: CalibrationRun, path: str) -> None:
    """Write a calibration as JSON, and the picture of its curve as PNG.

    Args:
        run: the calibration, and the scores of its pairs.
        path: path of the JSON file, which ends in `.json`.
    """
    calibration = run.calibration
    picture = curve_png(
        run.curve,
        run.matched,
        run.shuffled,
        calibration.threshold,
        f"{_title(calibration)}, ROC area {calibration.roc_area:.4f}",
        _MARKED if calibration.marks else _PAIRED,
    )
    absent = None if calibration.marks else {"marks"}  # as files of pairs have always been
    content = calibration.model_dump_json(indent=2, exclude=absent)
    files.write_whole(path, f"{content}\n".encode())
    files.write_whole(picture_of(path), picture)


def _title(calibration: Calibration) -> str:
    if marks := calibration.marks:
        return f"{counted(marks.good, 'caption')} marked as good, {marks.bad:,} as bad"
    return f"{calibration.pairs:,} matched and as many shuffled pairs"


def picture_of(path: str) -> str:
    """Return the path of a calibration's picture: `a.png` for `a.json`."""
    return path.removesuffix(SUFFIX) + ".png"
