"""The parts of a model as folders of their own."""

import stat

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from model.checkpoint import export_parts, load_towers, save_trained
from model.presets import tiny_regiongpt
from schemas.errors import UsageError


@pytest.fixture
def model(clip_folder, vicuna_folder):
    return load_towers(tiny_regiongpt(), vision=clip_folder, language=vicuna_folder)


def test_a_plain_language_model_and_a_connector(tmp_path, model, llama_tokenizer):
    model.generation_config.eos_token_id = [2, 7]
    export_parts(model, tmp_path / "parts", tokenizer=llama_tokenizer)
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"language_model", "connector"}
    folder = tmp_path / "parts" / "language_model"
    plain, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert type(plain).__name__ == "LlamaForCausalLM"
    assert plain.generation_config.eos_token_id == [2, 7]
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        assert torch.equal(plain.eval()(ids).logits, model.language_model(ids).logits)
    assert (
        AutoTokenizer.from_pretrained(folder)("a")["input_ids"] == llama_tokenizer("a")["input_ids"]
    )
    stored = load_file(tmp_path / "parts" / "connector" / "connector.safetensors")
    assert stored.keys() == model.connector.state_dict().keys()
    for key, value in stored.items():
        assert torch.equal(value, model.connector.state_dict()[key]), key


def test_the_exported_language_model_is_a_tower_again(tmp_path, model, clip_folder):
    export_parts(model, tmp_path / "parts")
    again = load_towers(
        tiny_regiongpt(),
        vision=clip_folder,
        language=tmp_path / "parts" / "language_model",
        init=tmp_path / "parts" / "connector",
    )
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key


def test_others_may_read_the_folder(tmp_path, model):
    export_parts(model, tmp_path / "parts")
    (tmp_path / "usual").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("parts", "usual")]
    assert modes[0] == modes[1]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft calls it
def test_adapters_are_merged_first(tmp_path, model):
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"], r=2))
    for write in (export_parts, save_trained):
        with pytest.raises(UsageError, match="expected a GPT4RoI or RegionGPT: merge adapters"):
            write(adapted, tmp_path / "parts")
        with pytest.raises(UsageError, match=r"the model has adapters .*lora_A.*merge them first"):
            write(model, tmp_path / "parts")
    merged = adapted.merge_and_unload()
    export_parts(merged, tmp_path / "parts")
