"""The functions for Python users: from a recipe to shards, and back to records.

Paths are local, or remote as `gs://` and `s3://` where the extra is installed.
"""

import os
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from pipelines.captions.manifest import with_captions
from pipelines.cli.arguments import folder, output_folder, processes
from pipelines.cli.build_recipe import sources_to_rebuild
from pipelines.output.records import read_records
from pipelines.plan import Plan
from pipelines.plan import make_plan as _make_plan
from pipelines.recipes.load import load_recipe as _load_recipe
from pipelines.recipes.load import make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.beam_flags import open_remote_files
from pipelines.runner.launch import LaunchOptions
from pipelines.runner.launch import launch as _launch
from pipelines.storage import files
from pipelines.verify import Report
from pipelines.verify import verify as _verify
from schemas.layout import MANIFEST
from schemas.manifest import Manifest

Path = str | os.PathLike[str]


def load_recipe(name_or_path: Path, *, recapd: Path | None = None, **overrides: Any) -> Recipe:
    """Return a recipe of the package, or one of your own from a YAML file.

    Args:
        name_or_path: the name of a recipe, or the path of a .yaml file; see `Recipe` for its keys.
        recapd: an output of `regionforge recap`, whose captions go with their regions.
        overrides: keys of the recipe with other values than it states, e.g. `limit=100`.

    Raises:
        UsageError: there is no such recipe, or a key or its value cannot be used.
    """
    name = os.fspath(name_or_path)
    recipe = make_recipe({**_load_recipe(name), **overrides}, name)
    if recapd is None:
        return recipe
    sources = with_captions(recipe.sources, files.join(_folder(recapd), MANIFEST))
    return recipe.model_copy(update={"sources": sources})


def make_plan(recipe: Recipe, data_root: Path, output: Path) -> Plan:
    """Return the plan of a build, whose input files were looked for; nothing is written.

    Args:
        recipe: the recipe, as `load_recipe` returns it.
        data_root: the folder of the owners' files.
        output: the folder to write shards into.

    Raises:
        UsageError: the recipe cannot be built, or files are missing; the message names them.
    """
    return _make_plan(recipe, _folder(data_root), output_folder(_folder(output)))


def launch(
    plan: Plan,
    *,
    workers: int = 1,
    rebuild: bool | Collection[str] = False,
    update: bool = False,
    runner: str = "local",
) -> Manifest:
    """Run a build to its end, or the rest of one that was interrupted, and return its manifest.

    Args:
        plan: the plan, as `make_plan` returns it.
        workers: the number of processes of a local run.
        rebuild: whether to replace what is in the output; names of sources: only theirs.
        update: whether to replace, of sources of which nothing but the owners' files has changed,
            only the shards that this touches.
        runner: the name of a runner of Beam.

    Raises:
        BuildError: the output holds another build, a worker died, an input could not be read,
            nothing was kept, or the ledger does not balance.
    """
    chosen = rebuild if isinstance(rebuild, bool) else sources_to_rebuild(rebuild, plan.recipe)
    options = LaunchOptions(
        runner=runner, workers=processes(workers), rebuild=chosen, update=update
    )
    return _launch(plan, options)


def verify(
    output: Path,
    *,
    workers: int = 1,
    image_root: Path | None = None,
    data_root: Path | None = None,
) -> Report:
    """Return the report on a finished output after reading all of it: `ok`, and `problems`.

    Args:
        output: the folder of the output.
        workers: the number of processes.
        image_root: the folder of referenced pictures, to check them too.
        data_root: the folder of the owners' files, to compare every picture with the owner's.

    Raises:
        NoOutputError: there is no output.
        VerifyError: it is not a finished one.
    """
    return _verify(
        _folder(output),
        workers=processes(workers),
        image_root=None if image_root is None else _folder(image_root),
        data_root=None if data_root is None else _folder(data_root),
    )


def read_shards(
    output: Path, config: str | None = None, split: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Return an iterator over the record batches of a finished output, in order, in `SCHEMA`.

    Args:
        output: the folder of the output.
        config: the name of a source, e.g. `coco`; None: all.
        split: the name of a split, e.g. `train`; None: all.

    Raises:
        InputFileError: there is no finished output, or a shard is damaged.
        UsageError: there is no such config or split; the message lists those there are.
    """
    return read_records(_folder(output), config, split)


def _folder(path: Path) -> str:
    open_remote_files(())
    return folder(os.fspath(path))
