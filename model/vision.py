"""The vision tower: transformers' CLIP or SigLIP, up to the last hidden state that is needed.

A tower whose configuration says `"stem": "convolutions"` begins with convolutions in place of the
one linear map of each patch. Tiny towers learn shapes in a fraction of the time so (Xiao et al.
2021, "Early convolutions help transformers see better"); no published tower of CLIP has them.

Letters in shapes: N pictures, S the side of a picture in pixels, P patches, C the tower's width.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, PreTrainedConfig

from model.config import RegionConfig

TOWERS = ("clip_vision_model", "siglip_vision_model")


class VisionTower(nn.Module):
    """A vision transformer whose last blocks, which no feature comes from, are never computed.

    The blocks stay in the module, so that it loads and saves all that its owner shipped.
    """

    def __init__(self, config: RegionConfig) -> None:
        super().__init__()
        if config.vision_config.model_type not in TOWERS:
            raise ValueError(
                f"a vision tower of model_type {config.vision_config.model_type!r}: expected one "
                f"of {', '.join(TOWERS)}"
            )
        config.check_layers()  # again: it may have been changed since it was made
        self.model = AutoModel.from_config(config.vision_config)
        if has_stem(config.vision_config):
            self.model.embeddings.patch_embedding = ConvolutionStem(config.vision_config)
        self.class_tokens = int(config.has_class_token)
        # State 0 is the embedding output, so that state i is what i blocks make of it.
        states = config.vision_config.num_hidden_layers + 1
        self.layers = tuple(layer % states for layer in config.feature_layers)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, ...]:
        """Return the patch features of the configured hidden states, in their order.

        Args:
            pixel_values: [N, 3, S, S]; cast to the tower's dtype.

        Returns:
            One [N, P, C] for each layer, patches row by row, without class token and final norm.
        """
        state = self.model.embeddings(pixel_values)
        if hasattr(self.model, "pre_layrnorm"):  # CLIP's, spelled so by its owner
            state = self.model.pre_layrnorm(state)
        features = {0: state}
        for number in range(1, max(self.layers) + 1):
            state = self.model.encoder.layers[number - 1](state, None)
            if number in self.layers:
                features[number] = state
        return tuple(features[layer][:, self.class_tokens :] for layer in self.layers)


class ConvolutionStem(nn.Sequential):
    """Convolutions of stride 2, each with twice the channels, then two that see the neighbours.

    [N, 3, S, S] to [N, C, G, G].
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        """Make the layers of a tower, whose patches have 4, 8 or 16 pixels on a side."""
        halvings = config.patch_size.bit_length() - 1
        if config.patch_size != 2**halvings:
            raise ValueError(f"a stem of convolutions for patches of {config.patch_size} pixels")
        widths = [config.hidden_size >> left for left in reversed(range(halvings))]
        layers: list[nn.Module] = []
        for before, width in pairwise([config.num_channels, *widths]):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.GELU()]
        super().__init__(*layers, _Neighbours(config.hidden_size))

    @property
    def weight(self) -> Tensor:
        """The weight in whose type the tower takes pictures; transformers asks for it."""
        return next(self.parameters())


class _Neighbours(nn.Module):
    """Two convolutions beside the identity, [N, C, G, G]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what their neighbourhoods add."""
        added: Tensor = self.second(functional.gelu(self.first(maps)))
        return maps + added


def has_stem(config: PreTrainedConfig) -> bool:
    """Whether a tower's configuration asks for a stem of convolutions."""
    stem = getattr(config, "stem", None)
    if stem not in (None, "convolutions"):
        raise ValueError(f"the stem of a vision tower is {stem!r}, expected 'convolutions' or none")
    return stem is not None
