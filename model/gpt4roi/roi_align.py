"""RoIAlign on all levels of a pyramid, by torchvision's operator.

Source: GPT4RoI, section 3.1 (all levels take part); Mask R-CNN (He et al., 2017) for RoIAlign.

Letters in shapes: N pictures, K regions, L levels, H cells on a side of a level, C channels, R
cells on a side of a crop.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align


def crop_regions(
    levels: Sequence[Tensor],
    boxes: Tensor,
    images: Tensor,
    *,
    cell: float,
    size: int,
    sampling_ratio: int,
) -> Tensor:
    """Return the crops of regions from every level, side by side.

    Pixels have their centres at half numbers, in the picture and in the levels. The operator knows
    neither bfloat16 nor channels that lie together, so that it gets copies in float32.

    Args:
        levels: each [N, H, H, C]; the first is the coarsest, each next one has twice the cells.
        boxes: [K, 4] x0, y0, x1, y1 in pixels, within the picture.
        images: [K] the picture of each box, 0..N-1.
        cell: the side of a cell of the first level, pixels.
        size: R.
        sampling_ratio: samples on a side of a crop's cell; their mean is the cell's value.

    Returns:
        [K, R, R, L * C], the channels of the first level first, in the precision of the levels.
    """
    dtype = levels[0].dtype
    exact = torch.promote_types(dtype, torch.float32)
    rois = torch.cat((images[:, None].to(exact), boxes.to(exact)), dim=1)
    crops = [
        roi_align(
            level.permute(0, 3, 1, 2).to(exact),
            rois,
            output_size=size,
            spatial_scale=2**index / cell,
            sampling_ratio=sampling_ratio,
            aligned=True,
        )
        for index, level in enumerate(levels)
    ]
    return torch.cat([crop.to(dtype).permute(0, 2, 3, 1) for crop in crops], dim=-1)
