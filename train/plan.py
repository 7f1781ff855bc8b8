"""The plan of a run: the recipe with what the command line changes, the rows, and the start.

Nothing is written, and no weights are read: what a user can have got wrong is named here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from model.stages import STAGES
from schemas.errors import InputFileError, UsageError
from train.data.build import Build
from train.data.mix import JoinedRows, SomeRows
from train.data.rows import Rows, ShardRows
from train.layers import Recompute
from train.recipes import TrainRecipe
from train.start import Start

_DETAILED = "region_detailed_caption"
_WITH_RECAPD = "regiongpt_finetune"  # the build whose paper has detailed captions


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained on what, and where it goes."""

    recipe: TrainRecipe
    start: Start
    builds: tuple[Build, ...]
    rows: Rows
    output: Path
    device: torch.device
    split: str = "train"
    limit: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    image_root: Path | None = None
    micro_batch: int = 8
    workers: int = 0
    sharded: bool | None = None  # see `train.sharding.Layout`, as for the next three
    copy_per_host: bool = False
    recompute: Recompute | None = None
    compiled: bool | None = None
    max_steps: int | None = None
    checkpoint_every: int = 500
    keep: int = 2
    validate_every: int = 0  # 0: never
    validation: Rows | None = None
    spike: float = 5.0
    tracker: str | None = None


def open_builds(folders: Sequence[str]) -> tuple[Build, ...]:
    """Return the builds in some folders, each once.

    Raises:
        RegionForgeError: there is no finished build, of this schema version.
    """
    paths = [Path(folder) for folder in folders]
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("--shards names a folder twice: --weights CONFIG=2 brings rows twice")
    return tuple(Build.open(path) for path in paths)


def open_rows(builds: Sequence[Build], split: str, limit: int | None, seed: int) -> Rows:
    """Return the rows of a split of builds, or `limit` of them by hash.

    Raises:
        RegionForgeError: there is no such split, or a shard is missing or damaged.
    """
    parts: list[Rows] = [ShardRows(build, build.shards(split)) for build in builds]
    rows = parts[0] if len(parts) == 1 else JoinedRows(parts)
    if not len(rows):
        raise InputFileError(f"{builds[0].folder}: no rows in split {split!r}")
    return rows if limit is None or limit >= len(rows) else SomeRows(rows, limit, seed)


def check_weights(rows: Rows, weights: Mapping[str, float]) -> None:
    """Raise UsageError for the weight of a config that no row has."""
    known = sorted(set(rows.configs()))
    for config in weights:
        if config not in known:
            raise UsageError(f"--weights {config}=: no such config, but {', '.join(known)}")


def check_copies(recipe: TrainRecipe, device: torch.device, *, sharded: bool | None) -> None:
    """Raise UsageError for a copy per host of a model that by default does not lie in parts."""
    large = device.type == "cuda" and "language_model" in STAGES[recipe.stage].trained
    if sharded is None and not large:
        raise UsageError("--copy-per-host is for models in parts: give --sharded too, or leave it")


def check_captions(
    builds: Sequence[Build], recipe: TrainRecipe, split: str, *, waived: bool
) -> None:
    """Check that rows for a recipe have the detailed captions of RecapD.

    Args:
        builds: the builds of the rows.
        recipe: the recipe.
        split: the split of the rows.
        waived: whether `--no-recapd` does without them.

    Raises:
        InputFileError: they lack them.
        UsageError: `--no-recapd` is given where nothing is lacking.
    """
    in_vain = "--no-recapd changes nothing here: leave it out, as"
    if _WITH_RECAPD not in recipe.builds:
        if waived:
            raise UsageError(f"{in_vain} {recipe.name} is trained without detailed captions")
        return
    tasks = {
        task
        for build in builds
        for shard in build.manifest.shards
        if shard.split == split
        for task in shard.turns
    }
    if waived:
        if _DETAILED in tasks:
            raise UsageError(f"{in_vain} the shards have detailed captions, and they are used")
    elif _DETAILED not in tasks:
        raise InputFileError(
            f"{', '.join(str(build.folder) for build in builds)}: no detailed captions, which "
            f"{recipe.name} is trained on: build with --recapd DIR (of `regionforge recap`), or "
            "say --no-recapd"
        )


def device_named(name: str | None) -> torch.device:
    """Return a device; by default a GPU, where there is one.

    Raises:
        UsageError: there is no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name}: no such device, expected cpu or cuda") from None
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: expected cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: no GPU that torch can use here; expected cpu")
    return device


def data_digests(plan: Plan) -> list[dict[str, Any]]:
    """Return what the run's record says of each build."""
    return [
        {
            "folder": str(build.folder.resolve()),
            "recipe": build.manifest.identity.recipe.get("name"),
            "manifest_sha256": build.digest,
        }
        for build in plan.builds
    ]
