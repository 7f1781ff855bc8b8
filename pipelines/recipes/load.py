"""Reading of recipe files in YAML, either the package's, in `recipes/`, or a user's."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipelines.datasets.spec import SourceRequest
from pipelines.recipes import FOLDER, recipe_names
from pipelines.recipes.recipe import Recipe
from pipelines.storage.yaml_file import read_yaml
from schemas.errors import UsageError

_ENDS = (".yaml", ".yml")
# The expected forms of values, for messages about YAML of another form.
_SHAPES = {
    "sources": "expected a list of one at least, each with a name",
    "guard_paths": "expected paths by data set and role",
}


def load_recipe(name: str) -> dict[str, Any]:
    """Return the fields of `Recipe` in a recipe file.

    Args:
        name: the name of a recipe of the package, or the path of a file in .yaml or .yml.

    Raises:
        UsageError: the recipe does not exist, or the file does not hold a recipe.
    """
    path = name if name.endswith(_ENDS) else str(FOLDER / f"{name}.yaml")
    if path != name and name not in recipe_names():
        known = ", ".join(recipe_names())
        raise UsageError(
            f"no recipe {name!r}; the recipes are: {known}; or give the path of a .yaml file"
        )
    stated = read_yaml(path, "recipe")
    if not isinstance(stated, dict):
        raise UsageError(f"{path}: expected keys such as name, style and sources")
    return stated


def make_recipe(stated: Mapping[str, Any], name: str) -> Recipe:
    """Return a recipe with the given fields.

    Args:
        stated: the fields, as `load_recipe` returns them.
        name: the name of the recipe or the path of its file, for messages.

    Raises:
        UsageError: a field is unknown or a value is invalid; the message names the first one.
    """
    try:
        return Recipe.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = _SHAPES.get(key, first["msg"])
        if first["type"] == "extra_forbidden":
            model = Recipe if len(first["loc"]) == 1 else SourceRequest
            reason = f"no such key; the keys are {', '.join(model.model_fields)}"
        raise UsageError(f"recipe {name}: {key}: {reason}") from None


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
