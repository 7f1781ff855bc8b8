"""The front door of RegionForge: the names that a Python user needs, and the command line.

    import regionforge

    recipe = regionforge.load_recipe("regiongpt_pretrain", limit=1000)
    plan = regionforge.make_plan(recipe, "/data", "/shards")
    regionforge.launch(plan, workers=4)
    assert regionforge.verify("/shards").ok
    for batch in regionforge.read_shards("/shards", split="train"):
        print(batch.num_rows, batch.schema.names)

Each name is imported when it is first used, so that `import regionforge` is fast. Mistakes of the
user raise a `RegionForgeError`. The commands: `regionforge --help`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pipelines

if TYPE_CHECKING:
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

__version__ = pipelines.VERSION

_MODULES = {  # where each name is defined
    "SCHEMA": "schemas.shard",
    "RegionForgeError": "schemas.errors",
    "launch": "regionforge.api",
    "load_recipe": "regionforge.api",
    "make_plan": "regionforge.api",
    "read_shards": "regionforge.api",
    "verify": "regionforge.api",
}


def __getattr__(name: str) -> Any:
    """Import and return a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)
