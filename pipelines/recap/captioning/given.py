"""Regions as parts of requests, in numbers: the box and the mask in the picture that is sent.

A server of region models reads them from the request's field `regions`, see `model.serve`:

    {"bbox": [12.0, 30.0, 200.0, 310.0], "mask": {"size": [480, 640], "counts": "..."}}
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.captioner import CaptionTarget, GivenRegion, PromptImage
from pipelines.recap.captioning.marked import MarkedRegion
from schemas.mask import from_pixels
from transforms.crop import SentFrame, encode_jpeg

_DIGITS = 2  # of a pixel, after the point


def given_images(
    whole: Image.Image, target: CaptionTarget, regions: Sequence[MarkedRegion], max_pixels: int
) -> list[PromptImage]:
    """Return what is sent about each region, in order: the whole picture, and the region.

    Args:
        whole: the upright picture.
        target: its annotations.
        regions: its regions, in the same order.
        max_pixels: of the sent picture.
    """
    jpeg, frame = encode_jpeg(whole, max_pixels), SentFrame.of(whole, max_pixels)
    return [
        PromptImage(jpeg, replace(target, region=each), region=given_region(region, frame))
        for each, region in zip(target.regions, regions, strict=True)
    ]


def given_region(region: MarkedRegion, frame: SentFrame) -> GivenRegion:
    """Return a region of the upright picture as part of a request.

    Args:
        region: its box and mask, pixels of the upright picture.
        frame: the picture that is sent.

    Returns:
        The box, in pixels of the sent picture, and the run lengths of the mask; a region without a
        mask, or with one of which no pixel is left, has its box alone.
    """
    given: dict[str, Any] = {"bbox": [round(number, _DIGITS) for number in frame.box(region.box)]}
    if region.mask is not None:
        pixels = np.asarray(frame.mask(Image.fromarray(region.mask.pixels())))
        if pixels.any():
            mask = from_pixels(pixels)
            given["mask"] = {"size": [mask.height, mask.width], "counts": mask.counts}
    return given
