"""The task `region_relationship`: a sentence about how one region relates to another.

Both regions are bare placeholders; some wordings name the subject first, others the object. The
answer always begins with the subject: "The man is riding the horse." A conversation has one turn
for a pair of regions; further relationships of the pair are in further conversations. Relationships
of a region to itself, and those that make no natural sentence, are left unused.
"""

import re

from prompts.dialogue import Exchange, Part
from prompts.instruction import Instruction
from prompts.relationship.sentence import relationship_sentence
from prompts.wordings import WordingSet
from schemas.item import Relationship
from schemas.rejection import Rejected
from schemas.sample import Region, ScreenedImage, Task
from schemas.text import clean, shown_name

RELATIONSHIP = WordingSet(
    "region_relationship",
    ("<subject>", "<object>"),
    (
        "How is <subject> related to <object>?",
        "What is the relationship between <subject> and <object>?",
        "Say in one sentence how <subject> relates to <object>.",
        "Put the relation of <subject> to <object> into words.",
        "What is the relation of <subject> to <object>?",
        "Tell me how <subject> and <object> are connected, starting with the first.",
        "In this picture, how does <subject> relate to <object>?",
        "Look at <subject> and then at <object>: how is the first related to the second?",
        "With <object> in mind, what can you say about <subject>?",
        "Taking <object> as the reference, describe how <subject> relates to it.",
        "Look at <object>. How does <subject> relate to it?",
        "Take <object>: how is <subject> related to it?",
        "Consider <object>. What is the relation of <subject> to this region?",
        "Starting from <object>, describe how <subject> is related to it.",
    ),
)

_PLACEHOLDER = re.compile("(<subject>|<object>)")


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations of this task, a relationship per turn, in an order by hash."""
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    ranked = sorted(
        (*hasher.ranks("relationship", item.id), item.id, item)
        for item in screened.items
        if isinstance(item, Relationship)
    )
    conversations: list[list[Exchange]] = []
    asked: dict[tuple[str, str], int] = {}
    for _, position, _, item in ranked:
        pair = item.subject_id, item.object_id
        exchange = _exchange(item, regions[pair[0]], regions[pair[1]], instruction, position)
        if exchange is None:
            continue
        turn = asked[pair] = asked.get(pair, -1) + 1
        if turn == len(conversations):
            conversations.append([])
        conversations[turn].append(exchange)
    return conversations


def _exchange(
    item: Relationship, subject: Region, object_: Region, instruction: Instruction, position: int
) -> Exchange | None:
    """Return the question and its answer, or None where the relationship makes no sentence."""
    if subject is object_ or subject.category is None or object_.category is None:
        return None
    names = shown_name(subject.category), shown_name(object_.category)
    answer = relationship_sentence(names[0], item.predicate, names[1])
    if answer is None or not _is_safe(answer):
        return None
    wording, prompt = instruction.wordings[RELATIONSHIP.name].choose(position)
    ends: dict[str, Part] = {"<subject>": subject, "<object>": object_}
    return Exchange(
        task=Task.REGION_RELATIONSHIP,
        request=tuple(ends.get(piece, piece) for piece in _PLACEHOLDER.split(wording) if piece),
        answer=answer,
        prompt=prompt,
        items=(item.id,),
    )


def _is_safe(answer: str) -> bool:
    """Return whether a sentence of clean pieces is clean as a whole."""
    try:
        return clean(answer) == answer
    except Rejected:
        return False
