"""The start of a connector from the statistics of one batch.

Region vectors that come from a tower are large and almost the same for all regions: what differs
is a small part of them. A layer that starts at random sees almost a constant, and training stalls.
So the first layer after pooling is divided by the deviation of each of its input channels over a
batch's regions, and its bias shifted by their mean: it starts as if its input were normalised.
No parameter is added, and the model's shape stays that of the paper.

    weight' = weight / deviation            bias' = bias - weight' @ mean
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.batch import RegionBatch
from model.gpt4roi.connector import GPT4RoIConnector
from model.region_inputs import Regions
from model.region_model import RegionModel
from model.regiongpt.connector import RegionGPTConnector
from schemas.errors import UsageError

_LEAST = 1e-2  # of the mean deviation; a channel with less is as good as constant


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The part of a region's embedding that differs between regions, 0 to 1."""

    regions: int  # of the batch
    before: float
    after: float


@torch.no_grad()
def calibrate_connector(model: RegionModel, batch: RegionBatch) -> Calibration:
    """Start the connector of a model anew from the statistics of a batch.

    It is for a connector that has not been trained.

    Args:
        model: of any device and precision; its connector is changed.
        batch: of the model's processor, with at least two regions.

    Returns:
        The part of an embedding that differs between regions, before and after: about 0.07 and
        0.6 for tiny models. Below 0.1, the language model sees almost the same for all regions.
    """
    inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
    if "region_positions" not in inputs or len(inputs["region_positions"]) < 2:
        raise UsageError("a batch without regions calibrates nothing, expected two at least")
    training = model.training
    model.eval()
    before = _differing(_embeddings(model, inputs))
    for linear in _first_layers(model):
        _standardise(linear, _inputs_of(linear, model, inputs))
    embeddings = _embeddings(model, inputs)
    model.train(training)
    return Calibration(regions=len(embeddings), before=before, after=_differing(embeddings))


def _first_layers(model: RegionModel) -> list[nn.Linear]:
    """Return the linear layers after pooling, from the first on."""
    connector = model.connector
    if isinstance(connector, RegionGPTConnector):
        layers = [connector.projector[0]]
    else:
        assert isinstance(connector, GPT4RoIConnector)
        layers = [connector.region_encoder.flatten, connector.region_encoder.output]
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def _embeddings(model: RegionModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return the embedding of each region of a batch, [K, D]."""
    regions = Regions(
        boxes=inputs.get("region_boxes"),
        images=inputs.get("region_images"),
        weights=inputs.get("region_weights"),
    )
    _, embeddings = model.connector(model.vision_tower(inputs["pixel_values"]), regions)
    used = inputs["region_indices"].unique()
    selected: Tensor = embeddings.index_select(0, used)
    return selected


def _inputs_of(layer: nn.Linear, model: RegionModel, inputs: Mapping[str, Tensor]) -> Tensor:
    """Return what a layer is given for each region, [K, C]; regions are its last call."""
    calls: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, given: calls.append(given[0]))
    try:
        _embeddings(model, inputs)
    finally:
        handle.remove()
    return calls[-1].index_select(0, inputs["region_indices"].unique())


def _standardise(layer: nn.Linear, given: Tensor) -> None:
    """Change a layer so that it gives for its inputs what it gave for normalised ones."""
    deviation, mean = torch.std_mean(given.double(), dim=0)
    deviation = deviation.clamp(min=max(_LEAST * float(deviation.mean()), 1e-12))
    weight = layer.weight.double() / deviation
    layer.weight.copy_(weight)
    layer.bias.copy_(layer.bias.double() - weight @ mean)


def _differing(embeddings: Tensor) -> float:
    """Return the size of what differs between embeddings, by their whole size."""
    wide = embeddings.double()
    whole = wide.square().mean()
    return float(((wide - wide.mean(dim=0)).square().mean() / whole).sqrt()) if whole else 0.0
