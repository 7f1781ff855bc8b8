"""The task `region_reasoning`: a question about regions, then the reason for its answer.

Every question makes one conversation of two rounds. GPT4RoI (A.4) has three formats, which
differ in the position of the regions' placeholders:

- all objects of the image first, as a list; the question then names the objects it is about;
- one region, in the question itself;
- several regions, in the question itself, numbered as they are mentioned.

A question that mentions every region of its answer and reason takes a format without a list three
times in four; all others come after the list, so that no request gives away the answer's regions.
Of 60 questions of VCR, 25 have no list, and 13 of these are about one region. Answers name
a region by its class: person at region1, or the person at Region [1]. Where regions are listed, they keep the owner's order.
A region that is mentioned only once needs no name, so RegionGPT's style gives it no number.
"""

import re
from collections.abc import Iterator, Sequence

from prompts.dialogue import Exchange, Part, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import Hasher, pick
from schemas.item import Mention, Passage, Question, mentioned
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

MAX_LISTED_REGIONS = 50  # regions in a list; pictures have up to 45, each of about six tokens
_IN_PLACE = (True, True, True, False)  # True: no list, if the question needs none; equally likely
AS_ASKED = "region_reasoning/as_asked"  # the wording id of a request that is only the owner's text

ALL_OBJECTS = WordingSet(
    "region_reasoning_objects",
    ("<region>",),
    (
        "The following is marked in the picture: <region>.",
        "In this image, you can see <region>.",
        "Take note of what is marked here: <region>.",
        "Here is what has been marked in the picture: <region>.",
        "The picture shows <region>.",
        "Here is everything that has been outlined in the image: <region>.",
        "These regions are marked in the image: <region>.",
        "Use these names for what the picture shows: <region>.",
        "Detected in this scene: <region>.",
        "Known objects in the image: <region>.",
        "The marked regions are <region>.",
        "The scene has been annotated with <region>.",
    ),
)

REASON = WordingSet(
    "region_reasoning_reason",
    (),
    (
        "How can you tell?",
        "What in the picture tells you that?",
        "Give the reason for your answer.",
        "Which details made you answer this way?",
        "Please justify that.",
        "What do you base this on?",
        "Explain how you know.",
        "Why do you believe that is so?",
        "Support your answer with what you see.",
        "What supports this answer?",
        "Which clues point to that?",
        "What makes this the likely answer?",
        "Tell me what convinced you.",
        "On what grounds do you say so?",
        "Walk me through your reasoning.",
        "What did you notice that suggests this?",
        "Point out what supports this.",
        "How would you defend this answer?",
        "What can you see that backs this up?",
        "State why this is so.",
        "Why is this the case?",
        "Could you explain why you answered that way?",
        "What gives it away?",
        "Why this answer and not another one?",
        "Show me how the picture supports this.",
        "What observation is this based on?",
        "Please add an explanation.",
        "Which part of the scene leads you to think so?",
        "What is your explanation for this answer?",
        "Why should I believe that?",
        "How does the scene bear this out?",
        "Tell me what led you to this answer.",
        "What clues did you use?",
        "Back up your answer.",
    ),
)

_SENTENCE_ENDS = (". ", "! ", "? ")
# Words after which a name has no article of its own.
_DETERMINED = re.compile(
    r"\b(?:an?|another|each|every|her|his|its|my|our|the|their|these|this|those|your) $",
    re.IGNORECASE,
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each question about an image, in order of the questions' ids."""
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    return [
        _conversation(question, regions, instruction, hasher) for question in questions(screened)
    ]


def questions(screened: ScreenedImage) -> list[Question]:
    """Return the questions about an image in order of their ids."""
    asked = [item for item in screened.items if isinstance(item, Question)]
    return sorted(asked, key=lambda question: (len(question.id), question.id))


def _conversation(
    asked: Question, regions: dict[str, Region], instruction: Instruction, hasher: Hasher
) -> list[Exchange]:
    layout, position = hasher.ranks(asked.id, "layout")
    in_question = mentioned(asked.question)
    complete = in_question and set(asked.region_ids()) == set(in_question)
    if complete and pick(_IN_PLACE, layout):
        request, prompt = tuple(_in_place(asked, regions, instruction.style)), AS_ASKED
    else:
        objects = instruction.wordings[ALL_OBJECTS.name].choose(hasher.rank(asked.id, "objects"))
        request, prompt = after_list(asked, regions, hasher, objects)
    wording, reason_prompt = instruction.wordings[REASON.name].choose(position)
    return [
        Exchange(
            task=Task.REGION_REASONING,
            request=request,
            answer=tuple(by_class(asked.answer, regions, instruction.style)),
            prompt=prompt,
            items=(asked.id,),
        ),
        Exchange(
            task=Task.REGION_REASONING,
            request=(wording,),
            answer=tuple(by_class(asked.rationale, regions, instruction.style)),
            prompt=reason_prompt,
            follows=True,
            items=(asked.id,),
        ),
    ]


def _in_place(asked: Question, regions: dict[str, Region], style: Style) -> Iterator[Part]:
    """Yield the parts of a question, with a placeholder where a region is first mentioned."""
    mentions = count_mentions(asked.question + asked.answer + asked.rationale)
    nameless = style is Style.REGIONGPT and mentions == 1  # and not mentioned again
    return in_place(asked.question, regions, nameless=nameless)


def count_mentions(passage: Passage) -> int:
    """Return the number of mentions of regions in a passage; repeated ones count too."""
    return sum(len(piece.region_ids) for piece in passage if isinstance(piece, Mention))


def in_place(passage: Passage, regions: dict[str, Region], *, nameless: bool) -> Iterator[Part]:
    """Yield the parts of a passage, with a placeholder where a region is first mentioned.

    Args:
        passage: the passage.
        regions: the image's regions, by id.
        nameless: whether the placeholders stand alone, as nothing names their regions.
    """
    seen: set[str] = set()
    for piece in passage:
        if isinstance(piece, str):
            yield piece
            continue
        parts: list[Part] = []
        for region_id in piece.region_ids:
            region = regions[region_id]
            first: Part = region if nameless else RegionDefinition(region)
            parts.append(RegionName(region) if region_id in seen else first)
            seen.add(region_id)
        yield from listed(parts)


def after_list(
    asked: Question, regions: dict[str, Region], hasher: Hasher, objects: tuple[str, str]
) -> tuple[tuple[Part, ...], str]:
    """Return the question after a list of the image's regions, and the id of the wording.

    Args:
        asked: the question; the list holds every region of the question.
        regions: the image's regions, by id.
        hasher: the image's hasher, which chooses further regions where there are too many.
        objects: the wording of the list, and the wording's id.
    """
    question: list[Part] = []
    for piece in asked.question:
        question += [piece] if isinstance(piece, str) else names(piece, regions)
    shown = _shown(asked, regions, hasher)
    if not shown:
        return tuple(question), AS_ASKED
    wording, prompt = objects
    listing = listed([RegionDefinition(region) for region in shown])
    return (*filled(wording, "<region>", listing), " ", *question), prompt


def _shown(asked: Question, regions: dict[str, Region], hasher: Hasher) -> list[Region]:
    """Return the regions to list: the question's regions, and others by hash up to the cap."""
    taken = set(asked.region_ids())
    others = sorted(
        regions.keys() - taken, key=lambda region_id: (hasher.rank(asked.id, region_id), region_id)
    )
    taken.update(others[: max(0, MAX_LISTED_REGIONS - len(taken))])
    ordered = sorted(taken, key=lambda region_id: (len(region_id), region_id))
    return [regions[region_id] for region_id in ordered]


def by_class(passage: Passage, regions: dict[str, Region], style: Style) -> Iterator[Part]:
    """Yield the parts of an answer, with regions by class and name.

    GPT4RoI's style says "person at region1", as its Table 3; RegionGPT's style says "the person at
    Region [1]", unless the owner's words before it already have a determiner: "his tie at ...".
    """
    before = ""
    for piece in passage:
        if isinstance(piece, Mention):
            words = piece.text
            if style is Style.REGIONGPT and not _DETERMINED.search(before):
                words = f"the {words}"
            if not before or before.endswith(_SENTENCE_ENDS):
                words = words[:1].upper() + words[1:]
            yield f"{words} at "
            yield from names(piece, regions)
            before = words
        else:
            yield piece
            before = piece


def names(mention: Mention, regions: dict[str, Region]) -> Sequence[Part]:
    """Return the parts of a mention of declared regions: their names, as an English list."""
    return listed([RegionName(regions[region_id]) for region_id in mention.region_ids])
