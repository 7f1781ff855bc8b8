"""The stages of both papers: which parts train in each, and which keep their bits.

The vision tower is frozen throughout. GPT4RoI first trains its region encoder alone, then the
whole connector with the language model (its section 3.3); RegionGPT first trains refinement and
the shared projector, then the language model with them (its section 3.4).
"""

from dataclasses import dataclass

from transformers import PreTrainedModel

from schemas.errors import UsageError


@dataclass(frozen=True)
class Stage:
    """A row of `STAGES`: a kind of model and the parts of it that train.

    A part is a module's path in the model, such as `connector.region_encoder`.
    """

    model_type: str
    trained: tuple[str, ...]


STAGES = {
    "gpt4roi_stage1": Stage("gpt4roi", ("connector.region_encoder",)),
    "gpt4roi_stage2": Stage("gpt4roi", ("connector", "language_model")),
    "regiongpt_pretrain": Stage("regiongpt", ("connector",)),
    "regiongpt_finetune": Stage("regiongpt", ("connector", "language_model")),
}


@dataclass(frozen=True)
class ParameterCounts:
    """The numbers of parameters that train and that are frozen; tied ones count once."""

    trained: int
    frozen: int


def freeze_for(model: PreTrainedModel, stage: str) -> ParameterCounts:
    """The counts after `requires_grad` of every parameter is set as `stage` of `STAGES` says.

    Example: `freeze_for(model, "regiongpt_pretrain").trained` is 29,372,416 for the 7B preset.
    """
    if stage not in STAGES:
        raise UsageError(f"no stage {stage!r}; the stages are {', '.join(STAGES)}")
    row = STAGES[stage]
    if model.config.model_type != row.model_type:
        kind = model.config.model_type
        raise UsageError(f"stage {stage!r} trains a {row.model_type} model, not a {kind} model")
    model.requires_grad_(False)
    for part in row.trained:
        model.get_submodule(part).requires_grad_(True)
    parameters = list(model.parameters())
    trained = sum(weight.numel() for weight in parameters if weight.requires_grad)
    return ParameterCounts(trained, sum(weight.numel() for weight in parameters) - trained)
