"""The task `multi_region_caption`: an owner's sentence that covers several regions.

RegionGPT style: one conversation about an image, a turn for each of its captions, which lists the
regions that the caption mentions; a region keeps its number when it is listed again.

GPT4RoI style: a conversation is about `captions_per_conversation` captions of an image. A caption's
turn lists its regions with number and placeholder ("region1 <region1>, region2 <region2>"), and the
turns below ask by name only about the regions of a phrase, which is the answer. Where the captions
of a conversation have several phrases for the same regions, the turn is that of the first phrase;
the others stand in their captions' turns only, so that no question has two answers.

Followed of GPT4RoI:

- Table 3: two captions share a conversation, and the second one lists its regions again, under the
  same numbers. `gpt4roi_stage2` sets `captions_per_conversation: 2`.
- The released code: the list of regions as above, the caption as its answer, then turns about
  regions by their name without a new placeholder, of which Table 3 shows none; at most 150 regions
  an image.

Not followed of GPT4RoI:

- The released code has one caption in a conversation, as its files have a record for each sentence.
- It asks about each region alone, by the first phrase of its box. Here a phrase of several regions
  is asked about for all of them together: "three people" is true of no single region.
- It writes "region1" in the list and "region 1" below; here both are "region1".
- Its boxes enclose all boxes of a phrase and lie a pixel off; here they are the owner's.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

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
        count = instruction.captions_per_conversation
        return [
            list(_captions_and_phrases(ranked[start : start + count], regions, instruction, hasher))
            for start in range(0, len(ranked), count)
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


def _captions_and_phrases(
    ranked: Sequence[tuple[int, int, GroundedCaption]],
    regions: Mapping[str, Region],
    instruction: Instruction,
    hasher: Hasher,
) -> Iterator[Exchange]:
    """Yield the turn of each caption, and below it those of its phrases that are asked about."""
    by_regions = _phrases([caption for *_, caption in ranked])
    for _, position, caption in ranked:
        yield _whole(caption, regions, instruction, position)
        for meant, phrases in by_regions.items():
            if phrases[0].caption_id == caption.id:
                yield _about_phrase(meant, phrases, regions, instruction, hasher)


def _about_phrase(
    meant: Sequence[str],
    phrases: Sequence["_Phrase"],
    regions: Mapping[str, Region],
    instruction: Instruction,
    hasher: Hasher,
) -> Exchange:
    """Return the turn about regions by name, whose answer is the first phrase for them."""
    first, *others = phrases
    alone = len(meant) == 1
    wordings = instruction.wordings[(PHRASE if alone else GROUP_PHRASE).name]
    wording, prompt = wordings.choose(hasher.rank(wordings.name, first.caption_id, *meant))
    names = listed([RegionName(regions[region_id]) for region_id in meant])
    return Exchange(
        task=Task.REGION_CAPTION if alone else Task.MULTI_REGION_CAPTION,
        request=filled(wording, wordings.placeholders[0], names),
        answer=detokenised(first.text),
        prompt=prompt,
        items=(first.caption_id,),
        follows=True,
        phrase=first.phrase_id,
        other_phrases=tuple(phrase.phrase_id for phrase in others),
    )


class _Phrase(NamedTuple):
    """A phrase of a caption; the third one of the caption 7#0 has the id 7#0/3."""

    caption_id: str
    phrase_id: str
    text: str


def _phrases(captions: Sequence[GroundedCaption]) -> dict[tuple[str, ...], list[_Phrase]]:
    """Return the phrases for each region or group of regions, by region ids.

    The phrases are in the order of the captions and of their mentions, and the regions of a phrase
    in the order in which the captions mention them.
    """
    order = list(dict.fromkeys(chain.from_iterable(caption.region_ids() for caption in captions)))
    phrases: dict[tuple[str, ...], list[_Phrase]] = {}
    for caption in captions:
        for number, phrase in enumerate(caption.phrases(), start=1):
            meant = tuple(name for name in order if name in phrase.region_ids)
            stated = _Phrase(caption.id, f"{caption.id}/{number}", phrase.text)
            phrases.setdefault(meant, []).append(stated)
    return phrases
