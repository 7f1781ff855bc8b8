"""The files of a calibration: a JSON file with the threshold, and a picture of the curve.

An example of the JSON: `{"threshold": 0.2173, "false_accept": 0.05, "false_reject": 0.03,
"roc_area": 0.98, "wanted_false_accept": 0.05, "pairs": 500,
"scorer": "ViT-B-32 openai, QuickGELU, by sentence, view box", "seed": 0,
"hard": {"same_image": {"pairs": 480, "false_accept": 0.17, "roc_area": 0.91}}}`.
"""

from pipelines.recap.clip.calibrate import CalibrationRun
from pipelines.recap.clip.plot import curve_png
from pipelines.storage import files

SUFFIX = ".json"


def write_calibration(run: CalibrationRun, path: str) -> None:
    """Write a calibration as JSON, and the picture of its curve as PNG.

    Args:
        run: the calibration, and the scores of its pairs.
        path: path of the JSON file, which ends in `.json`.
    """
    calibration = run.calibration
    title = (
        f"{calibration.pairs:,} matched and as many shuffled pairs, "
        f"ROC area {calibration.roc_area:.4f}"
    )
    picture = curve_png(run.curve, run.matched, run.shuffled, calibration.threshold, title)
    files.write_whole(path, f"{calibration.model_dump_json(indent=2)}\n".encode())
    files.write_whole(picture_of(path), picture)


def picture_of(path: str) -> str:
    """Return the path of a calibration's picture: `a.png` for `a.json`."""
    return path.removesuffix(SUFFIX) + ".png"
