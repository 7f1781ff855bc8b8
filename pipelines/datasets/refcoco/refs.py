"""The refs in RefCOCO's files: each ref is an object of a picture, with sentences about it.

    {"ref_id": 10505, "ann_id": 1993516, "image_id": 460986, "category_id": 86, "split": "train",
     "file_name": "COCO_train2014_000000460986_9.jpg", "sent_ids": [29909, 29910],
     "sentences": [{"sent_id": 29909, "sent": "left vase", "raw": "left vase",
                    "tokens": ["left", "vase"]}, ...]}

The owner's file is a pickle; the same list in JSON is read as well. gRefCOCO's file looks alike,
but its sentences are about any number of objects, none included (`"ann_id": [1, 2]`, `[-1]`): it
is refused by its name.

`sent` is the sentence cleaned by the owners, `raw` as typed; `sent` is used. The file name contains
a further number and is no real file. Sentences are counted: a malformed ref counts as its number of
sentences, and as one where it has none.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_whole
from pipelines.datasets.common.raw_items import ItemId
from pipelines.datasets.common.text_files import as_text
from pipelines.datasets.refcoco.safe_pickle import loads
from pipelines.datasets.refcoco.sentences import Sentence
from schemas.errors import InputFileError
from schemas.rejection import Reason, Rejected

_Id = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class _Ref(msgspec.Struct):
    """A ref whose sentences are still unchecked."""

    ref_id: _Id
    ann_id: _Id
    image_id: _Id
    split: str
    sentences: list[Any]


class _Named(msgspec.Struct):
    """The id of a malformed ref."""

    ref_id: _Id


class _RefSentence(msgspec.Struct, order=True):
    sent_id: _Id
    sent: str


_ANY = msgspec.json.Decoder(Any)


class Refs:
    """The sentences of one split by image, and the refused sentences."""

    def __init__(self, content: bytes, path: str, split: str, splits: Sequence[str]) -> None:
        """Read the refs of a split from a file.

        Args:
            content: the content of the file.
            path: the path of the file, for messages.
            split: the split that is read.
            splits: all splits of the data set; the first also has the refs without a known split.

        Raises:
            InputFileError: the content is no list of refs.
        """
        self.sentences: dict[ItemId, list[Sentence]] = defaultdict(list)
        self.refused: list[Refused] = []
        self.read = 0
        self._split = split
        self._splits = splits
        refs: dict[int, list[_Ref]] = defaultdict(list)
        for ref in self._own(_decode_refs(content, path)):
            refs[ref.ref_id].append(ref)
        for several in refs.values():
            self._take(several)

    def _own(self, items: Sequence[Any]) -> Iterator[_Ref]:
        for position, item in enumerate(items):
            try:
                ref = msgspec.convert(item, _Ref)
                if ref.split not in self._splits:
                    expected = ", ".join(self._splits)
                    raise msgspec.ValidationError(f"split {ref.split[:40]!r}, expected {expected}")
                if not ref.sentences:
                    raise msgspec.ValidationError("`sentences` is empty, expected one at least")
            except msgspec.ValidationError as error:
                if self._answers_for(item):
                    self._refuse(item, f"refs[{position}]", Rejected(Reason.MALFORMED, str(error)))
                continue
            if ref.split == self._split:
                yield ref

    def _answers_for(self, item: Any) -> bool:
        named = item.get("split") if isinstance(item, dict) else None
        known = isinstance(named, str) and named in self._splits
        return named == self._split if known else self._split == self._splits[0]

    def _refuse(self, item: Any, usual_name: str, cause: Rejected) -> None:
        """Refuse all sentences of a ref that cannot be used."""
        name = usual_name
        with suppress(msgspec.ValidationError):
            name = str(msgspec.convert(item, _Named).ref_id)
        count = len(_sentences(item))
        self.read += max(1, count)
        self.refused += [(f"{name}/[{k}]", cause) for k in range(count)] or [(name, cause)]

    def _take(self, several: Sequence[_Ref]) -> None:
        """Take the first ref in sorted order of the refs with one id, and refuse the others."""
        ref, *others = sorted(several, key=_order) if len(several) > 1 else several
        for other in others:
            cause = Rejected(Reason.DUPLICATE_ID, f"ref_id {ref.ref_id} stands more than once")
            self._refuse(asdict(other), "", cause)
        self.read += len(ref.sentences)
        for position, item in enumerate(ref.sentences):
            try:
                sentence = msgspec.convert(item, _RefSentence)
            except msgspec.ValidationError as error:
                cause = Rejected(Reason.MALFORMED, str(error))
                self.refused.append((f"{ref.ref_id}/[{position}]", cause))
                continue
            item_id = f"{ref.ref_id}/{sentence.sent_id}"
            taken = Sentence(item_id, str(ref.ref_id), str(ref.ann_id), sentence.sent)
            self.sentences[ref.image_id].append(taken)


def images_of(content: bytes, path: str, splits: Collection[str]) -> dict[str, set[int]]:
    """Return the COCO numbers of the images that the refs of some splits are about, by split.

    Raises:
        InputFileError: the content is no list of refs.
    """
    numbers: dict[str, set[int]] = {split: set() for split in splits}
    for item in _decode_refs(content, path):
        if isinstance(item, dict) and item.get("split") in splits:
            number = item.get("image_id")
            numbers[item["split"]] |= {number} if type(number) is int else set()
    return numbers


def _order(ref: _Ref) -> tuple[int, int, list[_RefSentence]]:
    ref_sentences = []
    for item in ref.sentences:
        with suppress(msgspec.ValidationError):
            ref_sentences.append(msgspec.convert(item, _RefSentence))
    return ref.image_id, ref.ann_id, ref_sentences


def _decode_refs(content: bytes, path: str) -> list[Any]:
    """Return the refs in a pickle or in JSON, unchecked.

    Raises:
        InputFileError: the content is neither of a list, or it is gRefCOCO's.
    """
    content = as_text(content, path)
    items, size = _loaded(content, path), len(content)
    if not isinstance(items, list):
        raise InputFileError(
            f"{path} holds a {type(items).__name__}, expected a list of refs. Take refs(*).p "
            "out of the owner's zip."
        )
    if any(isinstance(item, dict) and isinstance(item.get("ann_id"), list) for item in items):
        raise InputFileError(
            f"{path} is gRefCOCO's, or like it: its sentences are about any number of objects "
            "(ann_id is a list), and here each is about one. It is not read: give RefCOCO's refs."
        )
    # A small pickle can repeat a list many times.
    if (several := sum(len(_sentences(item)) for item in items)) > size:
        raise InputFileError(
            f"{path} ({size} bytes) holds {several} sentences, which are more than fit into it: it "
            "repeats itself, and was not written by the owner. Fetch the owner's file again."
        )
    return items


def _loaded(content: bytes, path: str) -> Any:
    """Return the value of a file in JSON, which no pickle looks like, or else of a pickle."""
    if content.lstrip()[:1] not in (b"[", b"{"):
        return loads(content, path)
    return decode_whole(
        _ANY,
        content,
        path,
        "a whole list of refs in JSON",
        "Take refs(*).p out of the owner's zip, or write the list again.",
    )


def _sentences(item: Any) -> list[Any]:
    sentences = item.get("sentences") if isinstance(item, dict) else None
    return sentences if isinstance(sentences, list) else []
