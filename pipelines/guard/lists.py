"""The pictures that evaluations are done on, out of their owners' files.

    refcoco, refcoco_plus, refcocog    val and test, by unc and umd; google's splits share pictures
                                       with each other, and are no list
    coco_val2017                       the images of instances_val2017.json, else those in val2017
    visual_genome_test                 see `visual_genome_split`
    flickr30k                          val and test
    pope                               what its questions are about

A file that is not there is named; one that is there and cannot be used is an error, for a guard
that guards nothing in silence is worse than none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.datasets.coco import source as coco
from pipelines.datasets.common.picture_names import (
    coco_file_name,
    coco_name,
    flickr_name,
    visual_genome_name,
)
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.flickr30k import source as flickr30k
from pipelines.datasets.pope import source as pope
from pipelines.datasets.refcoco import source as refcoco
from pipelines.datasets.refcoco.flat import images_in
from pipelines.datasets.refcoco.refs import images_of
from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.visual_genome import source as visual_genome
from pipelines.datasets.visual_genome.test_split import TEST_IDS, TEST_LIST, test_ids
from pipelines.guard.names import Names, coco_val_names, visual_genome_names
from pipelines.storage import files
from schemas.errors import UsageError

STORE = files.FileStore()


def is_training(split: str) -> bool:
    """Tell whether a split is to train on: one that does not begin with val or test."""
    return not split.startswith(("val", "test"))


def _held_out(splits: Sequence[str]) -> tuple[str, ...]:
    return tuple(split for split in splits if not is_training(split))


GUARDED: Mapping[str, tuple[str, ...]] = {  # data sets that lists are made of, and by what roles
    **{name: (*_held_out(of.splits), "refs") for name, of in refcoco.EDITIONS.items()},
    "coco": ("val",),
    "visual_genome": ("image_data", TEST_IDS),
    "flickr30k": _held_out(flickr30k.SPEC.splits),
    "pope": pope.SPEC.splits,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """The pictures of one list."""

    name: str
    pictures: frozenset[str]  # one name of each
    note: str = ""  # what a person should know of how the list came about
    missing: str = ""  # what of it is not there
    names: tuple[Names, ...] = ()  # of these pictures and of others, as far as known beside it


@dataclass(frozen=True, slots=True)
class Places:
    """Where lists lie."""

    root: str
    paths: Mapping[str, Mapping[str, str]]  # by data set and role, where not at the usual place

    def request(self, name: str, roles: Sequence[str] = ()) -> SourceRequest:
        """Ask for a data set at its usual place, but for files that lie elsewhere.

        Args:
            name: of the data set.
            roles: of files of interest; none: all that lists are made of.

        Raises:
            UsageError: such a file is not there.
        """
        given = self.paths.get(name, {})
        own = {role: given[role] for role in roles or GUARDED[name] if role in given}
        for role, path in own.items():
            if not files.exists(path):
                raise UsageError(f"--path {name}.{role}={path}: there is no such file")
        return SourceRequest(name=name, paths=own)

    def shown(self, path: str) -> str:
        """Return a path without the root, which must not get into what is written."""
        return path.removeprefix(f"{self.root}/")

    def sort_out(self, paths: Sequence[str]) -> tuple[list[str], str]:
        """Return the files that are there, and what to say of the others."""
        there = [path for path in paths if files.exists(path)]
        others = ", ".join(self.shown(path) for path in paths if path not in there)
        return there, f"no {others}" if others else ""


def read_lists(places: Places) -> Iterator[Listed]:
    """Yield every list there is to be.

    Raises:
        InputFileError: a file is there and cannot be used.
        UsageError: a file that the user named is not there.
    """
    for name in refcoco.EDITIONS:
        yield _refcoco(name, places)
    yield _coco_val2017(places)
    yield _visual_genome_test(places)
    yield _flickr30k(places)
    yield _pope(places)


def _refcoco(name: str, places: Places) -> Listed:
    edition = refcoco.EDITIONS[name]
    held_out = _held_out(edition.splits)
    flat = places.request(name, held_out).paths
    numbers = {number for path in flat.values() for number in images_in(STORE.read(path), path)}
    missing = ""
    if others := [split for split in held_out if split not in flat]:
        request = places.request(name, ["refs"])
        if edition.splits_of(request.paths.get("refs", "")) != edition.splits:  # google's
            request = SourceRequest(name=name)
        path = refcoco.locate(places.root, request)[0].files["refs"]
        found = images_of(STORE.read(path), path, others) if files.exists(path) else {}
        lacking = [split for split in others if not found.get(split)]
        missing = f"no {', '.join(lacking)} in {places.shown(path)}" if lacking else ""
        numbers = numbers.union(*found.values())
    return Listed(name, _coco(numbers), missing=missing)


def _coco_val2017(places: Places) -> Listed:
    name = "coco_val2017"
    request = places.request("coco")
    (split,) = (one for one in coco.locate(places.root, request) if one.split == "val")
    path, folder = split.files["val"], split.pictures
    if files.exists(path):
        names = coco_val_names(STORE.read(path), path)
        missing = "" if names else f"no images in {places.shown(path)}"
        return Listed(name, frozenset(own for own, *_ in names), "", missing, tuple(names))
    listing = STORE.sizes(folder) if files.exists(folder) else ()
    pictures = frozenset(filter(None, map(coco_file_name, listing)))
    lacking = f"no {places.shown(path)}"
    if not pictures:
        lacking += f", and no pictures in {places.shown(folder)}"
        return Listed(name, pictures, missing=lacking)
    return Listed(name, pictures, note=f"the pictures in {places.shown(folder)}: {lacking}")


def _visual_genome_test(places: Places) -> Listed:
    request = places.request("visual_genome")
    data = visual_genome.locate(places.root, request)[0].files["image_data"]
    path = request.paths.get(TEST_IDS, f"{places.root}/visual_genome/{TEST_LIST}")
    names = visual_genome_names(STORE.read(data), data) if files.exists(data) else {}
    listed = STORE.read(path) if files.exists(path) else None
    ids = test_ids(names, listed, path)
    note = missing = ""
    if not names:  # then its pictures are not found in other data sets, either
        missing = f"no images in {places.shown(data)}"
    if listed is None:
        lacking = f"no {places.shown(path)}"
        note = f"{len(ids):,} images by hash: {lacking}" if ids else ""
        missing += "" if ids else f", and {lacking}"
    known = [*names.values(), *(_usual(image_id) for image_id in ids if image_id not in names)]
    pictures = frozenset(map(visual_genome_name, ids))
    return Listed("visual_genome_test", pictures, note, missing, tuple(known))


def _usual(image_id: ItemId) -> Names:
    """Return the names of a picture of Visual Genome of which nothing but the id is known."""
    return visual_genome_name(image_id), visual_genome_name(f"{image_id}.jpg")


def _flickr30k(places: Places) -> Listed:
    located = flickr30k.locate(places.root, places.request("flickr30k"))
    paths = [split.files[split.split] for split in located if not is_training(split.split)]
    there, missing = places.sort_out(paths)
    lines = (line for path in there for line in flickr30k.read_list(STORE, path))
    return Listed("flickr30k", frozenset(map(flickr_name, lines)), missing=missing)


def _pope(places: Places) -> Listed:
    located = pope.locate(places.root, places.request("pope"))
    there, missing = places.sort_out([split.files[split.split] for split in located])
    numbers = {number for path in there for number in pope.asked_about(STORE.read(path), path)}
    return Listed("pope", _coco(numbers), missing=missing)


def _coco(numbers: Iterable[int]) -> frozenset[str]:
    return frozenset(map(coco_name, numbers))
