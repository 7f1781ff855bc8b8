"""The boxes of one picture of Flickr30k Entities, in an XML file similar to Pascal VOC's.

    <annotation>
      <filename>36979.jpg</filename>
      <size> <width>500</width> <height>375</height> <depth>3</depth> </size>
      <object> <name>137644</name>
        <bndbox> <xmin>188</xmin> <ymin>50</ymin> <xmax>272</xmax> <ymax>170</ymax> </bndbox>
      </object>
      <object> <name>137650</name> <scene>0</scene> <nobndbox>1</nobndbox> </object>
    </annotation>

A name is the id of a chain: all phrases of all sentences that mean the same thing. An object
has one or more names; a chain has any number of boxes. Coordinates are whole pixels,
1-based and inclusive. Format: https://github.com/BryanPlummer/flickr30k_entities
"""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import msgspec

from pipelines.datasets.common.entries import Refused
from schemas.rejection import Reason, Rejected
from schemas.source import SourceRegion

_NOT_VISUAL = "0"  # the chain of all phrases for invisible things
_SIDES = ("xmin", "ymin", "xmax", "ymax")

_PIXELS = re.compile(r"-?[0-9]{1,9}")

_OwnerBox = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax; pixels, 1-based, inclusive


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one XML file."""

    picture: str | None  # the file name of the picture
    size: tuple[int, int] | None  # width and height of the picture, pixels; None: not stated
    regions: tuple[SourceRegion, ...]  # from left to right
    chains: Mapping[str, tuple[str, ...]]  # ids of a chain's regions, from left to right
    refused: tuple[Refused, ...]  # the objects that cannot be used


NO_ANNOTATION = Annotation(picture=None, size=None, regions=(), chains={}, refused=())


def parse_annotation(content: bytes, image_id: str) -> Annotation:
    """Return the boxes and chains in an XML file, and the objects that cannot be used.

    A region's id is made of the picture's id and the box as written, because objects have no ids.
    Objects with exactly the same box become one region with the chains of all; the objects
    after the first one are refused as `duplicate`.

    Raises:
        Rejected: the content is no XML, or has a DOCTYPE (`unreadable_file`).
    """
    root = _root(content)
    boxes: dict[_OwnerBox, list[tuple[str, ...]]] = {}
    refused: list[Refused] = []
    for position, element in enumerate(root.findall("object"), start=1):
        try:
            chains, box = _chains(element), _box(element)
        except Rejected as cause:
            refused.append((f"{image_id}/object {position}", cause))
            continue
        if box is None:
            refused.append((f"{image_id}/{'+'.join(chains)}", _boxless(element)))
        else:
            boxes.setdefault(box, []).append(chains)
    for box, groups in boxes.items():
        again = sorted(groups)[1:]
        refused += [(_region_id(image_id, box), _repeated(box, chains)) for chains in again]
    return Annotation(
        picture=root.findtext("filename"),
        size=_size(root),
        regions=tuple(SourceRegion(_region_id(image_id, box), _xyxy(box)) for box in sorted(boxes)),
        chains=_regions_of_chains(image_id, boxes),
        refused=tuple(refused),
    )


def checked_size(annotation: Annotation, image_id: str) -> tuple[int, int]:
    """Return the width and height that an annotation states of a picture, in pixels.

    Raises:
        Rejected: the annotation states no size, or another picture (`malformed`).
    """
    picture = (annotation.picture or "").strip()
    if picture != f"{image_id}.jpg":
        raise Rejected(
            Reason.MALFORMED, f"filename is {picture[:200]!r}, expected {f'{image_id}.jpg'!r}"
        )
    if annotation.size is None:
        raise Rejected(Reason.MALFORMED, "size: expected width and height in whole pixels")
    return annotation.size


def _root(content: bytes) -> Element:
    """Return the root of a document; a DOCTYPE is refused, because its entities could grow."""
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" not in text:
            return ET.fromstring(text)  # noqa: S314 - it declares no entity
    except UnicodeDecodeError as error:
        raise Rejected(Reason.UNREADABLE_FILE, f"not UTF-8: {error}") from None
    except ET.ParseError as error:
        raise Rejected(Reason.UNREADABLE_FILE, f"not XML: {error}") from None
    raise Rejected(Reason.UNREADABLE_FILE, "holds a DOCTYPE, expected plain elements only")


def _chains(element: Element) -> tuple[str, ...]:
    chains = {(name.text or "").strip() for name in element.findall("name")}
    if not chains or "" in chains:
        raise Rejected(Reason.MALFORMED, "no name, expected one or more, each the id of a chain")
    return tuple(sorted(chains))


def _box(element: Element) -> _OwnerBox | None:
    """Return the box of an object, or None where the object is marked as having no box."""
    boxes = element.findall("bndbox")
    if not boxes and (element.find("scene") is not None or element.find("nobndbox") is not None):
        return None
    if len(boxes) != 1:
        raise Rejected(
            Reason.MALFORMED, f"{len(boxes)} bndbox, expected one, or scene and nobndbox instead"
        )
    xmin, ymin, xmax, ymax = (_pixels(boxes[0], side) for side in _SIDES)
    return xmin, ymin, xmax, ymax


def _pixels(element: Element, name: str) -> int:
    text = (element.findtext(name) or "").strip()
    if not _PIXELS.fullmatch(text):
        raise Rejected(
            Reason.MALFORMED, f"{name} is {text[:40]!r}, expected a whole number of pixels"
        )
    return int(text)


def _size(root: Element) -> tuple[int, int] | None:
    size = root.find("size")
    try:
        return None if size is None else (_pixels(size, "width"), _pixels(size, "height"))
    except Rejected:
        return None


def _xyxy(box: _OwnerBox) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = box
    return xmin - 1.0, ymin - 1.0, float(xmax), float(ymax)


def _region_id(image_id: str, box: _OwnerBox) -> str:
    return f"{image_id}/{','.join(map(str, box))}"


def _regions_of_chains(
    image_id: str, boxes: Mapping[_OwnerBox, Sequence[tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    regions: dict[str, tuple[str, ...]] = {}
    for box in sorted(boxes):
        for chain in sorted(set().union(*boxes[box]) - {_NOT_VISUAL}):
            regions[chain] = (*regions.get(chain, ()), _region_id(image_id, box))
    return regions


def _boxless(element: Element) -> Rejected:
    flags = ", ".join(
        f"{name} {element.findtext(name, 'not given')}" for name in ("scene", "nobndbox")
    )
    return Rejected(Reason.NO_REGIONS, f"has no box, as its owner says: {flags}"[:200])


def _repeated(box: _OwnerBox, chains: Sequence[str]) -> Rejected:
    return Rejected(
        Reason.DUPLICATE, f"chains {', '.join(chains)}: another object has the same box {box}"
    )
