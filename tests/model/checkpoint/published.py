"""Checkpoints as others publish them: small and random, with the key names of real ones."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoModel, AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from model.presets import tiny_regiongpt

State = dict[str, Tensor]


def write_shards(folder: Path, state: State, *, bin: bool, count: int = 2) -> None:
    """Write a checkpoint in several files with an index, as large ones are published."""
    end, name = ("bin", "pytorch_model") if bin else ("safetensors", "model")
    weight_map = {}
    for number in range(count):
        keys = sorted(state)[number::count]
        file = f"{name}-{number + 1:05}-of-{count:05}.{end}"
        write_weights(folder / file, {key: state[key] for key in keys})
        weight_map.update(dict.fromkeys(keys, file))
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / f"{name}.{end}.index.json").write_text(json.dumps(index), encoding="utf-8")


def write_weights(path: Path, state: State) -> None:
    if path.suffix == ".bin":
        torch.save(state, path)
    else:
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)


def write_config(folder: Path, **fields: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")


def vision_fields(kind: str = "clip_vision_model", **changes: Any) -> dict[str, Any]:
    """The fields that a tiny vision tower's config.json states."""
    config = tiny_regiongpt(tower=kind).vision_config
    names = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"]
    names += ["image_size", "patch_size"]
    return {"model_type": kind, **{name: getattr(config, name) for name in names}, **changes}


def vision_state(**changes: Any) -> State:
    """A random vision tower's tensors, without any prefix."""
    fields = vision_fields(**changes)
    model = AutoModel.from_config(CONFIG_MAPPING[fields.pop("model_type")](**fields))
    return {
        key.removeprefix("vision_model."): torch.randn_like(tensor)
        for key, tensor in model.state_dict().items()
    }


def language_fields(**changes: Any) -> dict[str, Any]:
    """The fields that a tiny Llama's config.json states."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5,
        "torch_dtype": "float32",
        **changes,
    }


def language_state(**changes: Any) -> State:
    """A random language model's tensors, under transformers' names."""
    fields = language_fields(**changes)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[fields.pop("model_type")](**fields))
    state = {key: torch.randn_like(tensor) / 8 for key, tensor in model.state_dict().items()}
    if fields.get("tie_word_embeddings"):
        del state["lm_head.weight"]
    return {key: value + 1 if "norm.weight" in key else value for key, value in state.items()}


def write_whole(folder: Path, kind: Any, name: str, vision: str, text: str) -> Path:
    """Write a whole model under the names that all published ones have."""
    torch.manual_seed(1)
    text_fields = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    text_fields |= {"num_attention_heads": 2, "vocab_size": 50, "projection_size": 16}
    text_fields |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    fields = {
        "vision_config": {**vision_fields(vision), "projection_dim": 16},
        "text_config": {**text_fields, "model_type": text, "projection_dim": 16},
        "projection_dim": 16,
    }
    model = kind(CONFIG_MAPPING[name](**json.loads(json.dumps(fields))))
    state = {key: torch.randn_like(value) for key, value in model.state_dict().items()}
    assert any(key.startswith("vision_model.encoder.") for key in state)
    assert any(key.startswith("text_model.encoder.") for key in state)
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]  # as old versions saved
    write_config(folder, model_type=name, **fields)
    write_weights(folder / "model.safetensors", state)
    return folder
