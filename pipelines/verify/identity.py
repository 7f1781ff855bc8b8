"""Verify what a build says of itself: the manifest, every row and `_state/` must tell the same."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.output.reader import read_identity
from pipelines.storage import files
from schemas.layout import IDENTITY, MANIFEST
from schemas.manifest import BuildIdentity

Stamp = Mapping[str, Any]  # what every row says of the build, by its key in `provenance`


def stamp_of(identity: BuildIdentity) -> Stamp:
    """Return what the rows of a build should say of it."""
    recipe = identity.recipe
    return {"builder": identity.builder, "recipe": recipe.get("name"), "seed": recipe.get("seed")}


def stamp_problems(provenance: Stamp, expected: Stamp) -> Iterator[str]:
    """Yield where a row says something else of the build than the manifest."""
    for key, value in expected.items():
        if provenance[key] != value:
            yield f"provenance.{key} is {provenance[key]!r}, expected {value!r} as in the manifest"


def identity_problems(output: str, identity: BuildIdentity) -> Iterator[str]:
    """Yield what the build that a rerun would go on with has unlike the manifest."""
    if not files.exists(files.join(output, IDENTITY)):
        return
    if (there := read_identity(output)) is None:
        yield f"{IDENTITY}: cannot be read as what a build is made of"
        return
    found, expected = _parts(there), _parts(identity)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            yield f"{IDENTITY}: its {name} is not that of {MANIFEST}"


def _parts(identity: BuildIdentity) -> dict[str, Any]:
    """Return all that makes a build, with each key of the recipe apart."""
    parts = identity.model_dump()
    recipe = parts.pop("recipe")
    return parts | {f"recipe.{key}": value for key, value in recipe.items()}
