"""The identities of outputs that are united or cut."""

from collections.abc import Collection, Sequence
from typing import Any

from pipelines.output.identity import changed_values, source_differences
from pipelines.parts.books import united_guard
from pipelines.parts.part import Part, SplitKey
from pipelines.parts.selection import Selection
from pipelines.plan import BUILDER
from schemas.errors import UsageError
from schemas.manifest import BuildIdentity, SourceIdentity
from schemas.shard import VERSION

_SHARED = ("images", "evaluation", "masks")  # settings that all records of an output have
_UNITED = "merged"  # the name of a recipe that unites recipes of other names


def cut_identity(part: Part, splits: Collection[SplitKey], selection: Selection) -> BuildIdentity:
    """Return the identity of some records of an output."""
    before = part.manifest.identity
    sources = {}
    for config, source in before.sources.items():
        if taken := [split for of, split in splits if of == config]:
            settings = source.settings | {"splits": taken}
            if selection.of_records:
                earlier = settings.get("subset", [])
                settings["subset"] = [*earlier, selection.settings()]
            inputs = [item for item in source.inputs if item.split in taken]
            sources[config] = source.model_copy(update={"settings": settings, "inputs": inputs})
    listed = before.recipe.get("sources", [])
    kept = [entry for entry in listed if len(listed) == 1 or entry.get("name") in sources]
    recipe = before.recipe | {"sources": kept}
    return before.model_copy(update={"builder": BUILDER, "recipe": recipe, "sources": sources})


def united_identity(parts: Sequence[Part]) -> BuildIdentity:
    """Return the identity of several outputs together.

    Raises:
        UsageError: the outputs do not fit together; the message names what differs.
    """
    recipes = [part.manifest.identity.recipe for part in parts]
    for part, recipe in zip(parts[1:], recipes[1:], strict=True):
        shared = [{key: one.get(key) for key in _SHARED} for one in (recipes[0], recipe)]
        if lines := list(changed_values(*shared)):
            raise UsageError(
                f"{part.output} does not go with {parts[0].output}: {', '.join(lines)}"
            )
    sources: dict[str, SourceIdentity] = {}
    made_by: dict[str, dict[str, Any]] = {}
    owners: dict[str, Part] = {}
    for part in parts:
        identity = part.manifest.identity
        for config, source in identity.sources.items():
            recipe = identity.recipe_of(config)
            if config in sources:
                _check_alike(config, owners[config], part)
                source = _united_source(sources[config], source)
            sources[config], made_by[config] = source, recipe
            owners[config] = part
    return BuildIdentity(
        schema_version=VERSION,
        builder=BUILDER,
        recipe=_united_recipe(recipes) | {"recipes": made_by},
        sources=sources,
        guard=united_guard(parts),
    )


def _united_recipe(recipes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the settings in which all recipes agree; the name says that there were several."""
    shared = {
        key: value
        for key, value in recipes[0].items()
        if all(recipe.get(key) == value for recipe in recipes) and key != "recipes"
    }
    entries = [entry for recipe in recipes for entry in recipe.get("sources", [])]
    listed = [entry for number, entry in enumerate(entries) if entry not in entries[:number]]
    most = max(int(recipe.get("shard_bytes", 0)) for recipe in recipes)
    return {"name": _UNITED} | shared | {"shard_bytes": most, "sources": listed}


def _check_alike(config: str, first: Part, other: Part) -> None:
    """Raise `UsageError` where two outputs made a config's records in different ways."""
    one, two = (part.manifest.identity for part in (first, other))
    lines = list(changed_values(one.recipe_of(config), two.recipe_of(config)))
    olds, news = (_comparable(identity.sources[config]) for identity in (one, two))
    lines += source_differences(olds, news)
    if olds.builder != news.builder:
        lines.append(f"builder ({olds.builder}, now {news.builder})")
    if lines:
        raise UsageError(
            f"{config} was made differently in {first.output} and in {other.output}: "
            f"{', '.join(lines)}. Leave it out of one of them by `regionforge subset`"
        )


def _comparable(source: SourceIdentity) -> SourceIdentity:
    settings = {key: value for key, value in source.settings.items() if key != "splits"}
    return source.model_copy(update={"settings": settings, "inputs": []})


def _united_source(one: SourceIdentity, other: SourceIdentity) -> SourceIdentity:
    splits = dict.fromkeys([*one.settings.get("splits", []), *other.settings.get("splits", [])])
    inputs = [*one.inputs, *(item for item in other.inputs if item not in one.inputs)]
    settings = one.settings | {"splits": list(splits)}
    return one.model_copy(update={"settings": settings, "inputs": inputs})
