"""Published towers come in as they are, whatever their files and the names of their keys."""

import os
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, CLIPVisionModel, SiglipVisionModel

from model.checkpoint import load_towers
from model.presets import tiny_gpt4roi, tiny_regiongpt
from schemas.errors import InputFileError, UsageError
from tests.model.checkpoint.published import (
    language_state,
    vision_fields,
    vision_state,
    write_config,
    write_shards,
    write_weights,
)

PICTURE = torch.linspace(-1, 1, 3 * 56 * 56).reshape(1, 3, 56, 56)


def test_towers_compute_what_they_do_in_transformers(clip_folder, vicuna_folder):
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=vicuna_folder)
    with torch.no_grad():
        expected = CLIPVisionModel.from_pretrained(clip_folder).eval()(PICTURE)
        assert torch.equal(
            model.vision_tower.model(PICTURE).last_hidden_state, expected.last_hidden_state
        )
        ids = torch.arange(3, 20)[None]
        other = AutoModelForCausalLM.from_pretrained(vicuna_folder).eval()
        assert torch.equal(model.language_model(ids).logits, other(ids).logits)
    assert not any(tensor.is_meta for tensor in [*model.parameters(), *model.buffers()])
    assert not model.training
    assert model.name_or_path == model.config.name_or_path == ""  # adapters would look for it


def test_siglip(siglip_folder, vicuna_folder):
    config = tiny_regiongpt(tower="siglip_vision_model")
    model = load_towers(config, vision=siglip_folder, language=vicuna_folder)
    with torch.no_grad():
        expected = SiglipVisionModel.from_pretrained(siglip_folder).eval()(PICTURE)
        actual = model.vision_tower.model(PICTURE)
    assert torch.equal(actual.last_hidden_state, expected.last_hidden_state)


@pytest.mark.parametrize("prefix", ["", "vision_model."])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_vision_part_alone_under_either_name(tmp_path, vicuna_folder, prefix, name):
    state = vision_state()
    write_config(tmp_path, **vision_fields())
    write_weights(tmp_path / name, {prefix + key: value for key, value in state.items()})
    model = load_towers(tiny_regiongpt(), vision=tmp_path, language=vicuna_folder)
    actual = model.vision_tower.model.state_dict()
    assert len(actual) == len(state)
    for key, value in actual.items():
        assert torch.equal(value, state[key.removeprefix("vision_model.")]), key


def test_a_folder_of_the_vision_part_with_its_projection(tmp_path, vicuna_folder):
    state = {f"vision_model.{key}": value for key, value in vision_state().items()}
    state["visual_projection.weight"] = torch.randn(16, 64)
    write_config(tmp_path, **vision_fields())
    write_weights(tmp_path / "model.safetensors", state)
    load_towers(tiny_regiongpt(), vision=tmp_path, language=vicuna_folder)


def test_a_shape_is_checked_and_the_rest_is_the_folders(tmp_path, vicuna_folder):
    """OpenCLIP's models have another activation than OpenAI's, which their config.json states."""
    write_config(tmp_path, **vision_fields(hidden_act="gelu", layer_norm_eps=1e-3))
    write_weights(tmp_path / "model.safetensors", vision_state())
    config = tiny_gpt4roi(pyramid_layers=[-1, -1, -2, -2])
    config.vision_config.num_hidden_layers = 3
    model = load_towers(config, vision=tmp_path, language=vicuna_folder)
    assert config.vision_config.hidden_act == "quick_gelu", "the caller's is not changed"
    assert model.config.vision_config.hidden_act == "gelu"
    assert type(model.vision_tower.model.config).model_type == "clip_vision_model"
    assert model.vision_tower.model.config.layer_norm_eps == 1e-3
    assert model.config.text_config.rms_norm_eps == 1e-5
    assert config.text_config.rms_norm_eps == 1e-6


def test_all_that_differs_is_named_before_weights_are_read(tmp_path, vicuna_folder):
    write_config(tmp_path, **vision_fields(hidden_size=32, image_size=28, num_hidden_layers=2))
    with pytest.raises(InputFileError) as caught:
        load_towers(tiny_regiongpt(), vision=tmp_path, language=vicuna_folder)
    assert str(caught.value) == (
        f"{tmp_path}/config.json: not the model of this configuration: hidden_size is 32, expected "
        "64; num_hidden_layers is 2, expected 3; image_size is 28, expected 56. Where the towers "
        "are right, choose their configuration (`train --model PRESET`)"
    )


def test_another_kind_of_tower(siglip_folder, clip_folder, vicuna_folder, language_folder):
    with pytest.raises(InputFileError, match="model_type is siglip_vision_model, expected clip_"):
        load_towers(tiny_regiongpt(), vision=siglip_folder, language=vicuna_folder)
    with pytest.raises(InputFileError, match="model_type is clip, expected llama"):
        load_towers(tiny_regiongpt(), vision=clip_folder, language=clip_folder)
    folder = language_folder(model_type="mistral")
    with pytest.raises(InputFileError, match="model_type is mistral, expected llama"):
        load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)


def test_the_vocabulary_is_the_folders(clip_folder, language_folder):
    """Vicuna v0 has 32001 words, one more than LLaMA."""
    folder = language_folder(vocab_size=513)
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)
    stored = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    assert model.config.text_config.vocab_size == 513
    assert torch.equal(model.get_input_embeddings().weight, stored)


def test_old_llamas_have_tables_among_their_weights(clip_folder, language_folder):
    folder = language_folder()
    state = load_file(folder / "model.safetensors")
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    write_weights(folder / "model.safetensors", state)
    load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)


def test_a_difference_is_no_language_model(clip_folder, language_folder):
    """Vicuna v0 was released as the difference to LLaMA."""
    folder = language_folder()
    state = load_file(folder / "model.safetensors")
    write_weights(folder / "model.safetensors", {key: state[key] / 1000 for key in state})
    with pytest.raises(InputFileError, match=r"difference to LLaMA's .*: add them to LLaMA's fi"):
        load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)


@pytest.mark.parametrize("tied", [False, True])
def test_qwen_with_words_that_end_a_turn(tmp_path, clip_folder, language_folder, tied):
    fields = {"model_type": "qwen3", "head_dim": 16, "tie_word_embeddings": tied}
    folder = language_folder(**fields, eos_token_id=7)
    path = folder / "generation_config.json"
    path.write_text('{"eos_token_id": [7, 9], "pad_token_id": 3, "temperature": 0.6}', "utf-8")
    config = tiny_regiongpt()
    config.text_config = AutoModelForCausalLM.from_pretrained(folder).config
    model = load_towers(config, vision=clip_folder, language=folder)
    words, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert (words.data_ptr() == head.data_ptr()) is tied
    assert model.generation_config.eos_token_id == [7, 9]
    assert model.generation_config.pad_token_id == 3
    assert model.generation_config.temperature != 0.6, "only words are taken"
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(folder).eval()(ids).logits
        assert torch.equal(model.language_model(ids).logits, expected)


@pytest.mark.parametrize("bin", [False, True])
def test_shards(tmp_path, clip_folder, vicuna_folder, bin):
    state = language_state()
    (tmp_path / "config.json").write_bytes((vicuna_folder / "config.json").read_bytes())
    write_shards(tmp_path, state, bin=bin, count=3)
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=tmp_path)
    for key, value in model.language_model.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_the_type_is_the_language_models_or_as_asked(clip_folder, language_folder):
    folder = language_folder(torch_dtype="bfloat16")
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=folder, dtype=torch.float32)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_files_may_be_written_again(clip_folder, language_folder):
    """A model does not live in its files: owners may overwrite them, users change parameters."""
    folder = language_folder()
    before = (folder / "model.safetensors").read_bytes()
    model = load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    (folder / "model.safetensors").write_bytes(bytes(len(before)))
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key]), key


def test_a_name_on_the_hub(clip_folder, vicuna_folder):
    """What transformers has fetched before is used without a network."""
    assert os.environ["HF_HOME"] == constants.HF_HOME, "never the user's cache"
    cache = Path(constants.HF_HUB_CACHE) / "models--acme--clip-tiny"
    snapshot = cache / "snapshots" / "0123456789abcdef0123456789abcdef01234567"
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(snapshot.name, encoding="utf-8")
    for file in clip_folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    model = load_towers(tiny_regiongpt(), vision="acme/clip-tiny", language=vicuna_folder)
    assert model.config.vision_source == "acme/clip-tiny"
    assert model.config.language_source == str(vicuna_folder)


def test_names_that_lead_nowhere(tmp_path, clip_folder, vicuna_folder):
    for name in (tmp_path / "none", "none", "./a/b"):
        with pytest.raises(UsageError, match=f"{name}: no such folder"):
            load_towers(tiny_regiongpt(), vision=name, language=vicuna_folder)
    with pytest.raises(InputFileError, match="acme/none: no such folder, and not fetched"):
        load_towers(tiny_regiongpt(), vision="acme/none", language=vicuna_folder)


def test_only_the_connector_starts_anew(clip_folder, vicuna_folder):
    first = load_towers(tiny_regiongpt(), vision=clip_folder, language=vicuna_folder)
    torch.manual_seed(1)
    second = load_towers(tiny_regiongpt(), vision=clip_folder, language=vicuna_folder)
    differing = {
        key.split(".")[0]
        for key, value in first.state_dict().items()
        if not torch.equal(value, second.state_dict()[key])
    }
    assert differing == {"connector"}
    fresh = first.connector.projector[0].weight
    assert 0 < fresh.std() < 1
