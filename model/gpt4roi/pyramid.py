"""The levels of GPT4RoI's pyramid: hidden states of the vision tower at growing resolution.

Source: GPT4RoI, section 3.1; CoordConv (Liu et al., 2018) for the coordinates. Each level is the
hidden state, interpolated, with the cells' x and y beside the channels, and a 1 x 1 convolution of
that. The convolution stands before the interpolation here, and so do the coordinates: both are
linear in the cell's values, interpolation weights add up to 1, and it turns the ramp of x over the
patches into the ramp over the level. The product is then 64 times smaller at 128 x 128 cells.

Letters in shapes: N pictures, G patches on a side, V width of the vision tower, C of the pyramid.
"""

import torch
from torch import Tensor, nn


def patch_coordinates(grid: int, like: Tensor) -> Tensor:
    """Return x and y of the patches, each a ramp from -1 to 1, in the order of image tokens.

    Returns:
        [G * G, 2], in the precision and on the device of `like`.
    """
    exact = torch.promote_types(like.dtype, torch.float32)
    ramp = torch.linspace(-1, 1, grid, dtype=exact, device=like.device)
    y, x = torch.meshgrid(ramp, ramp, indexing="ij")
    return torch.stack((x, y), dim=-1).flatten(0, 1).to(like.dtype)


class PyramidLevel(nn.Module):
    """The 1 x 1 convolution of a level, on patches: one product for channels, one for x and y."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.features = nn.Linear(channels, width, bias=False)
        self.coordinates = nn.Linear(2, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights as those of one convolution with channels, x and y as its input."""
        bound = (self.features.in_features + 2) ** -0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, tokens: Tensor, coordinates: Tensor) -> Tensor:
        """Return the level at the resolution of the patches.

        Args:
            tokens: [N, G * G, V], a hidden state without its class token.
            coordinates: [G * G, 2], from `patch_coordinates`.

        Returns:
            [N, G * G, C].
        """
        return self.features(tokens) + self.coordinates(coordinates)
