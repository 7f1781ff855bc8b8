r"""The answers to judge, by item, from any of three kinds of file, told apart by their content.

    {"id": "dlc_bench/test/7/...", "turn": 0, "position": 0, "answer": "A blue teapot."}   ours
    {"901": "A blue teapot.", "query": "<image>\nDescribe ..."}                  DLC-Bench's
    [{"image": "images/caption_simple_0.png", "model_output": "..."}]            GAR-Bench's

The build that was evaluated tells which item each of our predictions is about. They call regions
by their numbers, from 1, and GAR-Bench by theirs, from 0: "Region [2]" is its <Prompt1>.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from pipelines.judge.build import EvaluationBuild
from pipelines.judge.questions import item_of
from schemas.errors import InputFileError, UsageError
from schemas.json_decoding import decode
from schemas.json_lines import read_file
from schemas.judged import Bench
from schemas.predictions import match_predictions, read_predictions

# "Region [2]", "[2] <region2>", "region2": the forms in which our conversations name regions.
_REGION = re.compile(
    r"(?:\bregion )?\[(\d{1,3})\](?: <region\1>)?|<region(\d{1,3})>|\bregion ?(\d{1,3})\b",
    re.IGNORECASE,
)
_QUERY = "query"  # the request, which one of the owners' files holds beside its captions
_ERROR = "Error:"  # begins what a program that failed wrote in place of a caption


class Answers(NamedTuple):
    """The answers of a file."""

    texts: Mapping[str, str]  # by item
    digest: str  # SHA-256 of the file


class _Prediction(msgspec.Struct):
    id: str
    turn: int


class _Record(msgspec.Struct):
    image: str
    model_output: str


def read_answers(path: str, bench: Bench, build: EvaluationBuild | None) -> Answers:
    """Return the answers in a file.

    Args:
        path: the file.
        bench: decides how regions are named.
        build: the build that was evaluated, if one is given.

    Raises:
        UsageError: the file holds our predictions, and no build is given.
        InputFileError: the file is none of the three kinds, or holds no usable answer.
    """
    content = read_file(path)
    if _is_ours(content):
        if build is None:
            raise UsageError(
                f"{path} holds predictions, whose items only the build they answer can tell: "
                "--shards DIR"
            )
        texts = _ours(path, build)
        if bench == "gar":
            texts = {item: with_prompt_names(text) for item, text in texts.items()}
    elif content.lstrip().startswith(b"["):
        texts = _of_records(path, content)
    else:
        texts = _of_object(path, content)
    return Answers(texts, sha256(content).hexdigest())


def with_prompt_names(text: str) -> str:
    """Return a text of ours with the regions named as GAR-Bench names them.

    >>> with_prompt_names("Region [2] is on [1] <region1>, and region3 is not.")
    '<Prompt1> is on <Prompt0>, and <Prompt2> is not.'
    """

    def name(match: re.Match[str]) -> str:
        number = int(match[1] or match[2] or match[3])
        return f"<Prompt{number - 1}>" if number else match[0]

    return _REGION.sub(name, text)


def _is_ours(content: bytes) -> bool:
    first, _, _ = content.lstrip().partition(b"\n")
    try:
        decode(msgspec.json.Decoder(_Prediction), first)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _ours(path: str, build: EvaluationBuild) -> dict[str, str]:
    matched = match_predictions(build.entries, read_predictions(path))
    texts: dict[str, str] = {}
    for (record, entry), prediction in zip(build.entries, matched.predictions, strict=True):
        if prediction is not None:
            if entry.item_id in texts:
                raise InputFileError(
                    f"record {record!r}: item {entry.item_id!r} is asked a second time, so which "
                    "answer to judge is not clear"
                )
            texts[entry.item_id] = prediction.answer
    return texts


def _of_object(path: str, content: bytes) -> dict[str, str]:
    try:
        texts = decode(msgspec.json.Decoder(dict[str, str]), content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path}: expected predictions, an object of captions by item, or a list of records "
            f"with `image` and `model_output`: {error}"
        ) from None
    texts.pop(_QUERY, None)
    if failed := [item for item, text in texts.items() if text.startswith(_ERROR)]:
        raise InputFileError(
            f"{path}: the answer to {failed[0]!r} is the message of an error; such: {len(failed)}. "
            "Make the answers again"
        )
    return texts


def _of_records(path: str, content: bytes) -> dict[str, str]:
    try:
        records = decode(msgspec.json.Decoder(list[_Record]), content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path}: not records with answers: {error}") from None
    texts: dict[str, str] = {}
    for record in records:
        item = item_of(record.image)
        if item in texts:
            raise InputFileError(f"{path}: {record.image!r} is answered twice, expected once")
        texts[item] = record.model_output
    return texts
