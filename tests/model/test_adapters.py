"""Adapters train and merge to equal logits; weights of few bits are the language model's alone."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from torch import Tensor, nn

from model.adapters import lora_config, quantization
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)

BATCH = Callable[..., dict[str, Tensor]]
MODELS: dict[str, Callable[[], RegionModel]] = {
    "gpt4roi": lambda: GPT4RoIForConditionalGeneration(tiny_gpt4roi(image_boundaries=True)),
    "regiongpt": lambda: RegionGPTForConditionalGeneration(tiny_regiongpt()),
}
# The linear layers of the connectors, written out.
CONNECTORS = {
    "gpt4roi": {
        "projector",
        *(
            f"region_encoder.levels.{n}.{part}"
            for n in range(4)
            for part in ("features", "coordinates")
        ),
        "region_encoder.flatten",
        "region_encoder.box_embedding.hidden",
        "region_encoder.box_embedding.output",
        "region_encoder.output",
    },
    "regiongpt": {"projector.0", "projector.2"},
}


def logits_of(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(**batch).logits
    return logits


def train(model: nn.Module, batch: dict[str, Tensor], steps: int = 3) -> list[float]:
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    losses = []
    for _ in range(steps):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def adapted(model: nn.Module) -> set[str]:
    names = [name for name, _ in model.named_parameters() if ".lora_A." in name]
    return {name.removeprefix("base_model.model.").split(".lora_A.")[0] for name in names}


@pytest.mark.parametrize("name", MODELS)
def test_adapters_train_and_merge_to_equal_logits(
    name: str, training_batch: BATCH, tmp_path: Path
) -> None:
    base = MODELS[name]()
    batch = training_batch(base.config, packed=False)
    before = {key: value.clone() for key, value in base.state_dict().items()}
    plain = logits_of(base, batch)
    model = get_peft_model(base, lora_config(rank=4))
    assert torch.equal(logits_of(model, batch), plain)

    losses = train(model, batch)
    assert losses[-1] < losses[0]
    for key, weight in model.named_parameters():
        assert weight.requires_grad == (".lora_" in key), key
        assert not weight.requires_grad or weight.grad.any(), key
    trained = logits_of(model, batch)
    assert (trained - plain).abs().max() > 0.01

    model.save_pretrained(tmp_path)
    merged = model.merge_and_unload()
    assert type(merged) is type(base)
    assert set(merged.state_dict()) == set(before)
    torch.testing.assert_close(logits_of(merged, batch), trained, atol=1e-5, rtol=0)

    fresh = MODELS[name]()
    fresh.load_state_dict(before)
    loaded = PeftModel.from_pretrained(fresh, tmp_path)
    torch.testing.assert_close(logits_of(loaded, batch), trained, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_each_linear_layer_but_the_tower_s_and_the_head_is_adapted(name: str) -> None:
    model = get_peft_model(MODELS[name](), lora_config(rank=2))
    attention = [f"self_attn.{part}_proj" for part in "qkvo"]
    mlp = [f"mlp.{part}_proj" for part in ("gate", "up", "down")]
    blocks = {f"language_model.model.layers.{n}.{part}" for n in (0, 1) for part in attention + mlp}
    assert adapted(model) == blocks | {f"connector.{part}" for part in CONNECTORS[name]}


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_connector_trains_and_is_saved_with_the_adapters(
    name: str, training_batch: BATCH, tmp_path: Path
) -> None:
    base = MODELS[name]()
    batch = training_batch(base.config, packed=False)
    before = {key: value.clone() for key, value in base.state_dict().items()}
    model = get_peft_model(base, lora_config(rank=4, connector="trained"))
    assert not any(part.startswith("connector") for part in adapted(model))
    train(model, batch)
    trained = logits_of(model, batch)
    model.save_pretrained(tmp_path)

    fresh = MODELS[name]()
    fresh.load_state_dict(before)
    loaded = PeftModel.from_pretrained(fresh, tmp_path)
    torch.testing.assert_close(logits_of(loaded, batch), trained, atol=1e-6, rtol=0)
    merged = loaded.merge_and_unload()
    torch.testing.assert_close(logits_of(merged, batch), trained, atol=1e-5, rtol=0)
    after = merged.state_dict()
    assert set(after) == set(before)
    for key, value in before.items():
        is_connector = key.startswith("connector.")
        if is_connector or key.startswith("vision_tower."):
            assert torch.equal(after[key], value) != is_connector, key


def test_a_frozen_connector_stays_so(training_batch: BATCH) -> None:
    model = get_peft_model(MODELS["regiongpt"](), lora_config(connector="frozen"))
    names = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert names
    assert all("language_model.model.layers" in name for name in names)


def test_the_factor_of_adapters_is_two_unless_given() -> None:
    assert (lora_config(rank=8).lora_alpha, lora_config(rank=8, alpha=8).lora_alpha) == (16, 8)


QUANTISED = [("bitsandbytes", 8), ("bitsandbytes", 4), ("torchao", 8)]


@pytest.mark.parametrize(("library", "bits"), QUANTISED)
def test_few_bits_are_the_language_model_s_alone(
    library: Any, bits: Any, training_batch: BATCH, tmp_path: Path
) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    base = MODELS["regiongpt"]().to(torch.bfloat16).eval()
    base.save_pretrained(tmp_path)
    batch = training_batch(base.config, packed=False)
    plain = logits_of(base, batch)
    model = type(base).from_pretrained(
        tmp_path,
        dtype=torch.bfloat16,
        device_map={"": "cpu"},
        quantization_config=quantization(bits, library),
    )
    model.train()  # without it, bitsandbytes on a CPU makes weights of 4 bits unfit for training
    weights = {name: getattr(module, "weight", None) for name, module in model.named_modules()}
    plain_type = (nn.Parameter, torch.bfloat16)
    few = {
        name
        for name, weight in weights.items()
        if weight is not None and (type(weight), weight.dtype) != plain_type
    }
    assert few == {name for name in weights if re.fullmatch(r"language_model.*_proj", name)}
    assert len(few) == 2 * 7
    logits = logits_of(model, batch)
    assert 0 < (logits - plain).abs().max() < 0.3
    tuned = get_peft_model(model, lora_config(rank=4))
    losses = train(tuned, batch)
    assert losses[-1] < losses[0]
