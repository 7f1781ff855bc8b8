"""The start of a connector from a batch: it is the same layer on normalised inputs."""

import pytest
import torch

from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import processor_for
from model.region_model import GPT4RoIForConditionalGeneration, RegionGPTForConditionalGeneration
from schemas.errors import UsageError
from train.calibrate import calibrate_connector
from train.data.build import Build
from train.data.rows import ShardRows


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train", ["v3det"]))


def made(kind, tokenizer, rows):
    torch.manual_seed(0)
    config, cls = {
        "regiongpt": (tiny_regiongpt(), RegionGPTForConditionalGeneration),
        "gpt4roi": (tiny_gpt4roi(), GPT4RoIForConditionalGeneration),
    }[kind]
    processor = processor_for(config, tokenizer)
    batch = processor.collate([processor.encode_row(rows[n], "box") for n in range(6)])
    return cls(config).eval(), batch


def seen_by(layer, model, batch):
    """What a layer is given for the batch's regions, by a hook of this test."""
    given = []
    handle = layer.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    with torch.no_grad():
        model(**batch)
    handle.remove()
    return given[-1][batch["region_indices"].unique()]


def test_the_first_layer_sees_normalised_regions(tokenizer, rows):
    model, batch = made("regiongpt", tokenizer, rows)
    layer = model.connector.projector[0]
    weight, bias = layer.weight.clone(), layer.bias.clone()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pooled = seen_by(layer, model, batch)
    normal = (pooled - pooled.mean(dim=0)) / pooled.std(dim=0)
    calibrate_connector(model, batch)
    with torch.no_grad():
        torch.testing.assert_close(layer(pooled), normal @ weight.T + bias, rtol=1e-3, atol=1e-3)
    changed = [n for n, t in model.state_dict().items() if not torch.equal(t, before[n])]
    assert changed == ["connector.projector.0.weight", "connector.projector.0.bias"]


@pytest.mark.parametrize("kind", ["regiongpt", "gpt4roi"])
def test_more_of_an_embedding_differs_between_regions(tokenizer, rows, kind):
    model, batch = made(kind, tokenizer, rows)
    result = calibrate_connector(model, batch)
    assert result.regions == sum(len(rows[n]["regions"]) for n in range(6))
    assert result.before < 0.5 * result.after
    assert result.after <= 1
    again = calibrate_connector(model, batch)
    assert again.before == pytest.approx(result.after)


def test_a_batch_without_regions_is_refused(tokenizer, rows):
    model, batch = made("regiongpt", tokenizer, rows)
    batch.pop("region_positions")
    with pytest.raises(UsageError, match="expected two at least"):
        calibrate_connector(model, batch)
