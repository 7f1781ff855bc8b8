"""Scores of answers after a shared prompt equal those of each answer computed alone."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import AutoModelForImageTextToText, AutoProcessor

from model.attention import ATTENTION_NAME
from model.choices import Likelihood, score_choices
from model.config import RegionConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)
from model.tiny import write_tiny_model

CHOICES = [[5], [7, 8, 9, 10, 11], [7, 8, 9, 12], [400, 2], [5]]
TEXT_KEYS = ("input_ids", "attention_mask")


@pytest.fixture(params=["gpt4roi", "regiongpt"])
def model(request: pytest.FixtureRequest) -> RegionModel:
    if request.param == "gpt4roi":
        config = tiny_gpt4roi(image_boundaries=True)
        return GPT4RoIForConditionalGeneration(config).eval()
    return RegionGPTForConditionalGeneration(tiny_regiongpt()).eval()


@pytest.fixture
def prompt(
    model: RegionModel, training_batch: Callable[..., dict[str, Tensor]]
) -> dict[str, Tensor]:
    batch = training_batch(model.config, packed=False)
    training = ("position_ids", "loss_positions", "loss_targets")
    inputs = {name: value for name, value in batch.items() if name not in training}
    return {**inputs, "attention_mask": torch.ones_like(inputs["input_ids"])}


def alone(model: RegionModel, prompt: dict[str, Tensor], choice: list[int]) -> float:
    """The log-likelihood of one answer, by all logits of its own row."""
    ids = torch.cat([prompt["input_ids"], torch.tensor([choice])], dim=1)
    rest = {name: value for name, value in prompt.items() if name not in TEXT_KEYS}
    with torch.no_grad():
        logits = model(input_ids=ids, **rest).logits[0]
    start = prompt["input_ids"].shape[1]
    rows = log_softmax(logits[start - 1 : -1].double(), dim=-1)
    return float(sum(row[token] for row, token in zip(rows, choice, strict=True)))


@pytest.mark.parametrize("attention", ["sdpa", ATTENTION_NAME])
@pytest.mark.parametrize("keys", ["regions", "picture", "text"])
def test_each_answer_scores_as_it_would_alone(
    model: RegionModel, prompt: dict[str, Tensor], attention: str, keys: str
) -> None:
    model.set_attn_implementation(attention)
    if keys != "regions":  # a word in place of each region token
        prompt = {name: value for name, value in prompt.items() if not name.startswith("region_")}
        prompt["input_ids"] = prompt["input_ids"].where(prompt["input_ids"] != -300, 20)
    if keys == "text":
        prompt = {"input_ids": prompt["input_ids"].clamp(min=30)}
    scores = score_choices(model, prompt, CHOICES)
    for score, choice in zip(scores, CHOICES, strict=True):
        expected = alone(model, prompt, choice)
        assert score.total == pytest.approx(expected, abs=1e-5)
        assert score.mean == pytest.approx(expected / len(choice), abs=1e-5)
        assert score.tokens == len(choice)
    assert scores[0].total == pytest.approx(scores[-1].total, abs=1e-6)
    assert len({round(score.total, 3) for score in scores}) == len(CHOICES) - 1


def test_there_is_one_forward_pass_and_last_tokens_are_not_fed(
    model: RegionModel, prompt: dict[str, Tensor]
) -> None:
    lengths: list[int] = []
    decoder = model.language_model.get_decoder()
    decoder.register_forward_pre_hook(
        lambda _, __, options: lengths.append(options["inputs_embeds"].shape[1]), with_kwargs=True
    )
    score_choices(model, prompt, CHOICES)
    assert lengths == [prompt["input_ids"].shape[1] + sum(len(choice) - 1 for choice in CHOICES)]


def test_all_one_token_answers_are_a_distribution(
    model: RegionModel, prompt: dict[str, Tensor]
) -> None:
    scores = score_choices(model, prompt, [[token] for token in range(512)])
    assert sum(math.exp(score.total) for score in scores) == pytest.approx(1, abs=1e-5)


def test_likelihoods_of_a_bfloat16_model_are_summed_in_float32(
    model: RegionModel, prompt: dict[str, Tensor]
) -> None:
    exact = score_choices(model, prompt, CHOICES)
    scores = score_choices(model.to(torch.bfloat16), prompt, CHOICES)
    for score, other in zip(scores, exact, strict=True):
        assert score.total == pytest.approx(other.total, abs=0.05)
    # Sums near 30 in bfloat16 would be multiples of 1/8.
    assert any(score.total * 8 % 1 > 0.01 for score in scores)


@pytest.mark.parametrize("config", [tiny_gpt4roi(), tiny_regiongpt()], ids=["boxes", "masks"])
def test_the_processor_s_prompts_and_answers_are_scored(
    config: RegionConfig, tmp_path: Path
) -> None:
    write_tiny_model(tmp_path, config)
    processor = AutoProcessor.from_pretrained(tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    question = [{"role": "user", "content": "<image>\nWhat is in <region1>?"}]
    options = {"regions": [[10, 10, 60, 70]], "tokenize": True, "return_dict": True}
    prompt = processor.apply_chat_template(
        question, images=Image.new("RGB", (100, 80), "red"), add_generation_prompt=True, **options
    )
    names = ["a dog", "a red star", "cat"]
    scores = score_choices(model, prompt, [processor.answer_ids(name) for name in names])
    for score, name in zip(scores, names, strict=True):
        expected = alone(model, dict(prompt), processor.answer_ids(name))
        assert score.total == pytest.approx(expected, abs=1e-5 * score.tokens)


def test_a_likelihood_has_a_mean() -> None:
    assert Likelihood(-6.0, 4).mean == -1.5


def test_prompts_and_answers_that_cannot_be_scored_are_named(
    model: RegionModel, prompt: dict[str, Tensor]
) -> None:
    padded = {**prompt, "attention_mask": prompt["attention_mask"].clone()}
    padded["attention_mask"][0, 0] = 0
    with pytest.raises(ValueError, match="one row without padding"):
        score_choices(model, padded, CHOICES)
    with pytest.raises(ValueError, match="one row without padding"):
        score_choices(model, {"input_ids": torch.ones(2, 5, dtype=torch.long)}, CHOICES)
    with pytest.raises(ValueError, match="answer 2 has no token"):
        score_choices(model, prompt, [[5], []])
    words: Any = ["yes", "no"]
    with pytest.raises(ValueError, match=r"the answer 'yes' is a text, expected processor.answer"):
        score_choices(model, prompt, words)
    with pytest.raises(ValueError, match="one answer at least"):
        score_choices(model, prompt, [])
    with pytest.raises(ValueError, match="in training mode"):
        score_choices(model.train(), prompt, CHOICES)
    model.eval().set_attn_implementation("eager")
    with pytest.raises(ValueError, match="'eager' takes no mask of answers"):
        score_choices(model, prompt, CHOICES)
