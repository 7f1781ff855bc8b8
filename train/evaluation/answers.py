"""Answers to what evaluation records ask, each beside its question, as every metric takes them."""

from dataclasses import dataclass

from schemas.geometry import Box


@dataclass(frozen=True, kw_only=True)
class AskedRegion:
    """A region of the record: `regions[k]` is what the conversation calls `<region{k + 1}>`."""

    region_id: str  # the owner's
    bbox: Box  # xyxy, pixels of the stored picture
    area: float | None  # the owner's, square pixels
    category: str | None  # in the owner's spelling


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One entry of a record's `evaluation`, and what was answered.

    >>> answer.references, answer.text  # doctest: +SKIP
    (('red star',), 'red star')
    """

    record: str  # id of the record
    number: int  # of the record in the build's rows, from 0
    source: str  # e.g. "coco"
    split: str
    turn: int  # of the assistant, from 0
    position: int  # part of an answer about several regions, from 0
    item_id: str
    group: str
    references: tuple[str, ...]
    choices: tuple[str, ...]
    label: int | None  # the right choice, from 0
    regions: tuple[AskedRegion, ...]  # of the whole record
    text: str | None  # what was answered; None: no prediction, which counts as wrong
    score: float | None = None  # mean probability of the answer's tokens
    choice_loglik: tuple[float, ...] | None = None  # mean log-likelihood per token, by choice
