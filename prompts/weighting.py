"""The weighting of tasks: the share of an image's conversations of a task that a recipe keeps."""

from collections.abc import Sequence

from prompts.dialogue import Exchange
from schemas.ids import RANK_BITS, Hasher
from schemas.sample import Task


def weighted(
    talks: Sequence[list[Exchange]], task: Task, share: float, hasher: Hasher
) -> tuple[list[list[Exchange]], list[list[Exchange]]]:
    """Return the conversations of a task that are kept, and the others.

    Args:
        talks: the conversations of an image.
        task: the task of the conversations.
        share: the share that is kept, 0 to 1.
        hasher: the image's hasher, which chooses by the task and the position of a conversation. A
            smaller share keeps some of those that a larger one keeps.
    """
    kept: list[list[Exchange]] = []
    others: list[list[Exchange]] = []
    for ordinal, talk in enumerate(talks):
        keeps = hasher.rank("weight", task, ordinal) < share * (1 << RANK_BITS)
        (kept if keeps else others).append(talk)
    return kept, others
