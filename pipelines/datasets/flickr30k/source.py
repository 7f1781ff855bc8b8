"""Flickr30k Entities in its owners' files: sentences whose phrases refer to boxes in the picture.

    train.txt, val.txt, test.txt      one id of a picture a line
    Annotations/<id>.xml              its boxes, see `boxes`
    Sentences/<id>.txt                its five sentences, see `sentences`

The pictures, `<id>.jpg`, are a separate download. Ids of chains are not unique over pictures,
so phrases and boxes are joined within one picture. Every `object` counts as an annotation; objects
without a box are rejected as `no_regions`. A picture in several lists belongs to a held-out
list: test before val before train. Files of pictures that `--limit` leaves out are not opened.
Format: https://github.com/BryanPlummer/flickr30k_entities
"""

import re

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.packed import Opening, readers
from pipelines.datasets.common.picture_names import flickr_name
from pipelines.datasets.flickr30k.photos import Photo, open_photos
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.errors import InputFileError
from schemas.rejection import Reason, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import SplitInput, Store
from schemas.style import Style

_LICENCE = "Flickr terms; non-commercial research and education only"
_PAPERS = (
    "Bryan A. Plummer, Liwei Wang, Chris M. Cervantes, Juan C. Caicedo, Julia Hockenmaier, "
    "Svetlana Lazebnik. Flickr30k Entities: Collecting Region-to-Phrase Correspondences for Richer "
    "Image-to-Sentence Models. ICCV 2015.",
    "Peter Young, Alice Lai, Micah Hodosh, Julia Hockenmaier. From Image Descriptions to Visual "
    "Denotations: New Similarity Metrics for Semantic Inference over Event Descriptions. "
    "Transactions of the ACL, 2014.",
)
_FOLDER = "flickr30k_entities/flickr30k-images"

_HELD_OUT_FIRST = ("test", "val", "train")
_IMAGE_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles are `<split>`, annotations, sentences, images."""
    below = f"{root}/flickr30k_entities"
    paths = request.paths
    lists = {split: paths.get(split, f"{below}/{split}.txt") for split in _HELD_OUT_FIRST}
    return [
        Located(
            split=split,
            files={
                split: lists[split],
                "annotations": paths.get("annotations", f"{below}/Annotations"),
                "sentences": paths.get("sentences", f"{below}/Sentences"),
            },
            optional={other: lists[other] for other in _held_out_from(split)},
            pictures=paths.get("images", f"{root}/{_FOLDER}"),
            folder="" if "images" in paths else _FOLDER,
            licence=_LICENCE,
        )
        for split in SPEC.splits
    ]


def _open(split: SplitInput, store: Store) -> Opening[Photo]:
    image_ids, refused = _listed(split, store)
    return (yield from open_photos(split, store, image_ids, refused))


parse, divide = readers(_open)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of Flickr30k Entities.

    Raises:
        InputFileError: a list cannot be used.
    """
    image_ids, _ = _listed(split, store)
    return Outline(items=image_ids, names_of=lambda image_id: (f"{image_id}.jpg",))


def _held_out_from(split: str) -> tuple[str, ...]:
    """Return the splits that take precedence over a split for pictures that several lists name."""
    return _HELD_OUT_FIRST[: _HELD_OUT_FIRST.index(split)]


def _listed(split: SplitInput, store: Store) -> tuple[list[str], list[Refused]]:
    """Return the ids of a split's pictures in order, and the refused lines of its list."""
    taken: dict[str, str] = {}  # id to the name of its list
    for other in _held_out_from(split.split):
        if path := split.files.get(other):
            taken.update(dict.fromkeys(read_list(store, path), f"{other}.txt"))
    name = f"{split.split}.txt"
    image_ids, refused = [], []
    for line in read_list(store, split.file):
        if not _IMAGE_ID.fullmatch(line):
            detail = f"a line of {name} is {line[:200]!r}, expected the id of a picture"
            refused.append((line[:200], Rejected(Reason.IMAGE_UNSAFE_PATH, detail)))
        elif line in taken:
            detail = f"{line} stands in {taken[line]} already, expected it in one list, once"
            refused.append((line, Rejected(Reason.DUPLICATE_ID, detail)))
        else:
            taken[line] = name
            image_ids.append(line)
    return sorted(image_ids), refused


def read_list(store: Store, path: str) -> list[str]:
    """Return the ids of the pictures in a list.

    Raises:
        InputFileError: the list cannot be read, or is empty.
    """
    try:
        text = store.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_list(path, f"is not text: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise _no_list(path, "is empty")
    return lines


def _no_list(path: str, problem: str) -> InputFileError:
    return InputFileError(
        f"{path} {problem}. Expected the ids of a split's pictures, one a line. "
        f"Get it from {SPEC.obtain}."
    )


def _picture_name(image: ImageInfo) -> str:
    return flickr_name(image.image_id)


SPEC = DatasetSpec(
    name="flickr30k",
    title="Flickr30k Entities",
    licence=_LICENCE,
    obtain=(
        "https://github.com/BryanPlummer/flickr30k_entities (annotations.zip and the three lists); "
        "the pictures from https://shannon.cs.illinois.edu/DenotationGraph/"
    ),
    splits=("train", "val", "test"),
    tasks=dict.fromkeys(Style, (Task.MULTI_REGION_CAPTION,)),
    boxes_per_image={Style.GPT4ROI: 150},
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=_picture_name,
    picture_owners=("flickr",),
    papers=_PAPERS,
    task_definition=None,
)
