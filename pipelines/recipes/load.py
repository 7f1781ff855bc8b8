"""Reading of recipe files in YAML, either the package's, in `recipes/`, or a user's."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.datasets.spec import SourceRequest
from pipelines.recipes import FOLDER, recipe_names
from pipelines.recipes.fault_words import Fault, Path, value_faults
from pipelines.recipes.paper import Paper, Report
from pipelines.recipes.recipe import Recipe
from pipelines.storage.yaml_file import read_yaml
from schemas.errors import UsageError
from schemas.near import near

_ENDS = (".yaml", ".yml")
# The expected forms of values, for messages about YAML of another form.
_SHAPES: dict[Path, str] = {
    ("sources",): "expected a list of one at least, each with a name",
    ("guard_paths",): "expected paths by data set and role",
}


def load_recipe(name: str) -> dict[str, Any]:
    """Return the fields of `Recipe` in a recipe file.

    Args:
        name: the name of a recipe of the package, or the path of a file in .yaml or .yml.

    Raises:
        UsageError: the recipe does not exist, or the file does not hold a recipe.
    """
    path = recipe_path(name)
    stated = read_yaml(path, "recipe")
    if not isinstance(stated, dict):
        raise UsageError(f"{path}: expected keys such as name, style and sources")
    return stated


def recipe_path(name: str) -> str:
    """Return the path of a recipe of the package by its name, or the path that is given."""
    if name.endswith(_ENDS):
        return name
    if name not in recipe_names():
        meant = near(name, recipe_names())
        raise UsageError(f"there is no recipe {name!r}; {meant} (or the path of a .yaml file)")
    return str(FOLDER / f"{name}.yaml")


def make_recipe(stated: Mapping[str, Any], name: str) -> Recipe:
    """Return a recipe with the given fields.

    Args:
        stated: the fields, as `load_recipe` returns them.
        name: the name of the recipe or the path of its file, for messages.

    Raises:
        UsageError: a field is unknown or a value is invalid; the message names the first one.
    """
    if faults := key_faults(stated):
        more = f"; validate names {len(faults) - 1} more" if len(faults) > 1 else ""
        raise UsageError(f"recipe {name}: {faults[0]}{more}")
    return Recipe.model_validate(stated)


def _without_shortened(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return errors without those of lists that are too short because an item has an error."""
    within = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
    return [each for each in errors if each["type"] != "too_short" or each["loc"] not in within]


def key_faults(stated: Mapping[str, Any]) -> list[Fault]:
    """Return what is wrong with the keys and values of a recipe, each by itself."""
    try:
        Recipe.model_validate(stated, context=[])
    except ValidationError as error:
        errors = _without_shortened(error.errors())
    else:
        return []
    strays = [each["loc"] for each in errors if each["type"] == "extra_forbidden"]
    others = [each for each in errors if each["type"] != "extra_forbidden"]
    return [Fault(path, _unknown_key(path)) for path in strays] + [
        fault if fault.path not in _SHAPES else Fault(fault.path, _SHAPES[fault.path])
        for fault in value_faults(others, stated)
    ]


def _unknown_key(path: Path) -> str:
    """Return what to say of a key that a recipe, or a part of it, does not have."""
    model: type[BaseModel] = Recipe
    if len(path) > 1:
        parts = {"sources": SourceRequest, "paper": Report if "reports" in path else Paper}
        model = parts[str(path[0])]
    known = near(str(path[-1]), model.model_fields)
    return f"there is no such key; {known.replace('expected one of', 'the keys are')}"


def load_wordings(path: str) -> dict[str, list[str]]:
    """Return the wordings in a YAML or JSON file, as lists by name of the set.

    An example of a file:

        region_caption_phrase:
          - What is in <region>?

    Raises:
        UsageError: the file cannot be read, or does not hold lists of wordings.
    """
    wordings = read_yaml(path, "wordings file")
    if not isinstance(wordings, dict) or not all(
        isinstance(lines, list) and all(isinstance(line, str) for line in lines)
        for lines in wordings.values()
    ):
        raise UsageError(f"{path}: expected names of wordings sets, each with a list of strings")
    return wordings
