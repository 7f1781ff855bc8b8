"""The flag `--image-root`, for builds that refer to pictures instead of holding them."""

from pipelines.cli.arguments import existing_folder, folder
from pipelines.output.reader import read_manifest
from schemas.errors import UsageError


def image_root_of(named: str | None, output: str) -> str | None:
    """Return the folder of referenced pictures, or None where none is named.

    Args:
        named: the folder that the flag names, if it is given.
        output: the folder of a build.

    Raises:
        UsageError: the build holds its pictures itself.
    """
    if not named:
        return None
    if read_manifest(folder(output)).identity.recipe.get("images") != "reference":
        raise UsageError("--image-root: the shards hold the pictures themselves: leave it out")
    return existing_folder(named)
