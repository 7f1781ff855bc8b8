"""A small data root of one data set, and all entries that its parser yields of it."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property

from pipelines.datasets.common.bins import read_bins
from pipelines.datasets.spec import DatasetSpec, SourceRequest
from pipelines.frames import Frames
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.ledger import Stage
from schemas.rejection import Rejected
from schemas.sample import ScreenedImage
from schemas.source import Entry, SourceImage, SplitFacts, SplitInput
from transforms.ledger import StageLedger
from transforms.screen import screen_image


class Split:
    """All entries of one split."""

    def __init__(self, spec: DatasetSpec, split: SplitInput) -> None:
        self.spec = spec
        self.split = split
        self.entries: list[Entry] = list(spec.parse(split, FileStore()))

    @property
    def name(self) -> str:
        """The name of the split."""
        return self.split.split

    @property
    def images(self) -> list[SourceImage]:
        """The images among the entries."""
        return [entry for entry in self.entries if isinstance(entry, SourceImage)]

    @property
    def facts(self) -> list[SplitFacts]:
        """The facts among the entries, of which there should be one."""
        return [entry for entry in self.entries if isinstance(entry, SplitFacts)]

    def screened(self) -> Iterator[ScreenedImage]:
        """Yield the images as a build screens them; without those that it rejects."""
        frames = Frames.of([self.split])
        for entry in self.images:
            ledger = StageLedger(Stage.SCREEN)
            with suppress(Rejected):
                yield screen_image(frames(entry, ledger), ledger)

    def divided(self, parts: int) -> Iterator[Entry]:
        """Yield the entries as so many workers read them; if one reads it all, as it does."""
        divide = self.spec.divide
        division = divide(self.split, FileStore(), parts, {}) if divide else None
        return iter(self.entries) if division is None else read_bins(division, FileStore())


class Fixture:
    """A small data root with a few records in each split of a data set, and their pictures."""

    def __init__(
        self,
        spec: DatasetSpec,
        root: str,
        *,
        year: int | None = None,
        label_set: str | None = None,
    ) -> None:
        """Prepare to read a data root.

        Args:
            spec: the declaration of the data set, which the catalog knows.
            root: the folder.
            year: the release, where there are several.
            label_set: the name of the set of categories, for data sets whose name it is not.
        """
        self.spec = spec
        self.root = root
        self.request = SourceRequest(name=spec.name, year=year, label_set=label_set)

    @cached_property
    def splits(self) -> list[Split]:
        """The splits that are there.

        Raises:
            RegionForgeError: files are missing or cannot be read.
        """
        return self.read()

    def read(self) -> list[Split]:
        """Return the splits, read anew."""
        evaluation = not any(self.spec.tasks.values())
        recipe = Recipe(sources=(self.request,), evaluation=evaluation, allow_missing=True)
        return [Split(self.spec, split) for split in make_plan(recipe, self.root, "unused").splits]
