"""The boxes of one picture of Flickr30k Entities: an XML file much like Pascal VOC's.

    <annotation>
      <filename>36979.jpg</filename>
      <size> <width>500</width> <height>375</height> <depth>3</depth> </size>
      <object> <name>137644</name>
        <bndbox> <xmin>188</xmin> <ymin>50</ymin> <xmax>272</xmax> <ymax>170</ymax> </bndbox>
      </object>
      <object> <name>137650</name> <scene>0</scene> <nobndbox>1</nobndbox> </object>
    </annotation>

A name is the id of a chain: the phrases, over all sentences, that mean the same thing. An object
has one name or several; a chain has one box, several or none. Coordinates are whole pixels,
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

NOT_VISUAL = "0"  # the chain of every phrase that means nothing to be seen
SIDES = ("xmin", "ymin", "xmax", "ymax")

_PIXELS = re.compile(r"-?[0-9]{1,9}")

OwnerBox = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax; pixels, 1-based, inclusive


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """What one XML file says."""

    picture: str | None  # the file it is about
    size: tuple[int, int] | None  # of that picture, width and height in pixels; None: not told
    regions: tuple[SourceRegion, ...]  # from left to right
    chains: Mapping[str, tuple[str, ...]]  # a chain's regions by their ids, from left to right
    refused: tuple[Refused, ...]  # its other objects


NO_ANNOTATION = Annotation(picture=None, size=None, regions=(), chains={}, refused=())


def parse_annotation(content: bytes, image_id: str) -> Annotation:
    """Return what an XML file says of its picture; objects that cannot be used stand apart.

    A region's id is the picture's with the box as its owner wrote it, for objects have no id of
    their own. Objects with the very same box are one region, which has the chains of all; those
    after the first are refused as `duplicate`.

    Raises:
        Rejected: it is no XML, or more than plain elements (`unreadable_file`).
    """
    root = _root(content)
    boxes: dict[OwnerBox, list[tuple[str, ...]]] = {}
    refused: list[Refused] = []
    for place, found in enumerate(root.findall("object"), start=1):
        try:
            chains, box = _chains(found), _box(found)
        except Rejected as cause:
            refused.append((f"{image_id}/object {place}", cause))
            continue
        if box is None:
            refused.append((f"{image_id}/{'+'.join(chains)}", _boxless(found)))
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
        Rejected: it states none, or is about another picture (`malformed`).
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
    """Return the root of a document without a DOCTYPE, hence without entities that could grow."""
    try:
        text = content.decode("utf-8-sig")
        if "<!DOCTYPE" not in text:
            return ET.fromstring(text)  # noqa: S314 - it declares no entity
    except UnicodeDecodeError as error:
        raise Rejected(Reason.UNREADABLE_FILE, f"not UTF-8: {error}") from None
    except ET.ParseError as error:
        raise Rejected(Reason.UNREADABLE_FILE, f"not XML: {error}") from None
    raise Rejected(Reason.UNREADABLE_FILE, "holds a DOCTYPE, expected plain elements only")


def _chains(found: Element) -> tuple[str, ...]:
    chains = {(name.text or "").strip() for name in found.findall("name")}
    if not chains or "" in chains:
        raise Rejected(Reason.MALFORMED, "no name, expected one or more, each the id of a chain")
    return tuple(sorted(chains))


def _box(found: Element) -> OwnerBox | None:
    """Return the box of an object, or None where its owner says that it has none."""
    boxes = found.findall("bndbox")
    if not boxes and (found.find("scene") is not None or found.find("nobndbox") is not None):
        return None
    if len(boxes) != 1:
        raise Rejected(
            Reason.MALFORMED, f"{len(boxes)} bndbox, expected one, or scene and nobndbox instead"
        )
    xmin, ymin, xmax, ymax = (_pixels(boxes[0], side) for side in SIDES)
    return xmin, ymin, xmax, ymax


def _pixels(found: Element, name: str) -> int:
    text = (found.findtext(name) or "").strip()
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


def _xyxy(box: OwnerBox) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = box
    return xmin - 1.0, ymin - 1.0, float(xmax), float(ymax)


def _region_id(image_id: str, box: OwnerBox) -> str:
    return f"{image_id}/{','.join(map(str, box))}"


def _regions_of_chains(
    image_id: str, boxes: Mapping[OwnerBox, Sequence[tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for box in sorted(boxes):
        for chain in sorted(set().union(*boxes[box]) - {NOT_VISUAL}):
            found[chain] = (*found.get(chain, ()), _region_id(image_id, box))
    return found


def _boxless(found: Element) -> Rejected:
    flags = ", ".join(
        f"{name} {found.findtext(name, 'not given')}" for name in ("scene", "nobndbox")
    )
    return Rejected(Reason.NO_REGIONS, f"has no box, as its owner says: {flags}"[:200])


def _repeated(box: OwnerBox, chains: Sequence[str]) -> Rejected:
    return Rejected(
        Reason.DUPLICATE, f"chains {', '.join(chains)}: another object has the same box {box}"
    )
