"""VCR's questions, one per line, each with a picture, tokens and choices.

    {"annot_id": "train-7", "img_id": "train-2", "img_fn": "lsmdc_.../x@0.jpg",
     "metadata_fn": "lsmdc_.../x@0.json", "objects": ["person", "dog"],
     "question": ["Does", [0], "own", [1], "?"], "question_orig": "Does 1 own 2?",
     "answer_choices": [[...], [...], [...], [...]], "answer_label": 2,
     "rationale_choices": [[...], [...], [...], [...]], "rationale_label": 1, ...}

Numbers in the token lists count objects from 0, those in the `_orig` strings from 1. Only the
labelled choices are true: the others are right answers to other questions, whose objects were
replaced by objects of this picture. Training uses only the true choices, an evaluation all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.vcr.text import Token, to_passage
from schemas.errors import InputFileError
from schemas.item import Choices, Passage, Question
from schemas.rejection import Reason, Rejected

Files = tuple[str, str]  # paths of a picture and its metadata, below `vcr1images`
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[\w.-]+\Z")]
_Label = Annotated[int, msgspec.Meta(ge=0, le=3)]
_RawChoices = tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw, msgspec.Raw]


class _Link(msgspec.Struct, gc=False):
    """The ids and files that assign a line to a picture."""

    annot_id: _Id
    img_id: _Id
    img_fn: str
    metadata_fn: str
    objects: list[str]
    question_orig: msgspec.Raw = msgspec.Raw(b"")


class _Content(msgspec.Struct, gc=False):
    """The content of a line; its choices are decoded only if needed."""

    objects: list[str]
    question: list[Token]
    answer_choices: _RawChoices
    answer_label: _Label
    rationale_choices: _RawChoices
    rationale_label: _Label


class Line(msgspec.Struct, frozen=True, gc=False):
    """A readable line, and its position in the file."""

    annot_id: str
    img_id: str
    files: Files
    objects: int
    start: int  # bytes
    end: int


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A question, undecoded."""

    annot_id: str
    img_id: str
    files: Files
    text: bytes  # of its line


@dataclass(frozen=True, slots=True)
class Picture:
    """The lines about one image; their order in the file has no effect."""

    lines: list[Line] = field(default_factory=list)

    @property
    def first(self) -> Line:
        """The line whose file names are used where the lines of an image differ."""
        return min(self.lines, key=lambda line: (line.files, line.annot_id))


_LINK = msgspec.json.Decoder(_Link)
_CONTENT = msgspec.json.Decoder(_Content)
_TOKENS = msgspec.json.Decoder(list[Token])


class QuestionFile:
    """The questions of a file by image, and the refused lines.

    Raises:
        InputFileError: no line is a question of VCR, or the file is GD-VCR.
    """

    def __init__(self, content: bytes, path: str) -> None:
        self._content = content
        self.malformed: list[Refused] = []  # lines that cannot be read, by their number
        self.repeats: list[Line] = []  # lines with a question id of another line
        self.pictures: dict[str, Picture] = {}
        for line in self._lines(content, path):
            self.pictures.setdefault(line.img_id, Picture()).lines.append(line)
        if not self.pictures:
            raise InputFileError(
                f"{path} ({len(content)} bytes) holds no question of VCR. Expected a JSON object "
                "per line, each with an annot_id, an img_id, an img_fn, a metadata_fn and objects: "
                "take train.jsonl or val.jsonl out of vcr1annots.zip."
            )

    def asked(self, picture: Picture) -> list[Asked]:
        """Return the questions about a picture of this file, in order of their ids."""
        lines = sorted(picture.lines, key=_id_order)
        return [Asked(line.annot_id, line.img_id, line.files, self._text(line)) for line in lines]

    def _lines(self, content: bytes, path: str) -> list[Line]:
        """Return the readable lines; of lines with the same id, the line whose text sorts first."""
        lines: dict[str, Line] = {}
        for number, start, end in _spans(content):
            try:
                link = decode_json(_LINK, content[start:end])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                self.malformed.append((f"line {number}", malformed(str(error))))
                continue
            if bytes(link.question_orig).startswith(b"["):
                raise InputFileError(
                    f"{path}, line {number}: question_orig is a list of tokens, as in GD-VCR, "
                    "expected a string: this is GD-VCR, not VCR, and its rationales only repeat "
                    "the answers. Take train.jsonl and val.jsonl out of vcr1annots.zip."
                )
            files = link.img_fn, link.metadata_fn
            line = Line(link.annot_id, link.img_id, files, len(link.objects), start, end)
            if (known := lines.get(line.annot_id)) is not None:
                line, repeat = sorted((known, line), key=self._text)
                self.repeats.append(repeat)
            lines[line.annot_id] = line
        return list(lines.values())

    def _text(self, line: Line) -> bytes:
        return self._content[line.start : line.end]


def read_question(
    asked: Asked, files: Files, categories: Sequence[str], *, evaluation: bool
) -> Question:
    """Return a question with its answer and rationale.

    Args:
        asked: the question.
        files: the files of its picture.
        categories: the categories of the picture's objects, from the metadata.
        evaluation: whether it has all its choices.

    Raises:
        Rejected: a part is missing, or contradicts the picture (`malformed`).
    """
    try:
        content = decode_json(_CONTENT, asked.text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(str(error)) from None
    if asked.files != files:
        raise malformed(f"{asked.files}, but other lines of {asked.img_id} name {files}")
    if content.objects != list(categories):
        raise malformed(
            f"the {len(content.objects)} objects of the line are not the {len(categories)} "
            f"names of {files[1]}"
        )
    answers = content.answer_choices, content.answer_label
    rationales = content.rationale_choices, content.rationale_label
    question = Question(
        id=asked.annot_id,
        question=to_passage(content.question, categories),
        answer=_passage("answer_choices", *answers, categories),
        rationale=_passage("rationale_choices", *rationales, categories),
    )
    if not evaluation:
        return question
    return replace(
        question,
        answers=_choices("answer_choices", *answers, categories),
        rationales=_choices("rationale_choices", *rationales, categories),
    )


def _id_order(line: Line) -> tuple[int, str]:
    return len(line.annot_id), line.annot_id


def malformed(detail: str) -> Rejected:
    """Return the refusal of an item that is not in VCR's form."""
    return Rejected(Reason.MALFORMED, detail)


def _passage(key: str, choices: _RawChoices, position: int, categories: Sequence[str]) -> Passage:
    """Return one of four choices, decoded to a passage."""
    try:
        tokens = decode_json(_TOKENS, choices[position])
        return to_passage(tokens, categories)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(f"{key}[{position}]: {error}") from None
    except Rejected as cause:
        raise Rejected(cause.reason, f"{key}[{position}]: {cause.detail}") from None


def _choices(key: str, choices: _RawChoices, label: int, categories: Sequence[str]) -> Choices:
    passages = [_passage(key, choices, position, categories) for position in range(len(choices))]
    return Choices(tuple(passages), label)


def _spans(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each line that is not blank, from 1, and where it starts and ends."""
    start = number = 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        number += 1
        if content[start:end].strip():
            yield number, start, end
        start = end + 1
