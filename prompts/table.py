"""Every set of wordings there is; `--wordings FILE` may replace any of them by name."""

from collections.abc import Mapping

from prompts import region_classification
from prompts.wordings import WordingSet

WORDING_SETS: Mapping[str, WordingSet] = {
    wordings.name: wordings
    for wordings in (
        region_classification.ONE_REGION,
        region_classification.SEVERAL_REGIONS,
        region_classification.DETECTION_TASK,
    )
}
