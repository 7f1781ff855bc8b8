"""The cost of training on each row, guessed from what is known without reading it.

A guess that is wrong changes no result: rows are dealt to micro-batches and processes by it.
"""

import numpy as np

from model.config import RegionConfig
from model.flops import RowSizes, training_flops
from train.data.order import Costs
from train.data.rows import Rows

_CHARACTERS = 4  # of a token
_TEMPLATE = 45  # tokens of a row that are in no message


def costs_of(rows: Rows, config: RegionConfig, stage: str) -> Costs:
    """Return the FLOPs of training a model on each row, in a stage of `model.stages`."""
    words, pictures = rows.characters() // _CHARACTERS, rows.with_picture().astype(np.int64)
    regions = rows.regions()
    sizes = RowSizes(
        tokens=words + regions + pictures * config.image_tokens + _TEMPLATE,
        supervised=words // 2,
        pictures=pictures,
        regions=regions,
    )
    return training_flops(config, stage, sizes)
