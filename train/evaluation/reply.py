"""Replies: what a model says to a question, as a whole, and the predictions that it holds."""

from collections.abc import Sequence

import msgspec

from schemas.predictions import Prediction
from train.evaluation.answers import Answer

SEPARATOR = ", "  # between the parts of an answer about several regions


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A model's answer to one turn, or the reason why there is none."""

    text: str | None = None
    score: float | None = None  # mean probability of the answer's tokens
    choice_loglik: tuple[float, ...] | None = None  # mean log-likelihood per token, by choice
    reason: str = ""  # why there is no text


def parts_of(entries: Sequence[Answer], text: str) -> list[str] | None:
    """Return the part of an answer for each entry; None where it has another number of parts.

    An answer about several regions is split at ", ", in the order in which they were asked about.
    """
    parts = [text] if len(entries) == 1 else text.split(SEPARATOR)
    return parts if len(parts) == len(entries) else None


def predictions_of(entries: Sequence[Answer], reply: Reply) -> list[Prediction]:
    """Return a reply's prediction for each entry; none where there is no text.

    A reply of another number of parts is wrong in all of them, which then are empty.
    """
    if reply.text is None:
        return []
    parts = parts_of(entries, reply.text) or [""] * len(entries)
    return [
        Prediction(
            id=entry.record,
            turn=entry.turn,
            position=entry.position,
            answer=part,
            score=reply.score,
            choice_loglik=reply.choice_loglik,
        )
        for entry, part in zip(entries, parts, strict=True)
    ]
