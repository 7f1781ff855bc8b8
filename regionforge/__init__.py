"""The front door of RegionForge: the names that a Python user needs, and the command line.

    import regionforge

    recipe = regionforge.load_recipe("regiongpt_pretrain", limit=1000)
    plan = regionforge.make_plan(recipe, "/data", "/shards")
    regionforge.launch(plan, workers=4)
    assert regionforge.verify("/shards").ok
    for batch in regionforge.read_shards("/shards", split="train"):
        print(batch.num_rows, batch.schema.names)

The models, with the extra `train`: `RegionProcessor`, the configurations and classes of GPT4RoI and
RegionGPT, their `presets`, and `load_towers`. The first of these names that is used registers both
models with transformers, whose `AutoModel` and `AutoProcessor` then open their folders.

Mistakes of the user raise a `RegionForgeError`. Each name is imported when it is first used: this
makes `import regionforge` fast, and lets `python -m regionforge` leave the current folder, where
packages of the same names may lie, before it imports any. The commands: `regionforge --help`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model import presets
    from model.adapters import lora_config, quantization
    from model.checkpoint import (
        export_parts,
        load_released,
        load_towers,
        load_trained,
        save_trained,
    )
    from model.choices import score_choices
    from model.config import GPT4RoIConfig, RegionGPTConfig
    from model.processor import RegionProcessor, processor_for
    from model.region_model import (
        GPT4RoIForConditionalGeneration,
        RegionGPTForConditionalGeneration,
    )
    from model.stages import freeze_for
    from model.tiny import write_tiny_model
    from pipelines import VERSION as __version__  # noqa: N811 - the usual name
    from regionforge.api import launch, load_recipe, make_plan, read_shards, verify
    from schemas.errors import RegionForgeError
    from schemas.shard import SCHEMA
    from train.serve.opening import open_model

__all__ = [
    "SCHEMA",
    "GPT4RoIConfig",
    "GPT4RoIForConditionalGeneration",
    "RegionForgeError",
    "RegionGPTConfig",
    "RegionGPTForConditionalGeneration",
    "RegionProcessor",
    "__version__",
    "export_parts",
    "freeze_for",
    "launch",
    "load_recipe",
    "load_released",
    "load_towers",
    "load_trained",
    "lora_config",
    "make_plan",
    "open_model",
    "presets",
    "processor_for",
    "quantization",
    "read_shards",
    "save_trained",
    "score_choices",
    "verify",
    "write_tiny_model",
]

_ORIGINS = {  # where each name is defined, as module:name, or a module
    "SCHEMA": "schemas.shard:SCHEMA",
    "RegionForgeError": "schemas.errors:RegionForgeError",
    "__version__": "pipelines:VERSION",
    "launch": "regionforge.api:launch",
    "load_recipe": "regionforge.api:load_recipe",
    "make_plan": "regionforge.api:make_plan",
    "read_shards": "regionforge.api:read_shards",
    "verify": "regionforge.api:verify",
    "GPT4RoIConfig": "model.config:GPT4RoIConfig",
    "RegionGPTConfig": "model.config:RegionGPTConfig",
    "GPT4RoIForConditionalGeneration": "model.region_model:GPT4RoIForConditionalGeneration",
    "RegionGPTForConditionalGeneration": "model.region_model:RegionGPTForConditionalGeneration",
    "RegionProcessor": "model.processor:RegionProcessor",
    "export_parts": "model.checkpoint:export_parts",
    "freeze_for": "model.stages:freeze_for",
    "load_released": "model.checkpoint:load_released",
    "load_towers": "model.checkpoint:load_towers",
    "load_trained": "model.checkpoint:load_trained",
    "lora_config": "model.adapters:lora_config",
    "open_model": "train.serve.opening:open_model",
    "presets": "model.presets",
    "processor_for": "model.processor:processor_for",
    "quantization": "model.adapters:quantization",
    "save_trained": "model.checkpoint:save_trained",
    "score_choices": "model.choices:score_choices",
    "write_tiny_model": "model.tiny:write_tiny_model",
}


def __getattr__(name: str) -> Any:
    """Import and return a public name."""
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _ORIGINS[name].partition(":")
    if module.partition(".")[0] in ("model", "train"):
        _require_train(name)
    defined_in = import_module(module)
    value = globals()[name] = getattr(defined_in, attribute) if attribute else defined_in
    return value


def _require_train(name: str) -> None:
    from pipelines.storage.extras import require

    require("train", f"regionforge.{name}")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)
