"""Each stage trains its parts, all of them and no other."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from model.config import RegionConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)
from model.stages import STAGES, freeze_for
from schemas.errors import UsageError

# Written out here a second time, by the names of parameters.
TRAINED = {
    "gpt4roi_stage1": ("connector.region_encoder.",),
    "gpt4roi_stage2": ("connector.", "language_model."),
    "regiongpt_pretrain": ("connector.refinement.", "connector.projector."),
    "regiongpt_finetune": ("connector.", "language_model."),
}
BATCH = Callable[..., dict[str, Tensor]]


def tiny(stage: str) -> RegionModel:
    if stage.startswith("gpt4roi"):
        return GPT4RoIForConditionalGeneration(tiny_gpt4roi(image_boundaries=True))
    return RegionGPTForConditionalGeneration(tiny_regiongpt())


def trained(stage: str, model: RegionModel) -> Iterator[tuple[str, Tensor, bool]]:
    for name, weight in model.named_parameters():
        yield name, weight, name.startswith(TRAINED[stage])


def test_the_table_has_the_stages_of_both_papers() -> None:
    assert set(STAGES) == set(TRAINED)


@pytest.mark.parametrize("stage", TRAINED)
def test_a_step_changes_the_trained_parts_and_no_bit_of_the_others(
    stage: str, training_batch: BATCH
) -> None:
    model = tiny(stage)
    counts = freeze_for(model, stage)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    # All parameters, and a decay that would change each: what is frozen must stay so by itself.
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    model(**training_batch(model.config, packed=False)).loss.backward()
    optimizer.step()
    rows = list(trained(stage, model))
    for name, weight, trains in rows:
        assert (weight.grad is not None) == trains, name
        assert torch.equal(weight, before[name]) != trains, name
        assert not trains or weight.grad.any(), name
    parameters = {name for name, _, _ in rows}
    buffers = {name for name in before if name not in parameters}
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in buffers)
    assert counts.trained == sum(weight.numel() for _, weight, trains in rows if trains)
    assert counts.frozen == sum(weight.numel() for _, weight, trains in rows if not trains)


def test_a_stage_set_after_another_is_as_set_alone() -> None:
    model = tiny("regiongpt_pretrain")
    freeze_for(model, "regiongpt_finetune")
    counts = freeze_for(model, "regiongpt_pretrain")
    assert counts == freeze_for(tiny("regiongpt_pretrain"), "regiongpt_pretrain")


def test_tied_weights_count_once() -> None:
    config = tiny_regiongpt()
    config.text_config.tie_word_embeddings = True
    model = RegionGPTForConditionalGeneration(config)
    plain = freeze_for(tiny("regiongpt_finetune"), "regiongpt_finetune")
    tied = freeze_for(model, "regiongpt_finetune")
    assert plain.trained - tied.trained == 512 * 64


@pytest.mark.parametrize(
    ("config", "stage", "message"),
    [
        (tiny_regiongpt(), "stage1", "no stage 'stage1'; the stages are gpt4roi_stage1, "),
        (tiny_regiongpt(), "gpt4roi_stage1", "trains a gpt4roi model, not a regiongpt model"),
    ],
)
def test_a_wrong_stage_is_named(config: RegionConfig, stage: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        freeze_for(RegionGPTForConditionalGeneration(config), stage)
