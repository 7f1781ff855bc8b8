r"""The questions of a benchmark for a judge, from the owners' files.

DLC-Bench, `qa.json`, with `class_names.json` beside it; items are ids of annotations:

    {"901": [{"question": "Which statement fits?", "type": "positive", "choices":
      [["No lid is mentioned.", 0], ["The lid is white.", 1]]}]}
    {"901": "teapot"}

GAR-Bench, captions simple and detailed, each a file; items are names of pictures:

    [{"image": "images/caption_simple_0.png", "question": "Where is <Prompt0> relative to \
<Prompt1>?", "answer": "<Prompt0> is on <Prompt1>."}]
    [{"image": "images/caption_detailed_0.png", "subject_name": "cup", "object_name": "table",
      "predicate_name": "on"}]
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from pipelines.judge.replies import choose, choose_exactly
from prompts.judge import (
    CHOICE,
    FALSE,
    NO,
    RECOGNITION,
    RELATION,
    SAME_MEANING,
    TRUE,
    YES,
    JudgePrompt,
    choice_question,
    recognition_question,
)
from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import decode
from schemas.json_lines import read_file
from schemas.judged import Bench, Kind

CLASS_NAMES = "class_names.json"
_MAX_OPTIONS = 26  # letters

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Points = Annotated[float, msgspec.Meta(ge=-1, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to a judge about the answer to an item."""

    item: str
    number: int  # of the item's questions, from 0
    kind: Kind
    prompt: Callable[[str], str]  # the text to send, from the answer that is judged
    options: Sequence[str]
    points: Sequence[float]  # of each option
    choose: Callable[[str, Sequence[str]], int | None]  # the option in a reply


@dataclass(frozen=True, slots=True)
class Questions:
    """All questions of a benchmark."""

    bench: Bench
    asked: tuple[Question, ...]  # all of an item in a row, in order of their numbers
    prompts: tuple[JudgePrompt, ...]  # that they are made from
    digest: str  # of the content of all files, whatever their order

    @property
    def items(self) -> list[str]:
        """The items that are asked about, in order."""
        return list(dict.fromkeys(question.item for question in self.asked))


class _Rated(msgspec.Struct, frozen=True):
    question: _Text
    kind: Literal["positive", "negative"] = msgspec.field(name="type")
    choices: Annotated[
        tuple[tuple[_Text, _Points], ...], msgspec.Meta(min_length=2, max_length=_MAX_OPTIONS)
    ]


class _Simple(msgspec.Struct, frozen=True):
    image: _Text
    question: _Text
    answer: _Text


class _Detailed(msgspec.Struct, frozen=True):
    image: _Text
    subject_name: _Text
    object_name: _Text
    predicate_name: _Text


def read_questions(bench: Bench, paths: Sequence[str]) -> Questions:
    """Return the questions in the files of a benchmark.

    Raises:
        InputFileError: a file cannot be read, is of another benchmark or form, or asks about an
            item that another one asks about; the message names it.
    """
    return _read_dlc(paths) if bench == "dlc" else _read_gar(paths)


def _read_dlc(paths: Sequence[str]) -> Questions:
    if len(paths) != 1:
        raise UsageError(f"DLC-Bench has one file of questions, qa.json; given: {len(paths)}")
    names_path = str(Path(paths[0]).with_name(CLASS_NAMES))
    if not Path(names_path).exists():
        raise InputFileError(
            f"{names_path}: no such file; the names of the items lie beside the questions, "
            f"{paths[0]}, as the owner ships both"
        )
    contents = [read_file(path) for path in (paths[0], names_path)]
    rated = _decode(paths[0], contents[0], dict[str, tuple[_Rated, ...]])
    names = _decode(names_path, contents[1], dict[str, _Text])
    if nameless := [item for item in rated if item not in names]:
        raise InputFileError(f"{names_path}: no name of {nameless[0]!r}, which {paths[0]} asks for")
    asked = [q for item, group in rated.items() for q in _about_item(item, names[item], group)]
    return _questions("dlc", paths[0], asked, (RECOGNITION, CHOICE), contents)


def _about_item(item: str, name: str, group: Sequence[_Rated]) -> Iterator[Question]:
    """Yield the questions about an item: first whether it is recognised."""
    yield Question(
        item=item,
        number=0,
        kind="recognition",
        prompt=partial(recognition_question, name=name),
        options=(YES, NO),
        points=(1.0, 0.0),
        choose=choose,
    )
    for number, rated in enumerate(group, start=1):
        options = tuple(text for text, _ in rated.choices)
        yield Question(
            item=item,
            number=number,
            kind=rated.kind,
            prompt=partial(choice_question, question=rated.question, options=options),
            options=options,
            points=tuple(points for _, points in rated.choices),
            choose=choose,
        )


def _read_gar(paths: Sequence[str]) -> Questions:
    contents = [read_file(path) for path in paths]
    by_item: dict[str, Question] = {}
    for path, content in zip(paths, contents, strict=True):
        records = _decode(path, content, list[dict[str, Any]])
        for number, record in enumerate(records):
            question = _about_relation(f"{path}: record {number}", record)
            if by_item.setdefault(question.item, question) is not question:
                raise InputFileError(f"{path}: record {number}: {question.item!r} is asked twice")
    kinds = {question.kind for question in by_item.values()}
    prompts = [p for kind, p in (("simple", SAME_MEANING), ("detailed", RELATION)) if kind in kinds]
    return _questions("gar", " ".join(paths), list(by_item.values()), tuple(prompts), contents)


def _about_relation(where: str, record: dict[str, Any]) -> Question:
    if "choices" in record:
        raise InputFileError(
            f"{where}: a question with choices needs no judge: `regionforge evaluate` scores it"
        )
    if "subject_name" not in record:
        simple = _convert(where, record, _Simple)
        return same_meaning_question(item_of(simple.image), 0, simple.answer)
    detailed = _convert(where, record, _Detailed)
    values = {"subject": detailed.subject_name, "object": detailed.object_name}
    values |= {"predicate": detailed.predicate_name}
    return _true_or_false(item_of(detailed.image), 0, "detailed", RELATION, values)


def same_meaning_question(item: str, number: int, truth: str) -> Question:
    """Return the question whether an answer means the same as a true statement."""
    return _true_or_false(item, number, "simple", SAME_MEANING, {"truth": truth})


def _true_or_false(
    item: str, number: int, kind: Kind, template: JudgePrompt, values: dict[str, str]
) -> Question:
    return Question(
        item=item,
        number=number,
        kind=kind,
        prompt=lambda answer: template.fill(answer=answer, **values),
        options=(TRUE, FALSE),
        points=(1.0, 0.0),
        choose=choose_exactly,
    )


def item_of(image: str) -> str:
    """Return the item that a picture of GAR-Bench stands for.

    >>> item_of("images/caption_simple_0.png")
    'caption_simple_0'
    """
    return PurePosixPath(image).stem


def _questions(
    bench: Bench,
    paths: str,
    asked: Sequence[Question],
    prompts: tuple[JudgePrompt, ...],
    contents: Sequence[bytes],
) -> Questions:
    if not asked:
        raise InputFileError(f"{paths}: no questions, expected some")
    digests = sorted(sha256(content).hexdigest() for content in contents)
    return Questions(bench, tuple(asked), prompts, sha256("".join(digests).encode()).hexdigest())


_Form = TypeVar("_Form")


def _decode(path: str, content: bytes, form: type[_Form]) -> _Form:
    try:
        return decode(msgspec.json.Decoder(form), content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: not questions of this benchmark: {error}") from None


def _convert(where: str, record: dict[str, Any], form: type[_Form]) -> _Form:
    try:
        return msgspec.convert(record, form)
    except msgspec.ValidationError as error:
        raise InputFileError(f"{where}: not a question of this benchmark: {error}") from None
