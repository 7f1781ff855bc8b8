"""The recipes that come with the package: a training mix of a paper or an evaluation each."""

from pathlib import Path

FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """Return the names of those recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
