"""The task `region_caption`: a short description of one region, written by the owner.

Each turn asks about a region in one of many wordings that fit the form of the answer: a phrase, a
clause or a sentence. In GPT4RoI style, a source of stage 1 has a task definition instead, which is
stated once, and each user turn is a bare region (GPT4RoI, Table 2); with every other source a region
has a name.
"""

from collections.abc import Mapping, Sequence

from prompts.answer_form import AnswerForm, answer_form
from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.trained_text import trained_text
from prompts.turn_order import RankedSentence, rounds
from prompts.wordings import WordingSet
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

PHRASE = WordingSet(
    "region_caption_phrase",
    ("<region>",),
    (
        "What is in <region>?",
        "What is shown in <region>?",
        "What can be seen in <region>?",
        "What do you see in <region>?",
        "Describe <region> briefly.",
        "Give a short description of <region>.",
        "Briefly, what does <region> show?",
        "What does the region marked <region> show?",
        "What is in the region marked <region>?",
        "What is in the area marked by <region>?",
        "Briefly describe the area marked <region>.",
        "Write a short caption for <region>.",
        "Caption the region marked by <region>.",
        "Provide a brief caption for the area inside <region>.",
        "What would be a good short caption for <region>?",
        "Tell me what is in <region>.",
        "Tell me briefly what the region marked as <region> shows.",
        "Identify what is shown in <region>.",
        "What is located at <region>?",
        "Briefly describe what is inside <region>.",
        "Can you tell me what is in <region>?",
        "Could you briefly describe the part of the image marked by <region>?",
        "I would like a short description of the region marked as <region>.",
        "How would you caption the region marked with <region>?",
        "Look at the area marked by <region>. What is there?",
        "What have I marked with <region>?",
        "What is inside the box marked <region>?",
        "Say what you see in the area marked by <region>.",
        "Please caption <region>.",
        "Please give a brief description of the part of the picture inside <region>.",
        "What is visible in the area marked <region>?",
        "Which part of the picture is marked by <region>? Describe it briefly.",
    ),
)

CLAUSE = WordingSet(
    "region_caption_clause",
    ("<region>",),
    (
        "What can you say about <region>?",
        "What can you tell me about <region>?",
        "What can you say about the area marked by <region>?",
        "What do you notice in <region>?",
        "What do you notice about the region marked by <region>?",
        "Tell me something about <region>.",
        "Tell me something about the area marked <region>.",
        "Say something about <region>.",
        "Make an observation about <region>.",
        "Make a short observation about the part of the picture marked by <region>.",
        "Comment briefly on <region>.",
        "Comment on what you see in the area marked by <region>.",
        "What is one thing you notice in <region>?",
        "Tell me one thing about the region marked as <region>.",
        "State one fact about <region>.",
        "State a fact about the area marked <region>.",
        "Look at <region>. What do you observe?",
        "Report what you observe in <region>.",
        "Mention something that you notice in the area marked by <region>.",
        "What stands out in <region>?",
        "What can you say about the area marked <region>?",
        "What is worth noting about <region>?",
        "Share a brief observation about the region marked <region>.",
        "What would you point out about <region>?",
    ),
)

SENTENCE = WordingSet(
    "region_caption_sentence",
    ("<region>",),
    (
        "Describe <region> in a sentence.",
        "Describe the area marked by <region> in one sentence.",
        "Write a sentence about <region>.",
        "Write one sentence about the region marked as <region>.",
        "In a sentence, what does <region> show?",
        "In one sentence, describe what you see in <region>.",
        "Give a one-sentence description of <region>.",
        "Give a one-sentence description of the part of the image marked by <region>.",
        "Can you describe <region> in a sentence?",
        "Could you describe the region marked by <region> in a single sentence?",
        "Tell me about <region> in one sentence.",
        "Tell me in a sentence what you notice in the area marked <region>.",
        "Please write a sentence that describes <region>.",
        "What sentence would describe the area marked by <region>?",
        "Sum up the region marked <region> in a sentence.",
        "Summarize what you see in <region> in one sentence.",
        "Caption <region> with a sentence.",
        "Write a one-sentence caption for <region>.",
        "State in a sentence what can be seen in <region>.",
        "Use one sentence to describe <region>.",
        "Look at the area marked by <region> and describe it in a sentence.",
    ),
)

BY_FORM = {AnswerForm.PHRASE: PHRASE, AnswerForm.CLAUSE: CLAUSE, AnswerForm.SENTENCE: SENTENCE}

# The request of evaluations: any description fits it, and it does not depend on the right answers.
EVALUATION = WordingSet(
    "region_caption_evaluation",
    ("<region>",),
    ("Give a short description of the region marked by <region>.",),
)

REFERRING_TASK = WordingSet(
    "referring_task",
    (),
    (
        "Each turn of this conversation marks one region of the picture; reply with a phrase that "
        "refers to the object in it and to no other.",
        "I am going to point at regions one at a time. For every one, answer with a short "
        "description by which somebody else could find it.",
        "Your task is to describe regions. You receive a single region per message and respond "
        "with a short phrase that sets it apart by its kind, its looks or its position.",
        "What follows is a list of regions, one per turn. For each, write the brief expression "
        "that a person would use to single it out in the picture.",
        "You will see regions of the picture one by one. Describe each in a few words, so that it is "
        "clear which one is meant; its attributes and its position may help.",
        "For every region you are shown, give a short phrase that sets it apart, and nothing else.",
    ),
)

REFERRING_TASK_NO_POSITION = WordingSet(
    "referring_task_no_position",
    (),
    (
        "Each turn of this conversation marks one region of the picture; reply with a phrase that "
        "refers to the object in it and to no other, and do not say where in the picture it is.",
        "I am going to point at regions one at a time. For every one, answer with a short "
        "description by which somebody else could find it, without words for its position in the picture.",
        "Your task is to describe regions. You receive a single region per message and respond "
        "with a short phrase about its kind, its looks or what it does, not about its location in the picture.",
        "What follows is a list of regions, one per turn. For each, write the brief expression "
        "by which somebody could single it out; do not say where in the picture it is.",
        "You will see regions of the picture one by one. Describe each in a few words, so that it is "
        "clear which one is meant; its attributes may help, but never mention its position in the picture.",
        "For every region you are shown, give a short phrase that sets it apart without naming its "
        "position.",
    ),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations of this task, in order.

    A conversation asks about a region once; further sentences go into further conversations.
    """
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    sentences = [item for item in screened.items if isinstance(item, Expression)]
    sentence_rounds = rounds(sentences, hasher, Task.REGION_CAPTION)
    definition = instruction.task_definitions.get(screened.image.source)
    if definition is None or instruction.style is not Style.GPT4ROI:
        return [_questions(ranked, regions, instruction) for ranked in sentence_rounds]
    wordings = instruction.wordings[definition]
    return [
        _pointing(ranked, regions, wordings.choose(hasher.rank(definition, ordinal)))
        for ordinal, ranked in enumerate(sentence_rounds)
    ]


def _questions(
    ranked: Sequence[RankedSentence], regions: Mapping[str, Region], instruction: Instruction
) -> list[Exchange]:
    named = instruction.style is Style.GPT4ROI
    turns = []
    for sentence, position in ranked:
        region = regions[sentence.region_id]
        form = answer_form(trained_text(sentence.text))
        wording, prompt = instruction.wordings[BY_FORM[form].name].choose(position)
        part: Part = RegionDefinition(region) if named else region
        turns.append(_exchange(filled(wording, "<region>", (part,)), sentence, prompt))
    return turns


def _pointing(
    ranked: Sequence[RankedSentence], regions: Mapping[str, Region], chosen: tuple[str, str]
) -> list[Exchange]:
    definition, prompt = chosen
    return [
        _exchange((regions[sentence.region_id],), sentence, prompt, definition)
        for sentence, _ in ranked
    ]


def _exchange(
    request: tuple[Part, ...], sentence: Expression, prompt: str, definition: str = ""
) -> Exchange:
    return Exchange(
        task=Task.REGION_CAPTION,
        request=request,
        answer=trained_text(sentence.text),
        prompt=prompt,
        prefix=definition,
        items=(sentence.id,),
    )
