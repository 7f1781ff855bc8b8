"""The objects among the annotations of one image: an object is its image and id, else its content.

Tools number annotations anew on each image, give all of them one id, or none. Annotations of one
image that share an id, or have none, are told apart by their content, of which their ids are made:

    {"id": 0, "image_id": 7, "bbox": [1, 2, 3, 4], ...}     "7.36d10fd7356b55ce"
    {"id": 0, "image_id": 7, "bbox": [5, 6, 7, 8], ...}     "7.0f0a7a2be1c1f9d4"

The same content again is the same object, annotated twice.
"""

from collections.abc import Generator, Sequence

import msgspec

from pipelines.datasets.coco.records import CocoAnnotation, Undecoded, link_of
from pipelines.datasets.common.content_ids import content_id
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.raw_items import ItemId, Raw
from schemas.json_decoding import decode_any
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.source import Entry, Repaired, SplitInput

Named = tuple[str, Undecoded]  # region id and annotation


def named_objects(
    split: SplitInput, annotations: Sequence[Undecoded]
) -> Generator[Entry, None, list[Named]]:
    """Yield rejections of repeated annotations of one image; return the others with their ids."""
    by_id: dict[ItemId | None, list[Raw]] = {}
    # Annotations are decoded only where ids are unique.
    named: list[Named] = [
        (str(item.id), item) for item in annotations if isinstance(item, CocoAnnotation)
    ]
    for item in annotations[len(named) :]:
        assert isinstance(item, Raw), "either all annotations are decoded or none"
        by_id.setdefault(link_of(item).id, []).append(item)
    for item_id, several in by_id.items():
        contents: dict[bytes, Raw] = {}
        raws = sorted(several, key=bytes)
        for raw in raws:
            content = _content(raw)
            if content in contents:
                yield rejection(split, Kind.ANNOTATION, id_of(raw), _repeated(item_id))
            contents.setdefault(content, raw)
        if item_id is not None and len(contents) == 1:
            named.append((str(item_id), raws[0]))
            continue
        yield Repaired(Kind.ANNOTATION, Repair.ID_FROM_CONTENT, len(contents))
        named += [(_made_id(raw, content), raw) for content, raw in contents.items()]
    return named


def id_of(item: Undecoded) -> str:
    """Return the id of an annotation with a valid link, or one made of its content."""
    if isinstance(item, CocoAnnotation):
        return str(item.id)
    item_id = link_of(item).id
    return _made_id(item, _content(item)) if item_id is None else str(item_id)


def _made_id(raw: Raw, content: bytes) -> str:
    return content_id(str(link_of(raw).image_id), content)


def _content(raw: Raw) -> bytes:
    """Return all of an annotation but its id, in one spelling; what cannot be decoded, as it is."""
    try:
        fields = decode_any(raw)
    except msgspec.DecodeError:
        return bytes(raw)
    return msgspec.json.encode({**fields, "id": None}, order="deterministic")


def _repeated(item_id: ItemId | None) -> Rejected:
    if item_id is None:
        return Rejected(Reason.DUPLICATE, "the same annotation stands there once more")
    return Rejected(Reason.DUPLICATE_ID, f"id {item_id} stands more than once in annotations")
