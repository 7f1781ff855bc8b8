"""The records of GAR-Bench's three files, decoded one by one, and their texts as passages."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from string import ascii_uppercase
from typing import Any

import msgspec

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json, decode_whole
from pipelines.datasets.common.raw_items import Raw, malformed
from schemas.errors import InputFileError
from schemas.item import Choices, Item, Mention, Passage, RegionQuestion, Relationship, mentioned
from schemas.mask import RunLengths
from schemas.rejection import Reason, Rejected

VQA, SIMPLE, DETAILED = "vqa", "simple", "detailed"  # the splits
_PROMPT = re.compile(r"<Prompt(\d{1,3})>")
_FOLDER = "images/"


class _Original(msgspec.Struct):
    image_path: str = ""


_ORIGINAL = msgspec.json.Decoder(_Original)
_LIST = msgspec.json.Decoder(list[Raw])


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record of any file: a picture and its regions."""

    image: str
    mask_rles: tuple[RunLengths, ...]
    image_path: str = ""  # the authors' own; its name is that of the original picture

    @property
    def id(self) -> str:
        """The name of the picture without folder and ending, which no other record has."""
        return PurePosixPath(self.image).stem

    @property
    def file_name(self) -> str:
        """The path of the picture below the folder of pictures."""
        return self.image.removeprefix(_FOLDER)

    @property
    def categories(self) -> tuple[str | None, ...]:
        """The names of the regions, as far as they are stated."""
        return (None,) * len(self.mask_rles)

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of the picture, pixels, which are those of its masks."""
        height, width = self.mask_rles[0].size
        return width, height

    def region_id(self, number: int) -> str:
        """Return the id of the region that the texts call `<Prompt{number}>`."""
        return f"{self.id}/{number}"

    def item(self) -> Item:
        """Return the record's question or relationship.

        Raises:
            Rejected: the record is not as the owner's are.
        """
        raise NotImplementedError

    def check_masks(self, named: Sequence[str]) -> None:
        """Raise `Rejected` unless masks are of one size, and as many as regions are named."""
        known = [self.region_id(number) for number in range(len(self.mask_rles))]
        if not known:
            raise Rejected(Reason.MALFORMED, "mask_rles is empty, expected a mask at least")
        if len({rle.size for rle in self.mask_rles}) > 1:
            raise Rejected(Reason.MALFORMED, "mask_rles are of several sizes, expected one")
        if sorted(named) != sorted(known):
            raise Rejected(
                Reason.MALFORMED,
                f"{len(known)} masks, and the text names the regions {', '.join(sorted(named))}: "
                "expected each mask to be named, and no other",
            )

    def passage(self, text: str) -> Passage:
        """Return a text with its regions: `Where is <Prompt0>?` mentions the first one."""
        pieces: list[str | Mention] = []
        for position, piece in enumerate(_PROMPT.split(text)):
            if position % 2:
                number = int(piece)
                pieces.append(Mention(f"region {number + 1}", (self.region_id(number),)))
            elif piece:
                pieces.append(piece)
        return tuple(pieces)


class _Simple(Record, frozen=True, kw_only=True, gc=False):
    question: str
    answer: str

    def item(self) -> Item:
        question, answer = self.passage(self.question), self.passage(self.answer)
        self.check_masks(mentioned(question + answer))
        return RegionQuestion(self.id, SIMPLE, question, answer)


class _Vqa(Record, frozen=True, kw_only=True, gc=False):
    question: str
    answer: str
    choices: list[str]
    type: str

    def item(self) -> Item:
        question = self.passage(self.question)
        options = tuple(map(self.passage, self._options()))
        label = ascii_uppercase.find(self.answer) if self.answer else -1
        if not 0 <= label < len(options) or len(self.answer) != 1:
            raise Rejected(
                Reason.MALFORMED,
                f"answer {self.answer[:80]!r}, expected one of {ascii_uppercase[: len(options)]}",
            )
        self.check_masks(mentioned(sum(options, question)))
        if not self.type.strip():
            raise Rejected(Reason.MALFORMED, "type is empty, expected one such as color")
        choices = Choices(options, label)
        return RegionQuestion(self.id, self.type, question, options[label], choices)

    def _options(self) -> Iterator[str]:
        """Yield the choices without their letters."""
        if not 2 <= len(self.choices) <= len(ascii_uppercase):
            raise Rejected(Reason.MALFORMED, f"{len(self.choices)} choices, expected 2 to 26")
        for letter, choice in zip(ascii_uppercase, self.choices, strict=False):
            text = choice.removeprefix(f"{letter}.")
            if text == choice or not text.strip():
                raise Rejected(
                    Reason.MALFORMED, f"choice {choice[:80]!r}, expected '{letter}. ' and a text"
                )
            yield text.strip()


class _Detailed(Record, frozen=True, kw_only=True, gc=False):
    subject_name: str
    object_name: str
    predicate_name: str

    def item(self) -> Item:
        subject, other = self.region_id(0), self.region_id(1)
        self.check_masks((subject, other))
        return Relationship(self.id, subject, self.predicate_name, other)

    @property
    def categories(self) -> tuple[str | None, ...]:
        return self.subject_name, self.object_name


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    VQA: msgspec.json.Decoder(_Vqa),
    SIMPLE: msgspec.json.Decoder(_Simple),
    DETAILED: msgspec.json.Decoder(_Detailed),
}


def read_records(
    content: bytes, path: str, split: str
) -> tuple[dict[str, tuple[Record, Item]], list[Refused]]:
    """Return the records of a split's file with their items, by id, and the refused records.

    Of different records with one id, the one whose text sorts first is taken.

    Raises:
        InputFileError: the file is no JSON list, or holds no record of the split.
    """
    taken: dict[str, tuple[Record, Item]] = {}
    texts: dict[str, bytes] = {}
    refused: list[Refused] = []
    for position, raw in enumerate(_decode_list(content, path)):
        name = f"records[{position}]"
        try:
            record: Record = decode_json(_DECODERS[split], raw)
            if not record.id.strip():
                raise Rejected(Reason.MALFORMED, f"image {record.image[:80]!r}, expected a name")
            name = record.id
            item = record.item()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((name, malformed(error)))
            continue
        except Rejected as cause:
            refused.append((name, cause))
            continue
        if record.id in taken:
            detail = f"image {record.image!r} stands more than once"
            refused.append((name, Rejected(Reason.DUPLICATE_ID, detail)))
            if texts[name] <= bytes(raw):
                continue
        taken[name], texts[name] = (record, item), bytes(raw)
    if not taken:
        raise InputFileError(
            f"{path} ({len(content)} bytes) holds no record of GAR-Bench's {split}. Expected a "
            "JSON list of records with image and mask_rles: fetch GAR-Bench-VQA.json and its like "
            "again."
        )
    return taken, refused


def original_names(content: bytes, path: str) -> set[str]:
    """Return the file names of the original pictures, as far as the records of a file state them.

    Raises:
        InputFileError: the file is no JSON list.
    """
    names = set()
    for raw in _decode_list(content, path):
        try:
            original = decode_json(_ORIGINAL, raw).image_path
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # no evaluation can use it either
        names.add(original.replace("\\", "/").rpartition("/")[2])
    return names - {""}


def _decode_list(content: bytes, path: str) -> list[Raw]:
    return decode_whole(
        _LIST,
        content,
        path,
        "a file of GAR-Bench",
        "Expected a JSON list of records: fetch it again.",
    )
