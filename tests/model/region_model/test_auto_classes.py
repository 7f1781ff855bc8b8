"""The models in transformers' folders and automatic classes."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import (
    AutoModel,
    AutoModelForImageTextToText,
    GenerationConfig,
    PreTrainedModel,
)

from model.attention import ATTENTION_NAME

GREEDY = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None, "max_new_tokens": 4}


@pytest.mark.parametrize("auto", [AutoModel, AutoModelForImageTextToText])
def test_a_saved_model_comes_back_as_it_was(model, rows, make_batch, tmp_path: Path, auto) -> None:
    model.save_pretrained(tmp_path)
    again = auto.from_pretrained(tmp_path, dtype=torch.float64)
    assert type(again) is type(model)
    assert fields_of(again.config) == fields_of(model.config)
    expected = model.state_dict()
    state = again.state_dict()
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=0, msg=name)
    batch = make_batch(model, rows, "left")
    ids = again.generate(**batch, **GREEDY)
    assert ids.tolist() == model.generate(**batch, **GREEDY).tolist()


def fields_of(config) -> dict[str, Any]:
    """The fields of a configuration that are ours, and the towers' shapes."""
    config = type(config)(**config.to_dict())
    names = (name for name in inspect.get_annotations(type(config)) if not name.startswith("_"))
    fields = {name: getattr(config, name) for name in names}
    towers = (config.vision_config, config.text_config)
    return fields | {type(tower).__name__: tower.hidden_size for tower in towers}


def test_names_of_tensors_are_those_of_the_three_parts(model, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names = set(file.keys())
    parts = {".".join(name.split(".")[:2]) for name in names}
    assert {part for part in parts if not part.startswith("connector.")} == {
        "vision_tower.model",
        "language_model.model",
        "language_model.lm_head",
    }
    assert names == model.state_dict().keys()


def test_dtype_and_device_map_are_followed(fresh, rows, make_batch, tmp_path: Path) -> None:
    fresh("boundaries").save_pretrained(tmp_path)
    model = AutoModel.from_pretrained(tmp_path, dtype=torch.bfloat16, device_map="cpu")
    assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    assert model.dtype == torch.bfloat16
    output = model(**make_batch(model, rows))
    assert output.logits.dtype == torch.bfloat16
    assert output.logits.isfinite().all()
    assert model.generate(**make_batch(model, rows, "left"), **GREEDY).shape == (4, 4)


def test_every_part_may_be_on_its_own_device(fresh, rows, make_batch, tmp_path: Path) -> None:
    # One device is at hand: what accelerate asks of a model that is spread is tried on it.
    original = fresh("regiongpt")
    original.save_pretrained(tmp_path)
    devices = {"vision_tower": "cpu", "connector": "cpu", "language_model": "cpu"}
    model = AutoModel.from_pretrained(tmp_path, dtype=torch.float64, device_map=devices)
    batch = make_batch(model, rows)
    torch.testing.assert_close(model(**batch).logits, original(**batch).logits)
    kept_whole = {"CLIPEncoderLayer", "LlamaDecoderLayer", "RegionGPTConnector"}
    assert kept_whole <= set(model._no_split_modules)


@pytest.mark.parametrize("kind", ["gpt4roi", "regiongpt"])
def test_the_connector_may_be_on_another_device(kind, fresh, rows, make_batch) -> None:
    model = fresh(kind)

    def move(module: Any, inputs: Any, output: tuple[torch.Tensor, ...]) -> Any:
        return tuple(part.to("cuda:1") for part in output)

    model.connector.register_forward_hook(move)
    made = make_batch(model, rows)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        batch = {key: fake.from_tensor(value) for key, value in made.items()}
        assert model.embed(**batch).device.type == "cpu"


@pytest.mark.parametrize("kind", ["boundaries", "regiongpt"])
def test_parts_may_wait_on_the_disk(kind, fresh, rows, make_batch, tmp_path: Path) -> None:
    # accelerate reads a part's tensors when it is called, and has them nowhere before and after.
    original = fresh(kind)
    original.save_pretrained(tmp_path / "model")
    devices = {"vision_tower": "cpu", "connector": "disk", "language_model": "cpu"}
    options = {"device_map": devices, "offload_folder": tmp_path / "parts"}
    model = AutoModel.from_pretrained(tmp_path / "model", dtype=torch.float64, **options)
    assert {value.device.type for value in model.connector.parameters()} == {"meta"}
    batch = make_batch(model, rows)
    torch.testing.assert_close(model(**batch).logits, original(**batch).logits)


def test_the_attention_without_syncs_may_be_that_of_all_parts(
    fresh, rows, make_batch, tmp_path: Path
) -> None:
    original = fresh("regiongpt")
    original.save_pretrained(tmp_path)
    model = AutoModel.from_pretrained(tmp_path, attn_implementation=ATTENTION_NAME)
    parts = (model.language_model, model.vision_tower.model)
    assert {part.config._attn_implementation for part in parts} == {ATTENTION_NAME}
    batch = make_batch(model, rows)
    torch.testing.assert_close(model(**batch).logits, original(**batch).logits)


@pytest.mark.parametrize("is_tied", [True, False])
def test_tied_words_stay_tied(fresh, tmp_path: Path, is_tied: bool) -> None:
    text = {**fresh("regiongpt").config.text_config.to_dict(), "tie_word_embeddings": is_tied}
    model = fresh("regiongpt", text_config=text)
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    assert (head.weight is table.weight) == is_tied
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert ("language_model.lm_head.weight" in file.keys()) != is_tied  # noqa: SIM118
    again = AutoModel.from_pretrained(tmp_path, dtype=torch.float64)
    assert (again.get_output_embeddings().weight is again.get_input_embeddings().weight) == is_tied
    torch.testing.assert_close(again.get_output_embeddings().weight, head.weight, rtol=0, atol=0)


def test_a_vocabulary_may_grow(fresh, tmp_path: Path) -> None:
    model = fresh("gpt4roi")
    table = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(520, mean_resizing=False)
    new = model.get_input_embeddings().weight[512:]
    assert new.std().item() == pytest.approx(0.02, rel=0.2)  # as transformers starts words
    assert model.get_input_embeddings().weight.shape == (520, 64)
    assert model.get_output_embeddings().weight.shape == (520, 64)
    assert model.config.text_config.vocab_size == 520
    torch.testing.assert_close(model.get_input_embeddings().weight[:512], table)
    model.save_pretrained(tmp_path)
    again = AutoModel.from_pretrained(tmp_path)
    assert again(input_ids=torch.tensor([[519]])).logits.shape == (1, 1, 520)


def test_embeddings_and_head_may_be_replaced(fresh) -> None:
    model = fresh("regiongpt")
    table, head = torch.nn.Embedding(7, 64), torch.nn.Linear(64, 7, bias=False)
    model.set_input_embeddings(table)
    model.set_output_embeddings(head)
    assert model.language_model.model.embed_tokens is table
    assert model.language_model.lm_head is head


def test_settings_of_generation_are_saved_with_the_model(fresh, tmp_path: Path) -> None:
    model = fresh("regiongpt")
    model.generation_config.max_new_tokens = 3
    model.generation_config.pad_token_id = 0
    model.save_pretrained(tmp_path)
    assert GenerationConfig.from_pretrained(tmp_path).max_new_tokens == 3
    again = AutoModel.from_pretrained(tmp_path)
    assert again.generate(torch.tensor([[1, 5]]), eos_token_id=None).shape == (1, 3)


def test_parts_without_tensors_start_as_in_a_new_model(fresh) -> None:
    model = fresh("boundaries")
    names = {name for name in model.state_dict() if "region_encoder" in name}
    kept = {name: value for name, value in model.state_dict().items() if name not in names}
    again, report = type(model).from_pretrained(
        None, config=model.config, state_dict=kept, output_loading_info=True
    )
    assert report["missing_keys"] == names
    encoder = again.connector.region_encoder
    weight = encoder.crop_conv.weight
    assert weight.std().item() == pytest.approx(0.01, rel=0.02)
    deviation = encoder.output.weight.std().item()
    assert deviation == pytest.approx(1 / (3 * encoder.output.in_features) ** 0.5, rel=0.05)
    torch.testing.assert_close(again.connector.projector.weight, model.connector.projector.weight)


def test_a_model_is_pushed_as_every_model_of_transformers(model) -> None:
    for name in ("push_to_hub", "save_pretrained"):
        assert inspect.getattr_static(model, name) is inspect.getattr_static(PreTrainedModel, name)


def test_a_language_model_that_changes_its_logits_is_refused(fresh) -> None:
    text = {**fresh("regiongpt").config.text_config.to_dict(), "model_type": "cohere"}
    with pytest.raises(ValueError, match="changes its logits by logit_scale"):
        fresh("regiongpt", text_config=text)
