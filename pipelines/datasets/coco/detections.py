"""The boxes of a detector in the format of COCO's results, and the names of their categories.

    [{"image_id": 33471, "category_id": 6, "bbox": [x, y, width, height], "score": 0.98}, ...]

Boxes are in pixels of the stored picture. Category ids are numbers; their names are in a separate
file: one name per line, line n for category n, or JSON with `categories`, as in COCO's and LVIS'
files.
Format: https://cocodataset.org/#format-results
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Annotated

import msgspec

from pipelines.datasets.coco.categories import COCO_CATEGORIES, read_categories
from pipelines.datasets.common.content_ids import content_id
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import Raw, malformed
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import SourceRequest
from schemas.errors import InputFileError, UsageError
from schemas.geometry import xyxy
from schemas.rejection import Kind, Reason, Rejected
from schemas.source import Entry, SourceRegion, SplitInput, Store

_LVIS_NAMES = 1_203  # categories of LVIS v1
_MIN_SCORE = 0.3  # scores must exceed this value
_MIN_SIDE = 0.02  # share of the picture's width and height that a box must exceed
MAX_BOXES = 100  # the largest number of boxes of one picture
_MAX_UNSURE_BOXES = 10  # the number of boxes taken where none passes

Names = Mapping[int, str]


class _Detection(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height; pixels
    score: Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Link(msgspec.Struct, gc=False):
    image_id: int  # a detection has no other id


class _Category(msgspec.Struct, gc=False):
    category_id: int


class _NamesFile(msgspec.Struct):
    categories: list[Raw]


_FILE = msgspec.json.Decoder(list[Raw])
_DETECTION = msgspec.json.Decoder(_Detection)
_LINK = msgspec.json.Decoder(_Link)
_CATEGORY = msgspec.json.Decoder(_Category)
_NAMES_FILE = msgspec.json.Decoder(_NamesFile)


def detection_files(root: str, request: SourceRequest) -> dict[str, str]:
    """Return the files of a source's detections by role; empty where the request names no file.

    Raises:
        UsageError: the request does not name the categories of the detections.
    """
    paths = request.paths
    if "detections" not in paths:
        return {}
    files = {"detections": paths["detections"]}
    if "detection_names" in paths:
        return files | {"detection_names": paths["detection_names"]}
    if request.detection_names == "lvis":
        lvis = paths.get("lvis_names", f"{root}/lvis/lvis_v1_val.json")
        return files | {"lvis_names": lvis}
    if request.detection_names == "coco":
        return files
    raise UsageError(
        f"detections for {request.name!r} need --detection-names, which says what their "
        "categories are called: coco, lvis, or a file with a name per line"
    )


def read_detections(split: SplitInput, store: Store) -> tuple[list[Raw], Names]:
    """Return a split's detections, still undecoded, and the names of their categories.

    Raises:
        InputFileError: a file cannot be used, or a detection's category has no name.
    """
    path = split.files["detections"]
    content = read_text(store, path)
    try:
        items = decode_json(_FILE, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not a whole file of detections: {error}. Expected a "
            "JSON list of objects with image_id, category_id, bbox and score."
        ) from None
    names, where = read_names(split, store)
    for raw in items:
        category = _category(raw)
        if category is not None and category not in names:
            raise InputFileError(
                f"{path}: category_id {category} has no name among the {len(names)} of {where}. "
                "Names of another detector would be wrong for every box: see --detection-names."
            )
    return items, names


def image_number(raw: Raw) -> int:
    """Return the COCO number of a detection's picture.

    Raises:
        msgspec.DecodeError: the detection has no image id.
    """
    return decode_json(_LINK, raw).image_id


def distinct_detections(
    split: SplitInput, image_id: str, raws: Sequence[Raw], names: Names
) -> Generator[Entry, None, list[SourceRegion]]:
    """Yield rejections of an image's malformed or repeated detections; return the others."""
    regions: dict[str, SourceRegion] = {}
    for raw in raws:
        try:
            region = _region(raw, names)
            if region.region_id in regions:
                raise Rejected(Reason.DUPLICATE, "the same detection stands there once more")
            regions[region.region_id] = region
        except Rejected as cause:
            yield rejection(split, Kind.ANNOTATION, content_id(image_id, bytes(raw)), cause)
    return list(regions.values())


def surest(regions: Sequence[SourceRegion]) -> list[SourceRegion]:
    """Return detections in order of descending score, and of their ids where scores are equal."""
    return sorted(regions, key=lambda region: (-(region.score or 0), region.region_id))


def best_detections(regions: Sequence[SourceRegion], width: int, height: int) -> list[SourceRegion]:
    """Return the boxes to use of one image, in order of descending score.

    Args:
        regions: all regions of the image, each with a score.
        width: the width of the image, pixels.
        height: the height of the image, pixels.
    """
    ordered = surest(regions)
    passing = [region for region in ordered if _passes(region, width, height)]
    return (passing or ordered[:_MAX_UNSURE_BOXES])[:MAX_BOXES]


def _region(raw: Raw, names: Names) -> SourceRegion:
    """Return a detection as a region whose id is made of the category, box and score.

    Raises:
        Rejected: the detection is malformed (`malformed`).
    """
    try:
        detection = decode_json(_DETECTION, raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from None
    return SourceRegion(
        region_id=content_id(
            str(detection.category_id), f"{detection.bbox} {detection.score}".encode()
        ),
        bbox=xyxy(*detection.bbox),
        category=names[detection.category_id],
        score=detection.score,
    )


def _passes(region: SourceRegion, width: int, height: int) -> bool:
    x0, y0, x1, y1 = region.bbox
    score = region.score or 0
    return score > _MIN_SCORE and x1 - x0 > _MIN_SIDE * width and y1 - y0 > _MIN_SIDE * height


def _category(raw: Raw) -> int | None:
    try:
        return decode_json(_CATEGORY, raw).category_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # decoding the whole item will refuse it


def read_names(split: SplitInput, store: Store) -> tuple[Names, str]:
    """Return the names of the categories of a split's detections, and where the names stand.

    Raises:
        InputFileError: the file of the names cannot be used.
    """
    lvis = split.files.get("lvis_names")
    path = lvis or split.files.get("detection_names")
    if path is None:
        return COCO_CATEGORIES, "COCO's categories"
    content = read_text(store, path)
    is_json = content.lstrip()[:1] == b"{"
    names = _listed_categories(content, path) if is_json else _lines(content, path)
    if lvis and len(names) != _LVIS_NAMES:
        raise InputFileError(
            f"{path} names {len(names)} categories, LVIS v1 has {_LVIS_NAMES}. Where a name is "
            "lost or two run together, all that follow stand for other categories: fetch it again."
        )
    return names, path


def _listed_categories(content: bytes, path: str) -> Names:
    try:
        categories = read_categories(decode_json(_NAMES_FILE, content).categories)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path}: {error}. Expected an object with categories, as in COCO's or LVIS' own file, "
            "or a name per line."
        ) from None
    for item_id, cause in categories.refused:
        raise InputFileError(
            f"{path}: category {item_id}: {cause.detail}. Expected one id and one name of each; "
            "correct it, for a box must not get another's name."
        )
    return {number: name for number, name in categories.names.items() if isinstance(number, int)}


def _lines(content: bytes, path: str) -> Names:
    try:
        lines = content.decode("utf-8-sig").rstrip().split("\n")  # the only separator of names
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path}: {error}. Expected a name per line; save it as UTF-8."
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise InputFileError(
                f"{path}: line {number} is empty, expected the name of category {number}. Names "
                "are counted by their lines: fill it in, or take it away."
            )
    return {number: line.strip() for number, line in enumerate(lines, start=1)}
