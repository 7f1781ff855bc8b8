"""The shortest time of training on rows, from their operations and the rates of a device.

What is counted, `model.flops` says. The floor is the time of these operations at the rate that
matrix products were measured at, and of AdamW's step over the memory that it moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.batch import Example, shared_tokens
from model.flops import RowSizes

_ADAMW_BYTES = (
    28  # of a weight: weight, gradient and two moments read, all but the gradient written
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """The rates of a device: as measured, and as its owner states them."""

    products: float  # bfloat16 FLOP/s of matrix products, as measured
    stated: float  # likewise, as stated without sparsity
    copy: float  # bytes/s read and written, as measured
    memory: float  # bytes that a program can have


H200 = Device(products=790e12, stated=989e12, copy=4.3e12, memory=139 * 2**30)


def sizes_of(examples: Sequence[Example]) -> RowSizes:
    """Return the sizes of some examples; what all begin with is computed in the first."""
    shapes = [
        row.region_weights if row.region_boxes is None else row.region_boxes for row in examples
    ]
    labels = [row.labels or [] for row in examples]
    shared = np.full(len(examples), shared_tokens(examples), np.int64)
    shared[:1] = 0
    return RowSizes(
        tokens=np.array([len(row.input_ids) for row in examples], np.int64),
        supervised=np.array([sum(label >= 0 for label in row) for row in labels], np.int64),
        pictures=np.array([row.pixels is not None for row in examples], np.int64),
        regions=np.array([0 if shape is None else len(shape) for shape in shapes], np.int64),
        shared=shared,
    )


def adamw_seconds(trained: int, device: Device = H200) -> float:
    """Return the shortest time of an optimizer step over so many weights."""
    return trained * _ADAMW_BYTES / device.copy
