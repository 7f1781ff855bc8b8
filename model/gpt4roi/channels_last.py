"""Operations on feature maps that hold the channels of a cell side by side.

Letters in shapes: N maps, H cells on a side, C and D channels, G groups of channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolve(convolution: nn.Module, maps: Tensor) -> Tensor:
    """Return the convolution of maps.

    torch wants [N, C, H, H] and takes the order in memory from the strides: nothing is copied.

    Args:
        convolution: an `nn.Conv2d`, C to D channels, or what wraps it.
        maps: [N, H, H, C].

    Returns:
        [N, H, H, D].
    """
    return convolution(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ChannelsLastGroupNorm(nn.GroupNorm):
    """Group normalisation of maps [N, H, H, C], computed in float32 at least.

    torch's own operator returns [N, C, H, H] in memory on a GPU, whatever it is given, and keeps
    mean and deviation in the precision of its input. On a CPU it takes the order as it is, a sixth
    of the time, and serves where the input is precise enough.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalised maps, [N, H, H, C] to the same, in the precision of the input."""
        if not maps.shape[0]:  # nothing to take statistics of, but parameters with gradients
            return (maps * self.weight + self.bias).to(maps.dtype)
        exact = torch.promote_types(maps.dtype, torch.float32)
        if maps.device.type == "cpu" and maps.dtype == exact == self.weight.dtype:
            return self._by_torch(maps)
        grouped = maps.to(exact).unflatten(-1, (self.num_groups, -1))  # [N, H, H, G, C / G]
        variance, mean = torch.var_mean(grouped, dim=(1, 2, 4), correction=0, keepdim=True)
        scale = self._grouped(self.weight, exact) * torch.rsqrt(variance + self.eps)
        shift = self._grouped(self.bias, exact) - mean * scale
        return torch.addcmul(shift, grouped, scale).flatten(-2).to(maps.dtype)

    def _by_torch(self, maps: Tensor) -> Tensor:
        channels_first = maps.permute(0, 3, 1, 2)
        weights = self.weight, self.bias
        normalised = functional.group_norm(channels_first, self.num_groups, *weights, self.eps)
        return normalised.permute(0, 2, 3, 1)

    def _grouped(self, parameter: Tensor, dtype: torch.dtype) -> Tensor:
        return parameter.to(dtype).view(self.num_groups, -1)  # [G, C / G]
