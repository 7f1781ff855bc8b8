"""The folders of the owners' pictures below a data root, for an output that was made of them."""

from collections.abc import Sequence

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from schemas.manifest import BuildIdentity


def owners_folders(root: str, identity: BuildIdentity, config: str, split: str) -> Sequence[str]:
    """Return the folders in which the pictures of a split may lie, the likeliest one first.

    The pictures of a user's own file lie in any folder, so the data root itself is the last one.
    """
    name = config if config in CATALOG else _captioned(identity, config)
    if name not in CATALOG:
        return (root,)
    settings = identity.sources[config].settings
    request = SourceRequest(
        name=name, year=settings.get("year"), edition=settings.get("edition")
    )  # they decide where the pictures lie
    located = CATALOG[name].locate(root, request)
    return (*(each.pictures for each in located if each.split == split), root)


def _captioned(identity: BuildIdentity, config: str) -> str:
    """Return the source whose regions a run of `recap` captioned."""
    return next((item.source for item in identity.sources[config].inputs), "")
