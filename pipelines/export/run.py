"""The export of a build into a folder, which bears its name when all of it is there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipelines.card.card import front_matter
from pipelines.export.card import export_card
from pipelines.export.formats import FORMATS, Format
from pipelines.export.losses import UNUSABLE, Losses
from pipelines.export.parquet import SUFFIX as PARQUET_SUFFIX
from pipelines.export.part import Part, Tally
from pipelines.export.target import Target
from pipelines.output.reader import read_manifest
from pipelines.output.records import select_shards
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.layout import CARD, EXPORT, EXPORT_FILES, MANIFEST, SHARD_SUFFIX
from schemas.manifest import Manifest, Shard
from schemas.new_folder import new_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is exported of a build, and how."""

    format: str  # a key of `FORMATS`
    config: str | None = None  # None: all
    split: str | None = None  # None: all
    image_root: str | None = None  # the folder of pictures that a build by reference has not
    coordinates: str | None = None  # the form of boxes; None: the usual one


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export has written."""

    records: int
    files: int
    bytes: int
    losses: Losses


def export_build(
    output: str,
    folder: str,
    request: Request,
    on_progress: Callable[[int], None] = lambda records: None,
) -> Exported:
    """Write a build, or a part of it, in another format.

    Args:
        output: the folder of a finished build.
        folder: the folder of the export, which does not exist or is empty.
        request: what is exported, and how.
        on_progress: called with the number of records so far, now and then.

    Raises:
        UsageError: the request does not fit the format or the build, or the folder is taken.
        InputFileError: the build or one of its pictures cannot be read.
    """
    form = FORMATS[request.format]
    manifest = read_manifest(output)
    _check(request, form, manifest)
    shards = select_shards(
        manifest.model_copy(update={"shards": manifest.filled()}), request.config, request.split
    )
    losses = Losses(form.loses)
    tally = Tally(losses=losses, on_progress=on_progress)
    parts = _parts(output, shards, tally)
    with new_folder(folder) as partial:
        with (partial / EXPORT_FILES).open("xb") as listing:
            target = Target(
                folder=partial,
                listing=listing,
                lost=losses.numbers,
                image_root=request.image_root,
                coordinates=request.coordinates or next(iter(form.coordinates), ""),
            )
            for part in parts:
                form.write(part, target)
            form.finish(parts, target)
            build_card = files.FileStore().read(files.join(output, CARD)).decode()
            configs = _configs(manifest, shards) if request.format == "parquet" else []
            target.write(CARD, export_card(build_card, form, losses, configs))
        summary = _summary(request, manifest, output, tally, target)
        (partial / EXPORT).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return Exported(
        records=summary["records"], files=target.files, bytes=target.size, losses=losses
    )


def _check(request: Request, form: Format, manifest: Manifest) -> None:
    refers = manifest.identity.recipe.get("images") == "reference"
    if refers and not request.image_root and not form.refers:
        raise UsageError(
            "the build only refers to its pictures: name their folder by --image-root DIR"
        )
    if request.image_root and form.refers:
        raise UsageError(f"--image-root: {request.format} leaves pictures where they are")
    if request.coordinates and request.coordinates not in form.coordinates:
        takers = [name for name, other in FORMATS.items() if other.coordinates]
        raise UsageError(f"--coordinates goes with --format {' or '.join(takers)}")


def _parts(output: str, shards: Sequence[Shard], tally: Tally) -> list[Part]:
    grouped = groupby(shards, key=lambda shard: (shard.config, shard.split))
    return [
        Part(output=output, config=config, split=split, shards=tuple(group), tally=tally)
        for (config, split), group in grouped
    ]


def _configs(manifest: Manifest, shards: Sequence[Shard]) -> list[dict[str, Any]]:
    """Return the build's configs over the files of an export in Parquet."""
    chosen = manifest.model_copy(update={"shards": list(shards)})
    configs: list[dict[str, Any]] = front_matter(str(manifest.identity.recipe.get("name")), chosen)[
        "configs"
    ]
    for files_of_split in (item for config in configs for item in config["data_files"]):
        files_of_split["path"] = [
            path.removesuffix(SHARD_SUFFIX) + PARQUET_SUFFIX for path in files_of_split["path"]
        ]
    return configs


def _summary(
    request: Request, manifest: Manifest, output: str, tally: Tally, target: Target
) -> dict[str, Any]:
    """Return the content of `export.json`."""
    return {
        "format": request.format,
        "coordinates": target.coordinates or None,
        "config": request.config,
        "split": request.split,
        "builder": manifest.identity.builder,
        "recipe": manifest.identity.recipe.get("name"),
        "manifest_sha256": files.sha256_of(files.join(output, MANIFEST))[0],
        "records": tally.licences.total() - tally.losses.numbers[UNUSABLE],
        "licences": dict(sorted(tally.licences.items())),
        "lost": dict((+tally.losses.numbers).most_common()),
        "files": target.files,
        "bytes": target.size,
        "files_sha256": files.sha256_of(str(target.folder / EXPORT_FILES))[0],
    }
