"""Asking for a caption that covers several regions; the answer is a sentence of the owner's.

RegionGPT style: one conversation about an image, a turn for each of its captions, which lists the
regions that the caption mentions; a region keeps its number when it is listed again. GPT4RoI
style: a conversation for each caption; its first turn lists the regions, then one turn for each
asks about it by its name alone and is answered by the phrase that stands for it (GPT4RoI, Table 3).
"""

from collections.abc import Mapping, Sequence

from prompts.dialogue import Declared, Exchange, Named, Part, filled
from prompts.instruction import Instruction
from prompts.style import Style
from prompts.wordings import WordingSet
from schemas.ids import Chance
from schemas.item import GroundedCaption, Mention, plain_text
from schemas.sample import Region, ScreenedImage, Task

# Each fits one region as well as many.
CAPTION = WordingSet(
    "multi_region_caption",
    ("<regions>",),
    (
        "Write one sentence on the picture that takes in <regions>.",
        "Describe the picture in a sentence built around what is marked: <regions>.",
        "Caption the image so that nothing among the following is left out: <regions>.",
        "What is going on in the scene with <regions>?",
        "Here is a selection from the picture: <regions>. What sentence puts it in context?",
        "Tell me in one sentence what scene we find around <regions>.",
        "Compose a caption that mentions all that is marked here: <regions>.",
        "Give a single sentence that has a place for <regions>.",
        "Sum up the picture, making sure to cover <regions>.",
        "With your eye on <regions>, say what the picture shows.",
        "Somebody marked <regions> in this picture. What caption did they have in mind?",
        "Put the content of <regions> into one sentence about the picture.",
        "Which sentence describes the picture by way of <regions>?",
        "Take note of <regions> and write down what is happening.",
        "Please caption the scene; the caption has to account for <regions>.",
        "What would a one-sentence report on <regions> say?",
        "State in a sentence what can be seen, given the following: <regions>.",
        "Look closely at <regions>, then describe the scene as a whole in brief.",
        "How do you explain the scene that is made up by <regions>?",
        "Word a description of the picture that touches upon <regions>.",
        "Your sentence should speak of what lies within <regions>. What is it?",
        "Starting from <regions>, tell what the photographer saw.",
        "Marked in the picture: <regions>. Describe the scene in a line.",
        "Say in one plain sentence what happens at <regions>.",
    ),
)

PHRASE = WordingSet(
    "region_phrase",
    ("<region>",),
    (
        "What was meant by <region>?",
        "In your sentence, which words stand for <region>?",
        "Which phrase goes with <region>?",
        "Now name what is in <region>.",
        "And what is <region>, in a few words?",
        "Give the phrase for <region>.",
        "What do you call the content of <region>?",
        "Can you tell what <region> is by itself?",
        "Take <region> alone: what is it?",
        "Say briefly what <region> holds.",
        "How is <region> referred to?",
        "Of all you described, what is <region>?",
        "Come back to <region> and put it into a phrase.",
        "What does <region> mark?",
        "A few words on <region>, please.",
        "Who or what is to be seen in <region>?",
        "Identify <region> with a short phrase.",
        "State which part of the scene <region> is.",
        "Let us look at <region>. What does it show?",
        "Which words of the caption belong to <region>?",
        "Pick out <region> and name it.",
        "What should the label on <region> read?",
    ),
)


def dialogues(found: ScreenedImage, how: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations about its captions, in order."""
    chance = how.chance(found.image)
    regions = {region.region_id: region for region in found.regions}
    captions = [item for item in found.items if isinstance(item, GroundedCaption)]
    # One rank orders the captions, the other one chooses the wording of each.
    drawn = sorted(
        [(*chance.ranks(CAPTION.name, caption.id), caption) for caption in captions],
        key=lambda item: (item[0], item[2].id),
    )
    if how.style is Style.GPT4ROI:
        return [
            [
                _whole(caption, regions, how, position),
                *_one_by_one(caption, regions, how, chance),
            ]
            for _, position, caption in drawn
        ]
    turns = [_whole(caption, regions, how, position) for _, position, caption in drawn]
    return [turns] if turns else []


def _whole(
    caption: GroundedCaption, regions: Mapping[str, Region], how: Instruction, position: int
) -> Exchange:
    meant = [regions[region_id] for region_id in caption.region_ids()]
    # A region alone needs a number only where it will be named by it.
    alone = len(meant) == 1 and how.style is Style.REGIONGPT
    wording, prompt = how.wordings[CAPTION.name].choose(position)
    return Exchange(
        task=Task.MULTI_REGION_CAPTION,
        request=filled(wording, "<regions>", meant if alone else _numbered(meant)),
        answer=" ".join(plain_text(caption.caption).split()),
        prompt=prompt,
        items=(caption.id,),
    )


def _numbered(regions: Sequence[Region]) -> list[Part]:
    parts: list[Part] = []
    for region in regions:
        parts += [", ", Declared(region)] if parts else [Declared(region)]
    return parts


def _one_by_one(
    caption: GroundedCaption, regions: Mapping[str, Region], how: Instruction, chance: Chance
) -> list[Exchange]:
    """Return a turn for each region of a caption, which the turn before them has numbered."""
    turns = []
    for region_id, phrase in _phrases(caption).items():
        position = chance.rank(PHRASE.name, caption.id, region_id)
        wording, prompt = how.wordings[PHRASE.name].choose(position)
        turns.append(
            Exchange(
                task=Task.REGION_CAPTION,
                request=filled(wording, "<region>", (Named(regions[region_id]),)),
                answer=phrase,
                prompt=prompt,
                items=(caption.id,),
            )
        )
    return turns


def _phrases(caption: GroundedCaption) -> dict[str, str]:
    """Return the phrase of each region, its first where it has several, in order of mention."""
    phrases: dict[str, str] = {}
    for piece in caption.caption:
        if isinstance(piece, Mention):
            for region_id in piece.region_ids:
                phrases.setdefault(region_id, piece.text)
    return phrases
