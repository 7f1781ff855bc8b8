"""The files that are damaged: every source of the sample world, and of the real samples if any.

A target is a source in one of its releases, with a data root of its own. The root is a tree of
links into a whole one, in which one file at a time is replaced by a damaged copy.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import DatasetSpec, SourceRequest
from pipelines.plan import Plan, make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.sample_world.scene import World
from pipelines.sample_world.world import SOURCES, WRITERS

PICTURES = 24  # of COCO in the world; other data sets have nine
_PICTURE_ENDINGS = (".jpg", ".png", ".jpeg")
_FILES_OF_A_FOLDER = 12  # of folders with a file for each picture


def write_small_world(root: Path) -> None:
    """Draw the smallest world in which every split has a picture."""
    for write in WRITERS:
        write(root, World(seed=0, pictures=PICTURES), None)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A source in one release, to be damaged."""

    name: str  # e.g. "world coco 2017"
    request: SourceRequest
    whole: Path  # the data root with the whole files
    folder: Path  # where the root of links is made
    options: dict[str, Any] = field(default_factory=dict)  # of the recipe

    @property
    def spec(self) -> DatasetSpec:
        """The declaration of the source."""
        return CATALOG[self.request.name]

    @cached_property
    def root(self) -> Path:
        """The root of links."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _link(self.whole, self.folder)
        return self.folder

    def recipe(self, **changes: Any) -> Recipe:
        """Return the recipe of a build of this source."""
        options = {"evaluation": not self.spec.tasks, "allow_missing": True, "guard": False}
        return Recipe(sources=(self.request,), **{**options, **self.options, **changes})

    def plan(self, output: Path, **changes: Any) -> Plan:
        """Return the plan of a build of this source."""
        return make_plan(self.recipe(**changes), str(self.root), str(output))

    @cached_property
    def whole_plan(self) -> Plan:
        """The plan of the whole files."""
        return self.plan(self.folder / "unused")

    @cached_property
    def files(self) -> Sequence[Path]:
        """The annotation files, as paths below the root; those of a folder one by one."""
        paths: dict[Path, None] = {}
        for split in self.whole_plan.splits:
            for path in map(Path, split.files.values()):
                paths.update(dict.fromkeys(_below(path) if path.is_dir() else [path]))
            if self.request.name == "vcr":  # its boxes lie beside the pictures
                paths.update(dict.fromkeys(_below(Path(split.pictures))))
        return [path.relative_to(self.root) for path in paths]

    @cached_property
    def contents(self) -> dict[Path, bytes]:
        """The content of each whole file."""
        return {path: (self.whole / path).read_bytes() for path in self.files}

    @contextmanager
    def damaged(self, path: Path, content: bytes) -> Iterator[Path]:
        """Replace a file of the root for a while; yields its path."""
        file = self.root / path
        file.unlink()
        file.write_bytes(content)
        try:
            yield file
        finally:
            file.unlink(missing_ok=True)
            file.symlink_to(self.whole / path)


def _below(folder: Path) -> list[Path]:
    """Return the first files in a folder that are no pictures."""
    files = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    return sorted(file for file in files if file.suffix.lower() not in _PICTURE_ENDINGS)[
        :_FILES_OF_A_FOLDER
    ]


def _link(whole: Path, folder: Path) -> None:
    """Make a tree of folders with links to the files of another one, and to pictures' folders."""
    folder.mkdir(parents=True)
    for entry in sorted(whole.iterdir()):
        here = folder / entry.name
        if entry.is_dir() and not _holds_pictures_only(entry):
            _link(entry, here)
        else:
            here.symlink_to(entry.resolve())


def _holds_pictures_only(folder: Path) -> bool:
    names = (name for _, _, names in os.walk(folder) for name in names)
    return all(name.lower().endswith(_PICTURE_ENDINGS) for name in names)


def _requests(name: str) -> Iterator[tuple[str, SourceRequest]]:
    spec = CATALOG[name]
    for year in spec.years or (None,):
        for edition in spec.editions or (None,):
            label_set = SOURCES.get(name) if spec.classifies else None
            request = SourceRequest(name=name, year=year, edition=edition, label_set=label_set)
            yield " ".join(map(str, filter(None, (name, year, edition)))), request


def world_targets(world: Path, folder: Path) -> list[Target]:
    """Return every source of the world in each release, COCO also as a file of one's own."""
    targets = [
        Target(name=f"world {name}", request=request, whole=world, folder=folder / name)
        for source in SOURCES
        for name, request in _requests(source)
    ]
    root = folder / "own_file"
    annotations = f"{root}/coco/annotations/instances_val2017.json"
    own = SourceRequest(
        name="coco", annotations=annotations, images=f"{root}/coco/val2017", crowds="objects"
    )
    boxes = f"{folder}/detections/refcocog/detections.json"
    detected = SourceRequest(
        name="refcocog", paths={"detections": boxes}, detection_names="coco", splits=("val", "test")
    )
    return [
        *targets,
        Target(name="world own file", request=own, whole=world, folder=root),
        Target(
            name="world detections",
            request=detected,
            whole=world,
            folder=folder / "detections",
            options={"evaluation": True},
        ),
    ]
