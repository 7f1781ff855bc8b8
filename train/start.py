"""What a run starts from: published towers, or a model that was trained before.

Start(model="regiongpt_7b", vision=..., language=..., init=...)      towers, a new connector
Start(checkpoint=...)       a run's folder (its final/), a model's folder, or a name on the Hub
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from model import presets
from model.adapters import lora_config, quantization
from model.checkpoint import load_towers
from model.checkpoint.files import local_folder, read_json
from model.checkpoint.own_config import read_own_config
from model.config import RegionConfig
from model.processor import RegionProcessor, processor_for
from model.region_model import RegionModel
from model.stages import STAGES, freeze_for
from schemas.errors import InputFileError, UsageError
from train.checkpoint import STATE, load_weights
from train.flag_checks import check_adapters, check_origin, check_preset
from train.recipes import TrainRecipe

FINAL, RECORD = "final", "run.json"


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a run starts from."""

    model: str | None = None  # a function of `model.presets`
    vision: str | None = None
    language: str | None = None
    init: str | None = None
    checkpoint: str | None = None
    lora: int | None = None  # the rank of adapters
    quantized: bool = False  # the language model in 4 bits

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        check_origin(self.checkpoint, vision=self.vision, language=self.language, init=self.init)
        check_adapters(self.checkpoint, rank=self.lora, quantized=self.quantized)

    def as_json(self) -> dict[str, Any]:
        """Return what the run's record says; folders by their absolute paths."""
        return {
            key: str(Path(value).resolve())
            if isinstance(value, str) and Path(value).exists()
            else value
            for key, value in asdict(self).items()
        }

    @property
    def folder(self) -> Path:
        """The folder of the model that was trained before.

        Raises:
            InputFileError: it is a run that has not ended.
        """
        assert self.checkpoint is not None
        path = Path(self.checkpoint)
        if (path / RECORD).is_file():
            path = path / FINAL
            if not path.is_dir():
                raise InputFileError(
                    f"{path}: no such folder, as the run has not ended yet: name one of its "
                    "checkpoints, or end it"
                )
        return local_folder(path if path.is_dir() else self.checkpoint)

    @property
    def earlier(self) -> "tuple[Start, str] | None":
        """What the run of a checkpoint's folder started from, and its stage; None for all else."""
        if self.checkpoint is None or not (Path(self.checkpoint) / STATE).is_file():
            return None
        path = Path(self.checkpoint).resolve().parent.parent / RECORD
        identity = read_json(path).get("identity", {})
        names = [each.name for each in fields(Start)]
        try:
            start = Start(**{name: identity[f"start.{name}"] for name in names})
            return start, identity["recipe.stage"]
        except KeyError as error:
            raise InputFileError(f"{path}: not the record of a run: no {error}") from None


def preset_for(recipe: TrainRecipe) -> str:
    """Return the name of the model that a recipe is usually for, e.g. `regiongpt_7b`."""
    kind = STAGES[recipe.stage].model_type
    return f"proof_{kind}" if recipe.name.startswith("tiny_") else f"{kind}_7b"


def presets_by_name() -> dict[str, Callable[[], RegionConfig]]:
    """Return the functions of `model.presets` that need no argument, by name."""
    return {
        key: value
        for key, value in vars(presets).items()
        if callable(value)
        and value.__module__ == presets.__name__
        and not key.startswith("_")
        and all(p.default is not p.empty or p.kind is p.VAR_KEYWORD for p in _arguments(value))
    }


def preset_named(name: str | None) -> RegionConfig:
    """Return the configuration of a model by its name in `model.presets`.

    Raises:
        UsageError: there is no such model, or it takes an argument.
    """
    known = presets_by_name()
    check_preset(name or "", sorted(known))
    return known[name or ""]()


def read_config(start: Start) -> RegionConfig:
    """Return the configuration of the model, without its weights.

    Raises:
        RegionForgeError: a folder is missing, or is no model of ours.
    """
    if start.earlier is not None:
        return read_config(start.earlier[0])
    if start.checkpoint is not None:
        return read_own_config(start.folder)
    config = preset_named(start.model)
    for name in (start.vision, start.language):
        local_folder(str(name))
    config.text_config = AutoConfig.from_pretrained(str(start.language))
    return config


def read_tokenizer(start: Start) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the language model."""
    if start.earlier is not None:
        return read_tokenizer(start.earlier[0])
    folder = start.folder if start.checkpoint is not None else local_folder(str(start.language))
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputFileError(f"{folder}: no tokenizer: {reason}") from None


def make_processor(start: Start, config: RegionConfig, max_length: int) -> RegionProcessor:
    """Return the processor, for rows of `max_length` tokens at most, or what the model takes."""
    most = getattr(config.text_config, "max_position_embeddings", max_length)
    return processor_for(config, read_tokenizer(start), min(max_length, most))


def open_model(start: Start, recipe: TrainRecipe) -> RegionModel:
    """Return the model, frozen as the recipe's stage says, in float32 on the CPU.

    Raises:
        RegionForgeError: a folder is missing, or its weights do not fit.
    """
    torch.manual_seed(recipe.seed)  # of a connector that starts anew
    return prepared(_opened(start), recipe.stage, start.lora)


def open_trained(start: Start, dtype: torch.dtype) -> RegionModel:
    """Return a model that was trained before, in the mode for evaluation, on the CPU.

    Raises:
        RegionForgeError: a folder is missing, or its weights do not fit.
    """
    return _opened(start, dtype).to(dtype).eval()


def _opened(start: Start, dtype: torch.dtype = torch.float32) -> RegionModel:
    """Return the model with all its weights, none of them frozen."""
    if start.earlier is not None:
        before, stage = start.earlier
        model = prepared(_opened(before), stage, before.lora)
        load_weights(Path(str(start.checkpoint)), model)
        return model if before.lora is None else model.merge_and_unload()
    if start.checkpoint is None:
        return load_towers(
            preset_named(start.model),
            vision=str(start.vision),
            language=str(start.language),
            init=start.init,
            dtype=torch.float32,
        )
    options: dict[str, Any] = {"dtype": dtype}
    if start.quantized:
        _check_bitsandbytes()
        options["quantization_config"] = quantization(4)
    return AutoModel.from_pretrained(start.folder, **options)


def prepared(model: RegionModel, stage: str, lora: int | None) -> RegionModel:
    """Return the model frozen for a stage, with adapters of a rank where one is given."""
    freeze_for(model, stage)
    if lora is None:
        return model
    from peft import get_peft_model

    if "language_model" not in STAGES[stage].trained:
        raise UsageError(f"--lora is for stages that train the language model, not {stage}")
    return get_peft_model(model, lora_config(lora, connector="trained"))


def empty_model(config: RegionConfig) -> RegionModel:
    """Return a model without weights, to count its parameters."""
    with torch.device("meta"):
        return AutoModel.from_config(config)


def precisions(model: torch.nn.Module) -> dict[str, str]:
    """Return the precision of each copy of weights: of what trains, and of what is frozen."""
    kinds: dict[str, set[str]] = {"trained": set(), "frozen": set()}
    for parameter in model.parameters():
        word = str(parameter.dtype).removeprefix("torch.")
        kinds["trained" if parameter.requires_grad else "frozen"].add(word)
    shown = {key: ", ".join(sorted(words)) for key, words in kinds.items() if words}
    return shown | {"optimizer": shown.get("trained", "")}


def _arguments(function: Any) -> list[Any]:
    return list(signature(function).parameters.values())


def _check_bitsandbytes() -> None:
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise UsageError("--qlora needs: pip install bitsandbytes") from None
