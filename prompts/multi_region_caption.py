"""The task `multi_region_caption`: an owner's sentence that covers several regions.

RegionGPT style: one conversation about an image, a turn for each of its captions, which lists the
regions that the caption mentions; a region keeps its number when it is listed again. GPT4RoI
style: a conversation for each caption; the first turn lists the regions, and further turns ask by
name only about the regions of a phrase, which is the answer (GPT4RoI, Table 3): about
one region, or about several together, because "three people" is true of no single region. Where a
caption has several phrases for the same regions, the turn is that of the first phrase; the others
are told in the caption's turn only.
"""

from collections.abc import Mapping, Sequence

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, Part, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.style import Style
from prompts.wordings import WordingSet
from schemas.ids import Hasher
from schemas.item import GroundedCaption, plain_text
from schemas.sample import Region, ScreenedImage, Task

# Wordings that fit one region as well as many.
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

# Wordings that need at least two regions.
GROUP_PHRASE = WordingSet(
    "region_group_phrase",
    ("<regions>",),
    (
        "What are <regions> together?",
        "Take <regions> as a group: what are they?",
        "Which phrase goes with <regions> as a whole?",
        "Give one phrase for <regions>, taken together.",
        "How are <regions> referred to as a group?",
        "In your sentence, which words stand for <regions> at once?",
        "Who or what is to be seen in <regions>, all in all?",
        "Find a common name for <regions>.",
        "Say briefly what <regions> hold between them.",
        "One phrase is meant for all of <regions>. Which is it?",
        "Look at <regions> together. What do they show?",
        "If <regions> were to share a label, what should it read?",
        "What do you call <regions> when you speak of them jointly?",
        "Which words of the caption belong to <regions> collectively?",
        "Come back to <regions> and put them into a single phrase.",
        "What do <regions> mark, seen as one?",
        "Tell what <regions> make up together.",
        "A few words on <regions> as a group, please.",
    ),
)


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations about its captions, in order."""
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    captions = [item for item in screened.items if isinstance(item, GroundedCaption)]
    # One rank orders the captions, the other one chooses the wording of each.
    ranked = sorted(
        [(*hasher.ranks(CAPTION.name, caption.id), caption) for caption in captions],
        key=lambda item: (item[0], item[2].id),
    )
    if instruction.style is Style.GPT4ROI:
        return [
            [
                _whole(caption, regions, instruction, position),
                *_phrase_by_phrase(caption, regions, instruction, hasher),
            ]
            for _, position, caption in ranked
        ]
    turns = [_whole(caption, regions, instruction, position) for _, position, caption in ranked]
    return [turns] if turns else []


def _whole(
    caption: GroundedCaption, regions: Mapping[str, Region], instruction: Instruction, position: int
) -> Exchange:
    meant = [regions[region_id] for region_id in caption.region_ids()]
    # A single region needs a number only if later text names it.
    alone = len(meant) == 1 and instruction.style is Style.REGIONGPT
    wording, prompt = instruction.wordings[CAPTION.name].choose(position)
    return Exchange(
        task=Task.MULTI_REGION_CAPTION,
        request=filled(wording, "<regions>", meant if alone else _numbered(meant)),
        answer=detokenised(" ".join(plain_text(caption.caption).split())),
        prompt=prompt,
        items=(caption.id,),
    )


def _numbered(regions: Sequence[Region]) -> list[Part]:
    parts: list[Part] = []
    for region in regions:
        parts += [", ", RegionDefinition(region)] if parts else [RegionDefinition(region)]
    return parts


def _phrase_by_phrase(
    caption: GroundedCaption,
    regions: Mapping[str, Region],
    instruction: Instruction,
    hasher: Hasher,
) -> list[Exchange]:
    """Return a turn for each phrase of a caption, whose regions an earlier turn has numbered."""
    turns = []
    for meant, phrases in _phrases(caption).items():
        (phrase_id, text), *others = phrases
        alone = len(meant) == 1
        wordings = instruction.wordings[(PHRASE if alone else GROUP_PHRASE).name]
        wording, prompt = wordings.choose(hasher.rank(wordings.name, caption.id, *meant))
        names = listed([RegionName(regions[region_id]) for region_id in meant])
        turns.append(
            Exchange(
                task=Task.REGION_CAPTION if alone else Task.MULTI_REGION_CAPTION,
                request=filled(wording, wordings.placeholders[0], names),
                answer=detokenised(text),
                prompt=prompt,
                items=(caption.id,),
                phrase=phrase_id,
                other_phrases=tuple(other_id for other_id, _ in others),
            )
        )
    return turns


def _phrases(caption: GroundedCaption) -> dict[tuple[str, ...], list[tuple[str, str]]]:
    """Return the ids and texts of the phrases for each region or group of regions, by region ids.

    The phrases, and the regions of a phrase, are in the order in which the caption mentions them;
    the third phrase of the caption 7#0 has the id 7#0/3.
    """
    phrases: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for number, phrase in enumerate(caption.phrases(), start=1):
        meant = tuple(name for name in caption.region_ids() if name in phrase.region_ids)
        phrases.setdefault(meant, []).append((f"{caption.id}/{number}", phrase.text))
    return phrases
