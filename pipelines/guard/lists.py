"""Lists of the pictures that evaluations use, read from their owners' files.

    refcoco, refcoco_plus, refcocog    val and test, by unc and umd; google's splits share pictures
                                       with each other, and are no list
    coco_val2017                       the images of instances_val2017.json, else those in val2017
    visual_genome_test                 see `visual_genome.test_split`
    flickr30k                          val and test
    pope                               the pictures of its questions
    dlc_bench                          its pictures, of Objects365
    gar_bench                          the original pictures of vqa and simple, of COCO and
                                       Objects365; detailed does not name them, but they are of
                                       coco_val2017

The card names a file that is missing; a file that cannot be used is an error, because a guard that
silently protects nothing is worse than no guard.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.datasets.coco.source import locate as locate_coco
from pipelines.datasets.common.picture_names import (
    coco_file_name,
    coco_name,
    flickr_name,
    objects365_file_name,
    visual_genome_name,
)
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.dlc_bench.source import SPEC as DLC_BENCH
from pipelines.datasets.flickr30k.source import SPEC as FLICKR30K
from pipelines.datasets.flickr30k.source import read_list
from pipelines.datasets.gar_bench.records import SIMPLE, VQA, original_names
from pipelines.datasets.gar_bench.source import SPEC as GAR_BENCH
from pipelines.datasets.pope.source import SPEC as POPE
from pipelines.datasets.pope.source import asked_about
from pipelines.datasets.refcoco.flat import images_in
from pipelines.datasets.refcoco.refs import images_of
from pipelines.datasets.refcoco.source import EDITIONS
from pipelines.datasets.refcoco.source import locate as locate_refcoco
from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.visual_genome.source import locate as locate_visual_genome
from pipelines.datasets.visual_genome.test_split import TEST_IDS, TEST_LIST, test_ids
from pipelines.guard.names import Names, coco_val_names, file_names, visual_genome_names
from pipelines.storage import files
from schemas.errors import UsageError

_STORE = files.FileStore()


def is_training(split: str) -> bool:
    """Return whether a split is a training split: its name does not begin with val or test."""
    return not split.startswith(("val", "test"))


def _held_out(splits: Sequence[str]) -> tuple[str, ...]:
    return tuple(split for split in splits if not is_training(split))


# Roles of the files that lists are read from, by data set.
GUARDED: Mapping[str, tuple[str, ...]] = {
    **{name: (*_held_out(edition.splits), "refs") for name, edition in EDITIONS.items()},
    "coco": ("val",),
    "visual_genome": ("image_data", TEST_IDS),
    "flickr30k": _held_out(FLICKR30K.splits),
    "pope": POPE.splits,
    "dlc_bench": DLC_BENCH.splits,
    "gar_bench": (VQA, SIMPLE),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """The pictures of one list."""

    name: str
    pictures: frozenset[str]  # one name of each, e.g. "coco/139"
    note: str = ""  # how the list was made, where not from the usual file
    missing: str = ""  # the missing files of the list
    names: tuple[Names, ...] = ()  # all names of these pictures and of others in the same file


@dataclass(frozen=True, slots=True)
class DataRoot:
    """The folder that holds the lists' files, and the paths of files elsewhere."""

    root: str
    paths: Mapping[str, Mapping[str, str]]  # by data set and role

    def request(self, name: str, roles: Sequence[str] = ()) -> SourceRequest:
        """Return the request for a data set with the paths of its files that lie elsewhere.

        Args:
            name: the name of the data set.
            roles: the roles of the files that are read; none: all of `GUARDED`.

        Raises:
            UsageError: a file that lies elsewhere is missing.
        """
        given = self.paths.get(name, {})
        elsewhere = {role: given[role] for role in roles or GUARDED[name] if role in given}
        for role, path in elsewhere.items():
            if not files.exists(path):
                raise UsageError(f"--path {name}.{role}={path}: there is no such file")
        return SourceRequest(name=name, paths=elsewhere)

    def shown(self, path: str) -> str:
        """Return a path relative to the root, which must not appear in a build's output."""
        return path.removeprefix(f"{self.root}/")

    def sort_out(self, paths: Sequence[str]) -> tuple[list[str], str]:
        """Return the existing files, and a remark that names the missing files."""
        there = [path for path in paths if files.exists(path)]
        others = ", ".join(self.shown(path) for path in paths if path not in there)
        return there, f"no {others}" if others else ""


def read_lists(data_root: DataRoot) -> Iterator[Listed]:
    """Yield every list of evaluation pictures.

    Raises:
        InputFileError: a file cannot be used.
        UsageError: a file that the user named is missing.
    """
    for name in EDITIONS:
        yield _refcoco(name, data_root)
    yield _coco_val2017(data_root)
    yield _visual_genome_test(data_root)
    yield _flickr30k(data_root)
    yield _pope(data_root)
    yield _dlc_bench(data_root)
    yield _gar_bench(data_root)


def _refcoco(name: str, data_root: DataRoot) -> Listed:
    edition = EDITIONS[name]
    held_out = _held_out(edition.splits)
    flat = data_root.request(name, held_out).paths
    numbers = {
        number for path in flat.values() for number in images_in(read_text(_STORE, path), path)
    }
    missing = ""
    if others := [split for split in held_out if split not in flat]:
        request = data_root.request(name, ["refs"])
        if edition.splits_of(request.paths.get("refs", "")) != edition.splits:  # google's
            request = SourceRequest(name=name)
        path = locate_refcoco(data_root.root, request)[0].files["refs"]
        by_split = images_of(_STORE.read(path), path, others) if files.exists(path) else {}
        lacking = [split for split in others if not by_split.get(split)]
        missing = f"no {', '.join(lacking)} in {data_root.shown(path)}" if lacking else ""
        numbers = numbers.union(*by_split.values())
    return Listed(name, _coco(numbers), missing=missing)


def _coco_val2017(data_root: DataRoot) -> Listed:
    name = "coco_val2017"
    request = data_root.request("coco")
    located = locate_coco(data_root.root, request)
    split = next(split for split in located if split.split == "val")
    path, folder = split.files["val"], split.pictures
    if files.exists(path):
        names = coco_val_names(read_text(_STORE, path), path)
        missing = "" if names else f"no images in {data_root.shown(path)}"
        return Listed(name, frozenset(first for first, *_ in names), "", missing, tuple(names))
    listing = _STORE.sizes(folder) if files.exists(folder) else ()
    pictures = frozenset(filter(None, map(coco_file_name, listing)))
    lacking = f"no {data_root.shown(path)}"
    if not pictures:
        lacking += f", and no pictures in {data_root.shown(folder)}"
        return Listed(name, pictures, missing=lacking)
    return Listed(name, pictures, note=f"the pictures in {data_root.shown(folder)}: {lacking}")


def _visual_genome_test(data_root: DataRoot) -> Listed:
    request = data_root.request("visual_genome")
    data = locate_visual_genome(data_root.root, request)[0].files["image_data"]
    path = request.paths.get(TEST_IDS, f"{data_root.root}/visual_genome/{TEST_LIST}")
    names = visual_genome_names(read_text(_STORE, data), data) if files.exists(data) else {}
    listed = read_text(_STORE, path) if files.exists(path) else None
    ids = test_ids(names, listed, path)
    note, lacking = "", []
    if not names:  # then its pictures are not recognised in other data sets, either
        lacking.append(f"no images in {data_root.shown(data)}")
    if listed is None and ids:
        note = f"{len(ids):,} images by hash: no {data_root.shown(path)}"
    elif listed is None:
        lacking.append(f"no {data_root.shown(path)}")
    known = [*names.values(), *(_usual(image_id) for image_id in ids if image_id not in names)]
    pictures = frozenset(map(visual_genome_name, ids))
    missing = ", and ".join(lacking)
    return Listed("visual_genome_test", pictures, note, missing, tuple(known))


def _usual(image_id: ItemId) -> Names:
    """Return the names of a picture of Visual Genome of which only the id is known."""
    return visual_genome_name(image_id), visual_genome_name(f"{image_id}.jpg")


def _flickr30k(data_root: DataRoot) -> Listed:
    located = FLICKR30K.locate(data_root.root, data_root.request("flickr30k"))
    paths = [split.file for split in located if not is_training(split.split)]
    there, missing = data_root.sort_out(paths)
    lines = (line for path in there for line in read_list(_STORE, path))
    return Listed("flickr30k", frozenset(map(flickr_name, lines)), missing=missing)


def _pope(data_root: DataRoot) -> Listed:
    located = POPE.locate(data_root.root, data_root.request("pope"))
    there, missing = data_root.sort_out([split.file for split in located])
    numbers = {number for path in there for number in asked_about(read_text(_STORE, path), path)}
    return Listed("pope", _coco(numbers), missing=missing)


def _dlc_bench(data_root: DataRoot) -> Listed:
    (located,) = DLC_BENCH.locate(data_root.root, data_root.request("dlc_bench"))
    there, missing = data_root.sort_out([located.file])
    names = {name for path in there for name in file_names(read_text(_STORE, path), path)}
    pictures = frozenset(filter(None, map(objects365_file_name, names)))
    return Listed("dlc_bench", pictures, missing=missing)


def _gar_bench(data_root: DataRoot) -> Listed:
    located = GAR_BENCH.locate(data_root.root, data_root.request("gar_bench"))
    named = [split.file for split in located if split.split in GUARDED["gar_bench"]]
    there, missing = data_root.sort_out(named)
    names = {name for path in there for name in original_names(read_text(_STORE, path), path)}
    pictures = {coco_file_name(name) or objects365_file_name(name) for name in names}
    note = "without those of detailed, which it does not name; they are of coco_val2017"
    return Listed("gar_bench", frozenset(filter(None, pictures)), note if there else "", missing)


def _coco(numbers: Iterable[int]) -> frozenset[str]:
    return frozenset(map(coco_name, numbers))
