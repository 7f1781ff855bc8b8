"""V3Det's annotations in COCO's form, each with an id, and with one category."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.common.content_ids import content_id
from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.index import Indexes, Reader
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.raw_items import ItemId, Raw, as_number, malformed
from schemas.rejection import Reason, Rejected


class _Annotation(msgspec.Struct, gc=False):
    """The fields of an annotation from which an id is made."""

    image_id: ItemId
    category_id: Raw = Raw(b"null")
    bbox: Raw = Raw(b"null")
    id: ItemId | None = None


_ANNOTATION = msgspec.json.Decoder(_Annotation)
_ANNOTATIONS = msgspec.json.Decoder(list[_Annotation])
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])


class DistinctAnnotations:
    """What counts the annotations of a file without its repeats, while its index is made.

    A large file has millions of them, so of those without an id only hashes are held.
    """

    def __init__(self) -> None:
        """Start with none."""
        self.reader: Reader[Any] = Reader(_ANNOTATIONS, self._add)
        self._with_id = 0
        self._hashes: list[NDArray[np.int64]] = []
        self._sound = True

    def counted(self, indexes: Indexes) -> Indexes:
        """Return the index of the file with the number; without one if annotations are unsound."""
        hashes = np.unique(np.concatenate([np.empty(0, np.int64), *self._hashes]))
        number = self._with_id + len(hashes)
        return {
            path: msgspec.structs.replace(index, distinct={"annotations": number})
            if index and self._sound
            else None
            for path, index in indexes.items()
        }

    def _add(self, annotations: list[_Annotation] | None) -> None:
        if annotations is None:
            self._sound = False
            return
        made = [item for item in annotations if item.id is None]
        self._with_id += len(annotations) - len(made)
        contents = ((as_number(item.image_id), *_content(item)) for item in made)
        self._hashes.append(np.fromiter(map(hash, contents), np.int64, len(made)))


def identified(items: Sequence[Raw]) -> tuple[list[Raw], list[Refused]]:
    """Return annotations in COCO's form, each with an id and one category, and the refused ones."""
    taken: list[Raw] = []
    made: dict[str, Raw] = {}
    refused: list[Refused] = []
    for position, raw in enumerate(items):
        try:
            annotation = decode_json(_ANNOTATION, raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((f"annotations[{position}]", malformed(error)))
            continue
        category = _only(annotation.category_id)
        if annotation.id is not None:
            plain = category is annotation.category_id
            taken.append(raw if plain else _with(raw, category_id=category))
            continue
        item_id = _made_id(annotation)
        item = _with(raw, id=Raw(msgspec.json.encode(item_id)), category_id=category)
        if item_id in made:
            refused.append((item_id, _REPEATED))
            item = min(item, made[item_id], key=bytes)
        made[item_id] = item
    return [*taken, *made.values()], refused


def _only(category: Raw) -> Raw:
    """Return the category of a list with one category, as in early files; other values as is."""
    if (
        bytes(category).lstrip().startswith(b"[")
        and len(several := decode_json(_LIST, category)) == 1
    ):
        return several[0]
    return category


def _content(annotation: _Annotation) -> tuple[bytes, bytes]:
    """Return the category and the box of an annotation, in one spelling."""
    return bytes(_only(annotation.category_id)), b"".join(bytes(annotation.bbox).split())


def _made_id(annotation: _Annotation) -> str:
    category, box = _content(annotation)
    name = category.decode(errors="replace")
    return content_id(f"{as_number(annotation.image_id)}.{name[:20]}", category, box)


def _with(raw: Raw, **fields: Raw) -> Raw:
    return Raw(msgspec.json.encode(decode_json(_FIELDS, raw) | fields))


_REPEATED = Rejected(Reason.DUPLICATE, "the same box of the same category stands there once more")
