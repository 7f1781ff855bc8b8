"""VCR's metadata, one file per picture: the picture's size and the boxes and masks of a detector.

{"boxes": [[10.25, 20.5, 110.75, 320.0, 0.98], ...],    x0, y0, x1, y1, score; pixels
 "segms": [[[[12, 21], [108, 24], ...]], ...],          polygons of x, y pairs; may be []
 "names": ["person", ...], "width": 1920, "height": 1040}
"""

import math
from typing import Annotated

import msgspec

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.vcr.questions import malformed
from schemas.limits import MIN_POLYGON_NUMBERS
from schemas.rejection import Rejected
from schemas.source import SourceRegion

_Number = float | None  # None where the file has NaN
_Polygon = list[tuple[float, float]]  # x, y; pixels


class Metadata(msgspec.Struct):
    """A whole file whose objects are still undecoded, so that a bad object affects no other."""

    boxes: list[msgspec.Raw]
    segms: list[msgspec.Raw]
    names: list[str]
    width: int  # pixels
    height: int  # pixels


_METADATA = msgspec.json.Decoder(Metadata)
_Score = Annotated[float, msgspec.Meta(ge=0, le=1)] | None
_BOX = msgspec.json.Decoder(tuple[_Number, _Number, _Number, _Number, _Score])
_POLYGONS = msgspec.json.Decoder(list[_Polygon])
_MALFORMED = b'"no polygons of x, y pairs"'


def read_metadata(content: bytes, name: str) -> Metadata:
    """Return the metadata in a file.

    Raises:
        Rejected: the file has another form, or its lists differ in length (`malformed`).
    """
    try:
        metadata = decode_json(_METADATA, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"{name}: {error}") from None
    lengths = len(metadata.boxes), len(metadata.segms), len(metadata.names)
    if len(set(lengths)) > 1:
        raise malformed(f"{name}: {lengths} boxes, segms and names, expected as many of each")
    return metadata


def regions(metadata: Metadata) -> tuple[list[SourceRegion], list[Refused]]:
    """Return the objects in order, with 0-based positions as ids, and the refused objects."""
    taken: list[SourceRegion] = []
    refused: list[Refused] = []
    for position in range(len(metadata.names)):
        try:
            taken.append(_region(metadata, position))
        except Rejected as cause:
            refused.append((str(position), cause))
    return taken, refused


def _region(metadata: Metadata, position: int) -> SourceRegion:
    try:
        x0, y0, x1, y1, score = decode_json(_BOX, metadata.boxes[position])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"a box of x0, y0, x1, y1 and score expected: {error}") from None
    return SourceRegion(
        region_id=str(position),
        bbox=(_number(x0), _number(y0), _number(x1), _number(y1)),
        category=metadata.names[position],
        score=score,
        segmentation=_segmentation(metadata.segms[position], metadata),
    )


def _number(metadata: _Number) -> float:
    return math.nan if metadata is None else metadata


def _segmentation(raw: msgspec.Raw, metadata: Metadata) -> bytes:
    """Return polygons of x, y pairs in the form of COCO's `segmentation`.

    Anything else than such polygons becomes a text that is no segmentation: the mask is malformed.
    Some of the detector's polygons have one or two corners; they cover no pixel and are dropped.
    Where all are dropped, the mask has no pixels, so that the screen counts it as an empty mask.
    """
    try:
        polygons = decode_json(_POLYGONS, raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _MALFORMED
    if not polygons:
        return b""
    flat = [[number for corner in polygon for number in corner] for polygon in polygons]
    whole = [polygon for polygon in flat if len(polygon) >= MIN_POLYGON_NUMBERS]
    blank = {
        "size": [metadata.height, metadata.width],
        "counts": [metadata.height * metadata.width],
    }
    return msgspec.json.encode(whole or blank)
