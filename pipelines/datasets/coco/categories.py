"""The category names that a file in COCO's layout declares, and COCO's own category names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipelines.datasets.coco.lenient import read_item
from pipelines.datasets.coco.records import IDENTIFIED, NAME
from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.errors import InputFileError
from schemas.rejection import Reason, Rejected
from schemas.text import shown_name

COCO_LABEL_SET = "COCO-80"

# fmt: off
COCO_NAMES = (  # in the order of their ids
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack",
    "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball",
    "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket",
    "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair",
    "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote",
    "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)
# fmt: on
_UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
_COCO_IDS = [number for number in range(1, 91) if number not in _UNUSED_IDS]
COCO_CATEGORIES: Mapping[int, str] = dict(zip(_COCO_IDS, COCO_NAMES, strict=True))  # by id


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The names of a file's categories by id, in order of ids, and the unusable items and ids."""

    names: dict[ItemId, str]  # the owner's spelling
    unusable: dict[ItemId, Rejected]
    refused: list[Refused]

    @property
    def distinct(self) -> tuple[str, ...]:
        """The names, each once: several ids may have the same name."""
        return tuple(dict.fromkeys(self.names.values()))

    def name_of(self, category_id: ItemId) -> str:
        """Return a category's name, or raise `Rejected` with the reason why it has no name."""
        name = self.names.get(category_id) or self.names.get(category_id := as_number(category_id))
        if name is not None:
            return name
        if category_id in self.names.values():
            raise Rejected(
                Reason.MALFORMED,
                f"category_id {category_id!r} is the name of a category, expected its id",
            )
        raise self.unusable.get(
            category_id,
            Rejected(
                Reason.UNKNOWN_CATEGORY, f"category_id {category_id} is not among the categories"
            ),
        )


def read_categories(items: Sequence[Raw]) -> Categories:
    """Return the categories of a file.

    An id that is declared again with the same name is a duplicate. With another name, neither
    name can be trusted, so annotations that use the id are rejected.
    """
    declared: dict[ItemId, set[str]] = {}
    refused: list[Refused] = []
    repeats: list[ItemId] = []
    broken: dict[ItemId, Rejected] = {}
    for position, raw in enumerate(items):
        try:
            category = read_item(raw, NAME)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((f"categories[{position}]", malformed(error)))
            broken |= _broken(raw, error)
            continue
        if category.id in declared:
            repeats.append(category.id)
        declared.setdefault(category.id, set()).add(category.name)
    unusable = {item_id: cause for item_id, names in declared.items() if (cause := _fault(names))}
    refused += [(str(item_id), cause) for item_id, cause in unusable.items()]
    refused += [
        (
            str(item_id),
            unusable.get(item_id)
            or Rejected(Reason.DUPLICATE_ID, f"id {item_id} stands more than once in categories"),
        )
        for item_id in repeats
    ]
    ordered = sorted(declared.keys() - unusable.keys(), key=_id_order)
    return Categories(
        names={item_id: declared[item_id].copy().pop() for item_id in ordered},
        unusable=broken | unusable,
        refused=refused,
    )


def own_labels(number: int) -> str:
    """Return the usual name of a set of a user's own category names: "Custom-12"."""
    return f"Custom-{number}"


def check_usable(path: str, categories: Categories) -> None:
    """Raise `InputFileError` where a file declares categories, and none can be used."""
    if categories.names or not categories.refused:
        return
    item_id, cause = categories.refused[0]
    raise InputFileError(
        f"{path}: none of its {len(categories.refused)} categories can be used, e.g. {item_id}: "
        f'{cause.detail}. Expected {{"id": 1, "name": "box"}}, with the name as text.'
    )


def _broken(raw: Raw, error: Exception) -> dict[ItemId, Rejected]:
    """Return the fault of a malformed category by its id, if that can be read."""
    try:
        item_id = read_item(raw, IDENTIFIED).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {item_id: Rejected(Reason.MALFORMED, f"its category {item_id} is malformed: {error}")}


def _fault(names: set[str]) -> Rejected | None:
    if len(names) > 1:
        listed = ", ".join(repr(name[:40]) for name in sorted(names))
        return Rejected(Reason.AMBIGUOUS_CATEGORY, f"one category id is declared as {listed}")
    try:
        shown_name(next(iter(names)))
    except Rejected as cause:
        return cause
    return None


def _id_order(item_id: ItemId) -> tuple[bool, int, str]:
    return isinstance(item_id, str), item_id if isinstance(item_id, int) else 0, str(item_id)


def name_them(source: str, number: int) -> str:
    """Return what to do about categories that are not the owner's: how a user names them."""
    name = own_labels(number)
    return (
        f"If that is meant so, name them with --label-set {name}, beside other sources with "
        f"--label-set {source}={name}, or by another name."
    )
