"""The parts of a model as folders that others can use."""

from pathlib import Path

from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from model.checkpoint.first_stage import CONNECTOR_FILE
from model.checkpoint.new_folder import new_folder
from model.region_model import RegionModel
from schemas.errors import UsageError


def export_parts(
    model: RegionModel, folder: str | Path, tokenizer: PreTrainedTokenizerBase | None = None
) -> None:
    """Save the language model and the connector as folders of their own.

        language_model/    a plain folder of transformers, for AutoModelForCausalLM
        connector/         config.json and connector.safetensors, for `init` of `load_towers`

    Args:
        model: whole, with adapters merged.
        folder: a new one.
        tokenizer: saved with the language model, where given.
    """
    check_plain(model)
    with new_folder(folder) as partial:
        model.language_model.save_pretrained(partial / "language_model")
        model.generation_config.save_pretrained(partial / "language_model")
        if tokenizer is not None:
            tokenizer.save_pretrained(partial / "language_model")
        connector = partial / "connector"
        model.config.save_pretrained(connector)
        tensors = {
            key: tensor.detach().cpu().contiguous()
            for key, tensor in model.connector.state_dict().items()
        }
        save_file(tensors, connector / CONNECTOR_FILE, metadata={"format": "pt"})


def check_plain(model: PreTrainedModel) -> None:
    """Raise UsageError for a model whose tensors are not the parameters themselves."""
    if not isinstance(model, RegionModel):
        raise UsageError(
            f"a {type(model).__name__}, expected a GPT4RoI or RegionGPT: merge adapters first"
        )
    names = [name for name, _ in model.named_parameters() if ".lora_" in name]
    if names:
        raise UsageError(f"the model has adapters ({names[0]}): merge them first")
    if getattr(model, "hf_quantizer", None) is not None:
        raise UsageError("the model is quantized: load it again in full to save its parts")
