"""RefCOCO, RefCOCO+ and RefCOCOg: sentences that each refer to one object of a COCO picture.

    refcoco/refs(unc).p     refcoco+/refs(unc).p     refcocog/refs(umd).p      the sentences
    refcoco/instances.json  refcoco+/instances.json  refcocog/instances.json   the boxes

The pickles hold the refs of all splits (`pickled`). A file of the name refs(google).p has
other splits, by object and not by picture, so that its test pictures occur in training:
it is read only if the user names it. Instead of the owners' files a user can give a flat JSON
file for each split (`flat`). Pictures are COCO's, of either release, found by number.
In evaluations sentences are matched with a detector's boxes (`candidates`).

RefCOCO's sentences may say where an object lies; RefCOCO+'s never do; RefCOCOg's are longer.
Format: https://github.com/lichengunc/refer
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.datasets.coco.detections import detection_files, read_names
from pipelines.datasets.coco.pictures import COCO_PAPER, FOLDERS
from pipelines.datasets.coco.records import decode_outline
from pipelines.datasets.common.packed import Opening, readers
from pipelines.datasets.common.picture_names import coco_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.refcoco.described import Described
from pipelines.datasets.refcoco.flat import open_flat
from pipelines.datasets.refcoco.pickled import open_pickle
from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest
from schemas.errors import UsageError
from schemas.sample import Task
from schemas.source import SplitInput, Store
from schemas.style import Style

_LICENCE = "not stated"
_REFCOCO_PAPERS = (
    "Licheng Yu, Patrick Poirson, Shan Yang, Alexander C. Berg, Tamara L. Berg. Modeling Context "
    "in Referring Expressions. ECCV 2016.",
    "Sahar Kazemzadeh, Vicente Ordonez, Mark Matten, Tamara Berg. ReferItGame: Referring to "
    "Objects in Photographs of Natural Scenes. EMNLP 2014.",
    COCO_PAPER,
)
_REFCOCOG_PAPERS = (
    "Junhua Mao, Jonathan Huang, Alexander Toshev, Oana Camburu, Alan L. Yuille, Kevin Murphy. "
    "Generation and Comprehension of Unambiguous Object Descriptions. CVPR 2016.",
    "Varun K. Nagaraja, Vlad I. Morariu, Larry S. Davis. Modeling Context Between Objects for "
    "Referring Expression Understanding. ECCV 2016.",
    COCO_PAPER,
)
_UNC = ("train", "val", "testA", "testB")  # in testA people, in testB anything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The description of one of the three data sets."""

    title: str
    folder: str
    split_by: Mapping[str, tuple[str, ...]]  # splits by their maker; the default first
    papers: tuple[str, ...]
    task_definition: str | None  # as in `DatasetSpec`

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the default splits."""
        return next(iter(self.split_by.values()))

    def splits_of(self, refs: str) -> tuple[str, ...]:
        """Return the splits in a file of refs, from the file's name, e.g. `refs(google).p`."""
        name = refs.rsplit("/", 1)[-1]
        matches = [splits for owner, splits in self.split_by.items() if f"({owner})" in name]
        return matches[0] if matches else self.splits


EDITIONS = {
    "refcoco": Edition(
        title="RefCOCO",
        folder="refcoco",
        split_by={"unc": _UNC, "google": ("train", "val", "test")},
        papers=_REFCOCO_PAPERS,
        task_definition="referring_task",
    ),
    "refcoco_plus": Edition(
        title="RefCOCO+",
        folder="refcoco+",
        split_by={"unc": _UNC},
        papers=_REFCOCO_PAPERS,
        task_definition="referring_task_no_position",
    ),
    "refcocog": Edition(
        title="RefCOCOg",
        folder="refcocog",
        split_by={"umd": ("train", "val", "test"), "google": ("train", "val")},
        papers=_REFCOCOG_PAPERS,
        task_definition=None,
    ),
}


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `refs`, `instances`, `images`, or a split's name.

    A path with a split's name as role is a flat file; then only such splits are read. Detections
    have further roles (`detection_files`).
    """
    edition, paths = EDITIONS[request.name], request.paths
    flat = tuple(dict.fromkeys(split for splits in edition.split_by.values() for split in splits))
    if paths.keys() & set(flat):
        if paths.keys() & {"refs", "instances"}:
            raise UsageError(
                f"source {request.name!r}: give either refs and instances, or flat files of splits"
            )
        files = {split: {split: paths[split]} for split in flat if split in paths}
    else:
        folder = f"{root}/{edition.folder}"
        refs = paths.get("refs", f"{folder}/refs({next(iter(edition.split_by))}).p")
        instances = paths.get("instances", f"{folder}/instances.json")
        pair = {"refs": refs, "instances": instances}
        files = dict.fromkeys(edition.splits_of(refs), pair)
    detections = detection_files(root, request)
    return [
        Located(
            split=split,
            files={**split_files, **detections},
            pictures=paths.get("images", f"{root}/coco"),
            folder="" if "images" in paths else "coco",
            licence=_LICENCE,
            picture_folders=FOLDERS,
        )
        for split, split_files in files.items()
    ]


def _opening(split: SplitInput, store: Store) -> Opening[Described]:
    if split.split in split.files:
        return open_flat(split, store)
    splits = EDITIONS[split.source].splits_of(split.files["refs"])
    return open_pickle(split, store, splits)


parse, divide = readers(_opening)


def outline(split: SplitInput, store: Store) -> None:
    """Check the files that are quickly read; the pictures of a split are known only later.

    Raises:
        InputFileError: the file of the boxes, or of the names of detections, cannot be used.
    """
    if "detections" in split.files:
        read_names(split, store)
    if path := split.files.get("instances"):
        decode_outline(read_text(store, path), path)


def _spec(name: str) -> DatasetSpec:
    edition = EDITIONS[name]
    return DatasetSpec(
        name=name,
        title=edition.title,
        licence=_LICENCE,
        obtain=(
            f"https://github.com/lichengunc/refer: {edition.folder}.zip; and COCO's train2014 "
            "pictures, or those of 2017"
        ),
        splits=edition.splits,
        tasks={
            Style.REGIONGPT: (Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION),
            Style.GPT4ROI: (Task.REGION_CAPTION,),
        },
        boxes_per_image={Style.GPT4ROI: 15},
        evaluations=(Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION),
        locate=locate,
        parse=parse,
        divide=divide,
        outline=outline,
        picture_name=coco_picture,
        picture_owners=("coco",),
        papers=edition.papers,
        task_definition=edition.task_definition,
        version=2,
    )


SPECS = tuple(_spec(name) for name in EDITIONS)
