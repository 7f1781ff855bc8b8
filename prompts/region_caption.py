"""The task `region_caption`: a short description of one region, written by the owner.

RegionGPT style: each turn asks about a region in one of many wordings. GPT4RoI style: a source of
stage 1 has a task definition, which is stated once, and each user turn is a bare region (GPT4RoI,
Table 2); every other source uses the wordings of stage 2, where a region has a name.
"""

from collections.abc import Mapping, Sequence

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.style import Style
from prompts.turn_order import RankedSentence, rounds
from prompts.wordings import WordingSet
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage, Task

BRIEF = WordingSet(
    "region_caption",
    ("<region>",),
    (
        "Say in a few words what <region> shows.",
        "What is in <region>? A phrase will do.",
        "Describe <region>, and keep it short.",
        "What does <region> hold? A brief answer is enough.",
        "How would you refer to <region> when talking to somebody else?",
        "Put a short label on <region>.",
        "Sum up <region> in a single line.",
        "Write one brief line about <region>.",
        "What would you call the content of <region>? Be short.",
        "Tell me briefly what can be seen in <region>.",
        "Which brief caption suits <region>?",
        "Point out briefly what <region> is.",
        "Keep it short: what is <region>?",
        "State in brief what <region> contains.",
        "Which words would make clear that <region> is meant?",
        "Look at <region> and describe it with as few words as you need.",
        "Name what is meant by <region>.",
        "Just a few words on what fills <region>, please.",
        "Explain concisely what we see at <region>.",
        "What does the picture show at <region>? Be brief.",
        "Suppose you had to be brief about <region>: what would you say?",
        "Sketch <region> in words, briefly.",
        "Please caption <region> with a phrase or a sentence.",
        "Express in brief what <region> depicts.",
        "Which words fit <region>?",
        "Identify what is shown in <region> with a short description.",
        "Report what <region> holds, in one sentence at most.",
        "Someone asks what is at <region>. What is your short answer?",
        "Turn what you see in <region> into a short caption.",
        "In brief, what is there to say about <region>?",
        "Pick a few words that describe <region> well.",
        "Give me the gist of <region>.",
        "How would you put <region> into words, in short?",
        "Boil <region> down to a compact description.",
        "What should a caption under <region> say?",
        "Speak about <region>, plainly and briefly.",
        "Tell who, what or where <region> is, as briefly as you like.",
        "Summarise briefly what <region> covers.",
        "Note down in a few words what lies in <region>.",
        "If you were to point at <region>, what would you say?",
        "Describe what is in <region>, and do so briefly.",
        "What short description suits <region> best?",
        "Let me know, in short, what you make out in <region>.",
        "Refer to the content of <region> in your own few words.",
        "Find a short expression for what <region> shows.",
        "What do you notice in <region>? Answer in brief.",
    ),
)

SINGLE = WordingSet(
    "single_region_caption",
    ("<region>",),
    (
        "Describe <region> as you see it.",
        "What does <region> show?",
        "Speak of <region> and of what can be seen there.",
        "What can you say of <region>?",
        "Please describe what is in <region>.",
        "Asked about <region>, what would you say?",
        "What do you see at <region>?",
        "I need <region> described.",
        "Which caption goes with <region>?",
        "Caption the part of the picture marked as <region>.",
        "Put into words what <region> holds.",
        "I would like to know what is in <region>.",
        "Look at <region>: what is there?",
        "Could you tell me what <region> depicts?",
        "Which description would you give of <region>?",
        "Say what is visible in <region>.",
        "Explain what the picture shows at <region>.",
        "What is to be found in <region>?",
        "Turn your attention to <region> and describe it.",
        "Characterise what you find in <region>.",
        "Let me have your description of <region>.",
        "What is <region> about?",
        "Report on the part of the image inside <region>.",
    ),
)

REFERRING_TASK = WordingSet(
    "referring_task",
    (),
    (
        "Each turn of this conversation marks one region of the picture; reply with a phrase that "
        "refers to the object in it and to no other.",
        "I am going to point at regions one at a time. For every one, answer with a short "
        "description by which somebody else could find it.",
        "Your task is to refer to regions. You receive a single region per message and respond "
        "with a few words that tell it from all others, be it its kind, its looks or its place.",
        "What follows is a list of regions, one per turn. For each, write the brief expression "
        "that a person would use to single it out in the picture.",
        "Regions of the picture come one by one. Describe each in a few words, so that it is "
        "clear which one is meant; its attributes and its position may help.",
        "Say of every region you are shown what sets it apart, in a short phrase and nothing else.",
    ),
)

REFERRING_TASK_NO_POSITION = WordingSet(
    "referring_task_no_position",
    (),
    (
        "Each turn of this conversation marks one region of the picture; reply with a phrase that "
        "refers to the object in it and to no other, and do not say where in the picture it is.",
        "I am going to point at regions one at a time. For every one, answer with a short "
        "description by which somebody else could find it, without words of position.",
        "Your task is to refer to regions. You receive a single region per message and respond "
        "with a few words on its kind, its looks or what it does, and none on its location.",
        "What follows is a list of regions, one per turn. For each, write the brief expression "
        "by which somebody could single it out; leave its location out.",
        "Regions of the picture come one by one. Describe each in a few words, so that it is "
        "clear which one is meant; its attributes may help, but never mention its place.",
        "Say of every region you are shown what sets it apart, in a short phrase that names no "
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
    wordings = instruction.wordings[(SINGLE if named else BRIEF).name]
    turns = []
    for sentence, position in ranked:
        region = regions[sentence.region_id]
        wording, prompt = wordings.choose(position)
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
        answer=detokenised(sentence.text),
        prompt=prompt,
        prefix=definition,
        items=(sentence.id,),
    )
