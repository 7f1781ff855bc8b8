"""The front door of RegionForge: the names that a Python user needs, and the command line.

    import regionforge

    recipe = regionforge.load_recipe("regiongpt_pretrain", limit=1000)
    plan = regionforge.make_plan(recipe, "/data", "/shards")
    regionforge.launch(plan, workers=4)
    assert regionforge.verify("/shards").ok
    for batch in regionforge.read_shards("/shards", split="train"):
        print(batch.num_rows, batch.schema.names)

Mistakes of the user raise a `RegionForgeError`. Each name is imported when it is first used: this
makes `import regionforge` fast, and lets `python -m regionforge` leave the current folder, where
packages of the same names may lie, before it imports any. The commands: `regionforge --help`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines import VERSION as __version__  # noqa: N811 - the usual name
    from regionforge.api import launch, load_recipe, make_plan, read_shards, verify
    from schemas.errors import RegionForgeError
    from schemas.shard import SCHEMA

__all__ = [
    "SCHEMA",
    "RegionForgeError",
    "__version__",
    "launch",
    "load_recipe",
    "make_plan",
    "read_shards",
    "verify",
]

_ORIGINS = {  # where each name is defined, as module:name
    "SCHEMA": "schemas.shard:SCHEMA",
    "RegionForgeError": "schemas.errors:RegionForgeError",
    "__version__": "pipelines:VERSION",
    "launch": "regionforge.api:launch",
    "load_recipe": "regionforge.api:load_recipe",
    "make_plan": "regionforge.api:make_plan",
    "read_shards": "regionforge.api:read_shards",
    "verify": "regionforge.api:verify",
}


def __getattr__(name: str) -> Any:
    """Import and return a public name."""
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _ORIGINS[name].partition(":")
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)
