"""The named configurations: functions that return one, the papers' models and tiny ones.

What a reader may want to change most is an argument; all else is changed on the configuration,
before the model is made:

    config = regiongpt_7b()
    config.refinement = "bilinear"
"""

from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from model.config import CLIP_H_224, CLIP_L_336, LLAMA_7B, GPT4RoIConfig, RegionGPTConfig

# Vicuna v1.5 stands on Llama 2.
LLAMA2_7B = {**LLAMA_7B, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}

# Google's SigLIP, by the names of RegionGPT's Table 7: no class token.
_SIGLIP = {
    "base_512": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 512,
        "patch_size": 16,
    },
    "large_384": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 16,
    },
    "so400m_384": {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 14,
    },
}

_TINY_TEXT = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "vocab_size": 512,
}

_TINY_VISION = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
}

_PROOF_VISION = {
    "model_type": "clip_vision_model",
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_act": "gelu",
    "image_size": 72,
    "patch_size": 8,
    "stem": "convolutions",
}

_PROOF_TEXT = {
    "model_type": "llama",
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "vocab_size": 1024,
}


def gpt4roi_7b() -> GPT4RoIConfig:
    """Return GPT4RoI as the paper states it: ViT-H/14 at 224 pixels and Vicuna 7B v0."""
    return GPT4RoIConfig(vision_config=dict(CLIP_H_224), text_config=dict(LLAMA_7B))


def gpt4roi_7b_released() -> GPT4RoIConfig:
    """Return GPT4RoI as its authors released it: ViT-L/14 at 224 pixels, image start and end."""
    vision = {**CLIP_L_336, "image_size": 224}
    return GPT4RoIConfig(vision_config=vision, text_config=dict(LLAMA_7B), image_boundaries=True)


def regiongpt_7b() -> RegionGPTConfig:
    """Return RegionGPT as the paper states it: ViT-L/14 at 336 pixels and Vicuna 7B v1.5."""
    return RegionGPTConfig(vision_config=dict(CLIP_L_336), text_config=dict(LLAMA2_7B))


def regiongpt_siglip_b512() -> RegionGPTConfig:
    """Return RegionGPT with SigLIP B/16 at 512 pixels (Tables 6 and 7): 32 x 32 patches."""
    return _with_siglip("base_512")


def regiongpt_siglip_l384() -> RegionGPTConfig:
    """Return RegionGPT with SigLIP L/16 at 384 pixels (Table 7): 24 x 24 patches."""
    return _with_siglip("large_384")


def regiongpt_siglip_so400m() -> RegionGPTConfig:
    """Return RegionGPT with SigLIP SO400M/14 at 384 pixels (Table 7): 27 x 27 patches."""
    return _with_siglip("so400m_384")


def regiongpt_modern(language: str) -> RegionGPTConfig:
    """Return RegionGPT as one would build it today, with the language model of a folder.

    The tower is SigLIP 2 SO400M/14 at 384 pixels, which has the shape of the first SigLIP.
    Conversations are written in the language model's own chat template.

    Args:
        language: a folder or a name on the Hub, e.g. `Qwen/Qwen3-4B`.
    """
    text: PreTrainedConfig = AutoConfig.from_pretrained(language)
    return RegionGPTConfig(vision_config=_siglip("so400m_384"), text_config=text, template="chat")


def tiny_gpt4roi(**changes: Any) -> GPT4RoIConfig:
    """Return a GPT4RoI for tests: 4 x 4 patches of 56 pixels, width 64."""
    # With 11 layers, the last level of the pyramid is the state after the first layer.
    vision = {"model_type": "clip_vision_model", **_TINY_VISION, "num_hidden_layers": 11}
    shape: dict[str, Any] = {
        "vision_config": vision,
        "text_config": dict(_TINY_TEXT),
        "pyramid_width": 64,
        "shuffle_blocks": 2,
        "shuffle_groups": 8,
        "roi_size": 4,
        "box_embedding_width": 32,
    }
    return GPT4RoIConfig(**{**shape, **changes})


def tiny_regiongpt(*, tower: str = "clip_vision_model", **changes: Any) -> RegionGPTConfig:
    """Return a RegionGPT for tests: 4 x 4 patches of 56 pixels, width 64.

    Args:
        tower: `clip_vision_model` or `siglip_vision_model`.
        changes: fields that differ.
    """
    vision = {"model_type": tower, **_TINY_VISION, "num_hidden_layers": 3}
    shape: dict[str, Any] = {"vision_config": vision, "text_config": dict(_TINY_TEXT)}
    return RegionGPTConfig(**{**shape, **changes})


def proof_regiongpt(image_size: int = 72) -> RegionGPTConfig:
    """Return a RegionGPT that learns the sample world's preset `proof`: 9 x 9 patches, width 96.

    Args:
        image_size: the side of pictures, pixels: eight times the patches on a side.
    """
    vision = {**_PROOF_VISION, "image_size": image_size}
    return RegionGPTConfig(vision_config=vision, text_config=dict(_PROOF_TEXT), feature_layer=-1)


def proof_gpt4roi() -> GPT4RoIConfig:
    """Return a GPT4RoI that learns the same world: a pyramid of 9 to 72 cells, width 48.

    Its tower has two layers; each gives two levels of the pyramid.
    """
    return GPT4RoIConfig(
        vision_config=dict(_PROOF_VISION),
        text_config=dict(_PROOF_TEXT),
        pyramid_layers=[-1, -1, -2, -2],
        pyramid_width=48,
        shuffle_blocks=1,
        shuffle_groups=8,
        roi_size=7,
        box_embedding_width=48,
    )


def _with_siglip(name: str) -> RegionGPTConfig:
    return RegionGPTConfig(vision_config=_siglip(name), text_config=dict(LLAMA2_7B))


def _siglip(name: str) -> dict[str, Any]:
    return {"model_type": "siglip_vision_model", **_SIGLIP[name]}
