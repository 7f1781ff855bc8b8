"""The check of a build's identity: the manifest, every row and the state must agree on it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.output.reader import read_identity
from pipelines.storage import files
from schemas.errors import OtherSchemaError
from schemas.layout import IDENTITY, MANIFEST
from schemas.manifest import BuildIdentity

Stamp = Mapping[str, Any]  # the part of a row's `provenance` that describes the build, by key


def stamp_of(identity: BuildIdentity, config: str) -> Stamp:
    """Return the provenance of a build that the rows of a config should hold, by key."""
    recipe, source = identity.recipe_of(config), identity.sources.get(config)
    builder = source.builder if source else identity.builder
    return {"builder": builder, "recipe": recipe["name"], "seed": recipe["seed"]}


def stamp_problems(provenance: Stamp, expected: Stamp) -> Iterator[str]:
    """Yield the keys of a row's provenance whose values differ from the manifest's."""
    for key, value in expected.items():
        if provenance[key] != value:
            yield f"provenance.{key} is {provenance[key]!r}, expected {value!r} as in the manifest"


def identity_problems(output: str, identity: BuildIdentity) -> Iterator[str]:
    """Yield the differences between the identity file, which reruns use, and the manifest."""
    if not files.exists(files.join(output, IDENTITY)):
        return
    try:
        there = read_identity(output)
    except OtherSchemaError as error:
        yield str(error).replace(f"{output}/", "")
        return
    if there is None:
        yield f"{IDENTITY}: cannot be read as what a build is made of"
        return
    parts, expected = _parts(there), _parts(identity)
    for name in sorted(parts.keys() | expected.keys()):
        if parts.get(name) != expected.get(name):
            yield f"{IDENTITY}: its {name} is not that of {MANIFEST}"


def _parts(identity: BuildIdentity) -> dict[str, Any]:
    """Return the parts of an identity by name, with each key of the recipe and of a source."""
    parts = identity.model_dump()
    trees = {"recipe": parts.pop("recipe"), **parts.pop("sources")}
    flat = {f"{name}.{key}": value for name, tree in trees.items() for key, value in tree.items()}
    return parts | flat
