"""The recipes of the package, each a training mix of a paper or an evaluation."""

from pathlib import Path

FOLDER = Path(__file__).parent


def recipe_names() -> list[str]:
    """Return the names of the package's recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
