"""What calibrating leaves on disk: the threshold as JSON, and beside it the curve as a picture."""

from pipelines.recap.clip.calibrate import Findings
from pipelines.recap.clip.plot import curve_png
from pipelines.storage import files

SUFFIX = ".json"


def write_findings(found: Findings, path: str) -> None:
    """Write a calibration and its picture.

    Args:
        found: by `calibrate`.
        path: of the calibration, ending in `.json`.
    """
    calibration = found.calibration
    title = (
        f"{calibration.pairs:,} matched and as many shuffled pairs, "
        f"ROC area {calibration.roc_area:.4f}"
    )
    drawn = curve_png(found.curve, found.matched, found.shuffled, calibration.threshold, title)
    files.write_whole(path, f"{calibration.model_dump_json(indent=2)}\n".encode())
    files.write_whole(picture_of(path), drawn)


def picture_of(path: str) -> str:
    """Return where the picture of a calibration lies."""
    return path.removesuffix(SUFFIX) + ".png"
