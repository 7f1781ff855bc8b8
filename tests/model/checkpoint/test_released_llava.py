"""LLaVA-1.5, as trained and as converted to transformers: look-alikes with its key names."""

import pytest
import torch

from model.checkpoint import load_released
from model.presets import tiny_regiongpt
from schemas.errors import InputFileError, UsageError
from tests.model.checkpoint.published import (
    language_fields,
    language_state,
    vision_fields,
    vision_state,
    write_config,
    write_shards,
)

WORDS = 512

LLAVA_LAYOUTS = {  # our prefixes and theirs; `projector.` is followed by 0 or 2
    "as trained": {
        "model.": "model.",
        "lm_head.": "lm_head.",
        "projector.0.": "model.mm_projector.0.",
        "projector.2.": "model.mm_projector.2.",
        "vision.": "model.vision_tower.vision_tower.vision_model.",
    },
    "converted": {
        "model.": "language_model.model.",
        "lm_head.": "language_model.lm_head.",
        "projector.0.": "multi_modal_projector.linear_1.",
        "projector.2.": "multi_modal_projector.linear_2.",
        "vision.": "vision_tower.vision_model.",
    },
    "converted later": {
        "model.": "model.language_model.",
        "lm_head.": "lm_head.",
        "projector.0.": "model.multi_modal_projector.linear_1.",
        "projector.2.": "model.multi_modal_projector.linear_2.",
        "vision.": "model.vision_tower.vision_model.",
    },
}
LLAVA_LAYOUTS["converted today"] = {
    **LLAVA_LAYOUTS["converted later"],
    "vision.": "model.vision_tower.",
}


@pytest.mark.parametrize("layout", LLAVA_LAYOUTS)
@pytest.mark.parametrize("with_tower", [True, False])
def test_llava(tmp_path, clip_folder, layout, with_tower):
    ours = {**language_state(vocab_size=WORDS + 64)}
    ours |= {f"vision.{key}": value for key, value in vision_state().items() if with_tower}
    for layer in ("projector.0.", "projector.2."):
        ours |= {f"{layer}weight": torch.randn(64, 64), f"{layer}bias": torch.randn(64)}
    theirs = {}
    for key, value in ours.items():
        prefix = next(prefix for prefix in LLAVA_LAYOUTS[layout] if key.startswith(prefix))
        theirs[LLAVA_LAYOUTS[layout][prefix] + key.removeprefix(prefix)] = value
    fields = language_fields(vocab_size=WORDS + 64, rope_theta=5e5)
    if layout == "as trained":
        write_config(tmp_path, **{**fields, "model_type": "llava", "mm_vision_tower": "a/b"})
    else:
        inner = {"text_config": fields, "vision_config": vision_fields()}
        write_config(tmp_path, model_type="llava", torch_dtype="float32", **inner)
    write_shards(tmp_path, theirs, bin=layout == "as trained")
    model = load_released(tmp_path, tiny_regiongpt(), vision=None if with_tower else clip_folder)
    loaded = dict(model.language_model.state_dict())
    loaded |= {f"projector.{k}": v for k, v in model.connector.projector.state_dict().items()}
    if with_tower:
        tower = model.vision_tower.model.state_dict()
        loaded |= {f"vision.{k.removeprefix('vision_model.')}": v for k, v in tower.items()}
    assert loaded.keys() == ours.keys()
    for key, value in loaded.items():
        assert torch.equal(value, ours[key][: len(value)]), key
    assert len(model.get_input_embeddings().weight) == WORDS
    assert model.config.text_config.rope_parameters["rope_theta"] == 5e5
    assert model.config.text_config.rms_norm_eps == 1e-5
    assert model.connector.refinement.deconv1.weight.std() > 0


def test_llava_without_a_tower(tmp_path):
    state = language_state()
    state |= {f"multi_modal_projector.linear_{n}.weight": torch.randn(64, 64) for n in (1, 2)}
    state |= {f"multi_modal_projector.linear_{n}.bias": torch.randn(64) for n in (1, 2)}
    write_config(tmp_path, model_type="llava", text_config=language_fields())
    write_shards(tmp_path, state, bin=False)
    with pytest.raises(UsageError, match="holds no vision tower and names none"):
        load_released(tmp_path, tiny_regiongpt())


def test_no_checkpoint_of_either(vicuna_folder, clip_folder):
    with pytest.raises(InputFileError, match=r"no projector, expected keys of model\.mm_proj"):
        load_released(vicuna_folder, tiny_regiongpt(), vision=clip_folder)
