"""The differences between two builds' identities, in words for the user."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.manifest import BuildIdentity


def identity_differences(before: BuildIdentity | None, now: BuildIdentity) -> list[str]:
    """Return the differences of two builds, e.g. `["seed (0, now 5)"]`; empty for the same build.

    Args:
        before: the build in the output; None: the output's identity file is unreadable.
        now: the build to run.
    """
    if before is None:
        return ["everything (its record is unreadable)"]
    return [*_recipe_differences(before.recipe, now.recipe), *_other_differences(before, now)]


def _recipe_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = _flat(before), _flat(now)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"{name} ({old.get(name)!r}, now {new.get(name)!r})"


def _other_differences(before: BuildIdentity, now: BuildIdentity) -> Iterator[str]:
    if before.inputs != now.inputs:
        changed = {item.name for item in (*before.inputs, *now.inputs)}
        same = {item.name for item in before.inputs if item in now.inputs}
        yield f"the input files ({', '.join(sorted(changed - same) or sorted(changed))})"
    if before.guard != now.guard:
        changed = {item.name for item in (*before.guard, *now.guard)}
        same = {item.name for item in before.guard if item in now.guard}
        yield f"the lists of the guard ({', '.join(sorted(changed - same))})"
    if (before.builder, before.schema_version) != (now.builder, now.schema_version):
        yield f"the builder ({before.builder}, now {now.builder})"


def _flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as one flat dictionary, with keys such as `coco.year` for sources."""
    flat = {key: value for key, value in recipe.items() if key != "sources"}
    sources = recipe.get("sources", [])
    flat["sources"] = [source["name"] for source in sources]
    for source in sources:
        flat |= {f"{source['name']}.{key}": value for key, value in source.items()}
    return flat
