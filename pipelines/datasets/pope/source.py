"""POPE: yes-or-no questions, each about an object in a picture of COCO's val2014.

    pope/coco_pope_{random,popular,adversarial}.json       a question per line, despite the name

    {"question_id": 1, "image": "COCO_val2014_000000310196.jpg",
     "text": "Is there a snowboard in the image?", "label": "yes"}

Copies that hold the same questions as a JSON list, or labels as `Yes` and `No`, are read as well.
Half of a file's questions are about an object in the picture. The others differ from split
to split: they ask about any absent object, about objects frequent in COCO, or about objects often
seen with an object of the picture. All splits ask about the same pictures. No split is for
training.
Format: https://github.com/RUCAIBox/POPE
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco.pictures import COCO_PAPER
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejections,
)
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.picture_names import coco_picture
from pipelines.datasets.common.raw_items import malformed
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.errors import InputFileError
from schemas.item import YesNoQuestion
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume

_LICENCE = "MIT"
_PAPERS = (
    "Yifan Li, Yifan Du, Kun Zhou, Jinpeng Wang, Wayne Xin Zhao, Ji-Rong Wen. Evaluating Object "
    "Hallucination in Large Vision-Language Models. EMNLP 2023.",
    COCO_PAPER,
)
_FOLDER = "coco/val2014"

_IMAGE = re.compile(r"COCO_val2014_([0-9]{12})\.jpg")


class _Line(msgspec.Struct, frozen=True, gc=False):
    question_id: int
    image: str
    text: str
    label: str

    @property
    def id(self) -> str:
        """The question's id."""
        return str(self.question_id)

    @property
    def number(self) -> int:
        """The COCO number of the picture."""
        return int(self.image[-16:-4])

    @property
    def answer(self) -> str:
        """The label in lower case: yes or no, unless the question has a fault."""
        return self.label.strip().lower()

    @property
    def fault(self) -> str:
        """The fault of the question, with the expected value; empty where there is no fault."""
        if self.answer not in ("yes", "no"):
            return f"label {self.label[:80]!r}, expected yes or no"
        if _IMAGE.fullmatch(self.image) is None:
            return f"image {self.image[:80]!r}, expected one like COCO_val2014_000000310196.jpg"
        return ""


_LINE = msgspec.json.Decoder(_Line)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `images`, and each split's name for its file."""
    paths = request.paths
    return [
        Located(
            split=split,
            files={split: paths.get(split, f"{root}/pope/coco_pope_{split}.json")},
            pictures=paths.get("images", f"{root}/{_FOLDER}"),
            folder="" if "images" in paths else _FOLDER,
            licence=_LICENCE,
        )
        for split in SPEC.splits
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of POPE.

    Raises:
        InputFileError: the file of questions cannot be used, or the pictures cannot be listed.
    """
    questions, refused = _read(read_text(store, split.file), split.file)
    asked: dict[int, list[_Line]] = {}
    for line in questions:
        asked.setdefault(line.number, []).append(line)
    usable, unusable = _images(split, store.sizes(split.pictures), asked)
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume(usable, chosen, asked))
    yield SplitFacts(split.source, split.split, shards)
    yield Count(Kind.QUESTION, "read", len(questions) + len(refused))
    yield Count(Kind.IMAGE, "read", len(asked))
    yield from rejections(split, Kind.QUESTION, refused)
    yield from rejections(split, Kind.IMAGE, [(str(n), why) for n, why in unusable.items()])
    for number, lines in asked.items():
        if number in chosen:
            items = tuple(YesNoQuestion(line.id, line.text, line.answer == "yes") for line in lines)
            yield SourceImage(replace(usable[number], shards=shards), (), items)
        elif number in usable:
            yield Count(Kind.IMAGE, "sampled_out", 1)
            yield Count(Kind.QUESTION, "sampled_out", len(lines))
        else:
            yield Count(Kind.QUESTION, "with_image", len(lines))


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of POPE, which has a record for each question.

    Raises:
        InputFileError: the file of questions cannot be used.
    """
    questions, _ = _read(read_text(store, split.file), split.file)
    return Outline(items=questions, names_of=lambda line: (line.image,))


def asked_about(content: bytes, path: str) -> frozenset[int]:
    """Return the COCO numbers of the pictures that a file's questions are about.

    Raises:
        InputFileError: no line is a question of POPE.
    """
    questions, _ = _read(content, path)
    return frozenset(line.number for line in questions)


def _read(content: bytes, path: str) -> tuple[list[_Line], list[Refused]]:
    """Return a file's questions in order of their ids, and the refused lines.

    Of lines with the same id, the line whose text sorts first is taken.
    """
    taken: dict[int, tuple[bytes, _Line]] = {}
    refused: list[Refused] = []
    for name, text in _items(content):
        try:
            line = decode_json(_LINE, text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append((name, malformed(error)))
            continue
        if line.fault:
            refused.append((line.id, Rejected(Reason.MALFORMED, line.fault)))
            continue
        if known := taken.get(line.question_id):
            detail = f"question_id {line.id} stands more than once"
            refused.append((line.id, Rejected(Reason.DUPLICATE_ID, detail)))
            if known[0] <= text:
                continue
        taken[line.question_id] = text, line
    if not taken:
        raise InputFileError(
            f"{path} ({len(content)} bytes) holds no question of POPE. Expected a JSON object per "
            "line, or a list of them, each with a question_id, an image, a text and a label: fetch "
            "coco_pope_random.json and its like again."
        )
    return [taken[number][1] for number in sorted(taken)], refused


def _items(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the undecoded questions of a file, a list or a line each, with a name for messages."""
    if content.lstrip()[:1] == b"[":
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            items = decode_json(_LIST, content)
            for position, raw in enumerate(items):
                yield f"[{position}]", bytes(raw)
            return
    for number, text in enumerate(content.split(b"\n"), start=1):
        if text.strip():
            yield f"line {number}", text


def _images(
    split: SplitInput, listing: Mapping[str, int], asked: Mapping[int, Sequence[_Line]]
) -> tuple[dict[int, ImageInfo], dict[int, Rejected]]:
    """Return the usable images, without sizes, and the reasons why other images are unusable."""
    usable: dict[int, ImageInfo] = {}
    refused: dict[int, Rejected] = {}
    for number, lines in asked.items():
        name = lines[0].image
        try:
            usable[number] = image_info(split, str(number), name, None, listing, split.licence)
        except Rejected as cause:
            refused[number] = cause
    return usable, refused


def _volume(
    usable: Mapping[int, ImageInfo], chosen: set[int], asked: Mapping[int, Sequence[_Line]]
) -> Volume:
    """Return the volume of a split, which has a record and a picture for each question."""
    records = sum(len(asked[number]) for number in chosen)
    return Volume(
        images=records,
        regions=records,
        categories=0,
        picture_bytes=sum(usable[number].size_bytes * len(asked[number]) for number in chosen),
    )


SPEC = DatasetSpec(
    name="pope",
    title="POPE",
    licence=_LICENCE,
    obtain=(
        "https://github.com/RUCAIBox/POPE, folder output/coco: the three files; and COCO's val2014 "
        "pictures"
    ),
    splits=("random", "popular", "adversarial"),
    tasks={},
    boxes_per_image={},
    evaluations=(Task.IMAGE_CONVERSATION,),
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=coco_picture,
    picture_owners=("coco",),
    papers=_PAPERS,
    task_definition=None,
)
