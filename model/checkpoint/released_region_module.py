"""The region module of the released GPT4RoI (`jshilong/GPT4RoI`, `spi_module`) under our names.

Letters in shapes: V the vision tower's width, C the pyramid's, L its levels (their level 0 is the
finest, ours the coarsest), R cells on a side of a crop, H the box embedding's hidden width, D the
language model's width.

    theirs                                     shape               ours, in region_encoder
    mlvl_fuse.input_conv.{L-1-l}.weight        [C, V+2, 1, 1]      levels.{l}.features.weight and
                                                                   .coordinates.weight [C, 2]
    mlvl_fuse.input_conv.{L-1-l}.bias          [C]                 levels.{l}.coordinates.bias
    mlvl_fuse.fuse_convs.{b}.conv.weight       [C, C, 3, 3]        shuffle.blocks.{b}.conv.weight
    mlvl_fuse.fuse_convs.{b}.gn                [C]                 shuffle.blocks.{b}.norm
    roi_align.pconvs.{L-1-l}.weight            [C, C, 3, 3]        crop_conv.weight, side by side
    roi_align.pconvs.{L-1-l}.bias              [C]                 crop_conv.bias, their sum
    roi_align.flatten_linear.weight            [C, C * R * R]      flatten.weight [C, R * R * C]
    roi_align.pos_embedd.{0, 2, 3, 5}          Linear(4, H), LayerNorm, Linear(H, C), LayerNorm
                                                                   box_embedding
    roi_align.updims                           [D, C]              output
"""

import torch
from torch import Tensor

from model.checkpoint.files import Weights
from model.config import GPT4RoIConfig
from model.misfit import refuse_misfit

_BOX_EMBEDDING = {0: "hidden", 2: "hidden_norm", 3: "output", 5: "output_norm"}


def region_encoder(weights: Weights, prefix: str, config: GPT4RoIConfig) -> Weights:
    """Return the region encoder of our GPT4RoI from the released module.

    Args:
        weights: the keys of the module alone.
        prefix: what stands before all of them.
        config: of our model.
    """
    expected = {prefix + name: shape for name, shape in _shapes(config).items()}
    actual = {key: tuple(tensor.shape) for key, tensor in weights.tensors.items()}
    shared = expected.keys() & actual.keys()
    report = {
        "missing_keys": expected.keys() - shared,
        "unexpected_keys": actual.keys() - shared,
        "mismatched_keys": [
            (key, actual[key], expected[key]) for key in shared if actual[key] != expected[key]
        ],
    }
    refuse_misfit(weights.origin, report, weights.files)
    theirs = {key.removeprefix(prefix): tensor for key, tensor in weights.tensors.items()}
    ours = {**_levels(theirs, config), **_blocks(theirs, config), **_crops(theirs, config)}
    return Weights(
        weights.origin,
        {f"connector.region_encoder.{name}": tensor for name, tensor in ours.items()},
        dict.fromkeys(
            (f"connector.region_encoder.{name}" for name in ours),
            next(iter(weights.files.values())),
        ),
    )


def _shapes(config: GPT4RoIConfig) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the released module."""
    width, hidden = config.pyramid_width, config.box_embedding_width
    out, cells = config.text_config.hidden_size, config.roi_size**2
    shapes: dict[str, tuple[int, ...]] = {}
    for level in range(len(config.pyramid_layers)):
        inputs = config.vision_config.hidden_size + 2
        shapes[f"mlvl_fuse.input_conv.{level}.weight"] = (width, inputs, 1, 1)
        shapes[f"mlvl_fuse.input_conv.{level}.bias"] = (width,)
        shapes[f"roi_align.pconvs.{level}.weight"] = (width, width, 3, 3)
        shapes[f"roi_align.pconvs.{level}.bias"] = (width,)
    for block in range(config.shuffle_blocks):
        shapes[f"mlvl_fuse.fuse_convs.{block}.conv.weight"] = (width, width, 3, 3)
        shapes[f"mlvl_fuse.fuse_convs.{block}.gn.weight"] = (width,)
        shapes[f"mlvl_fuse.fuse_convs.{block}.gn.bias"] = (width,)
    weights = {
        "flatten_linear": (width, width * cells),
        "updims": (out, width),
        "pos_embedd.0": (hidden, 4),
        "pos_embedd.2": (hidden,),
        "pos_embedd.3": (width, hidden),
        "pos_embedd.5": (width,),
    }
    for name, shape in weights.items():
        shapes[f"roi_align.{name}.weight"] = shape
        shapes[f"roi_align.{name}.bias"] = shape[:1]
    return shapes


def _levels(theirs: dict[str, Tensor], config: GPT4RoIConfig) -> dict[str, Tensor]:
    """Return the 1 x 1 convolutions, those of the two coordinate channels apart."""
    ours = {}
    count = len(config.pyramid_layers)
    for level in range(count):
        name = f"mlvl_fuse.input_conv.{count - 1 - level}"
        weight = theirs[f"{name}.weight"].flatten(1)  # [C, V + 2]
        ours[f"levels.{level}.features.weight"] = weight[:, :-2]
        ours[f"levels.{level}.coordinates.weight"] = weight[:, -2:]
        ours[f"levels.{level}.coordinates.bias"] = theirs[f"{name}.bias"]
    return ours


def _blocks(theirs: dict[str, Tensor], config: GPT4RoIConfig) -> dict[str, Tensor]:
    """Return the scale-shuffle blocks."""
    ours = {}
    for block in range(config.shuffle_blocks):
        name = f"mlvl_fuse.fuse_convs.{block}"
        ours[f"shuffle.blocks.{block}.conv.weight"] = theirs[f"{name}.conv.weight"]
        for end in ("weight", "bias"):
            ours[f"shuffle.blocks.{block}.norm.{end}"] = theirs[f"{name}.gn.{end}"]
    return ours


def _crops(theirs: dict[str, Tensor], config: GPT4RoIConfig) -> dict[str, Tensor]:
    """Return what makes one embedding of a region's crops: a sum of convolutions, linear layers."""
    levels = [f"roi_align.pconvs.{level}" for level in reversed(range(len(config.pyramid_layers)))]
    flatten = theirs["roi_align.flatten_linear.weight"]  # columns by channel, then by cell
    cells = flatten.unflatten(1, (config.pyramid_width, -1)).transpose(1, 2)
    ours = {
        "crop_conv.weight": torch.cat([theirs[f"{name}.weight"] for name in levels], dim=1),
        "crop_conv.bias": torch.stack([theirs[f"{name}.bias"] for name in levels]).sum(0),
        "flatten.weight": cells.flatten(1),
        "flatten.bias": theirs["roi_align.flatten_linear.bias"],
    }
    parts = {"updims": "output"}
    for number, part in _BOX_EMBEDDING.items():
        parts[f"pos_embedd.{number}"] = f"box_embedding.{part}"
    for name, part in parts.items():
        for end in ("weight", "bias"):
            ours[f"{part}.{end}"] = theirs[f"roi_align.{name}.{end}"]
    return ours
