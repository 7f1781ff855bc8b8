"""The task `multi_region_caption`: an owner's sentence that covers several regions.

RegionGPT style: one conversation about an image, a turn for each of its captions, which lists the
regions that the caption mentions; a region keeps its number when it is listed again.

GPT4RoI style: a conversation is about `captions_per_conversation` captions of an image. A caption's
turn lists its regions with number and placeholder ("region1 <region1> and region2 <region2>"), and
the turns below ask by name only about the regions of a phrase, which is the answer. Where the captions
of a conversation have several phrases for the same regions, the turn is that of the first phrase;
the others stand in their captions' turns only, so that no question has two answers. So does a
phrase for more than `MAX_GROUP` regions, whose question would be a list of numbers.

Followed of GPT4RoI:

- Table 3: two captions share a conversation, and the second one lists its regions again, under the
  same numbers. `gpt4roi_stage2` sets `captions_per_conversation: 2`.
- The released code: a list of regions, the caption as its answer, then turns about
  regions by their name without a new placeholder, of which Table 3 shows none; at most 150 regions
  an image.

Not followed of GPT4RoI:

- The released code has one caption in a conversation, as its files have a record for each sentence.
- It asks about each region alone, by the first phrase of its box. Here a phrase of several regions
  is asked about for all of them together: "three people" is true of no single region.
- Its list has commas only.
- It writes "region1" in the list and "region 1" below; here both are "region1".
- Its boxes enclose all boxes of a phrase and lie a pixel off; here they are the owner's.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.wordings import WordingSet
from schemas.ids import Hasher
from schemas.item import GroundedCaption, plain_text
from schemas.limits import MAX_GROUP
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

# Wordings that fit one region as well as many.
CAPTION = WordingSet(
    "multi_region_caption",
    ("<regions>",),
    (
        "Write a caption for the picture that mentions <regions>.",
        "Describe the picture briefly, covering what is marked: <regions>.",
        "Caption the image without leaving out any of the following: <regions>.",
        "What is going on in the scene with <regions>?",
        "I have marked <regions>. Describe the scene briefly.",
        "Tell me briefly what the scene with <regions> shows.",
        "Compose a caption that mentions everything marked here: <regions>.",
        "Give a short caption that includes <regions>.",
        "Sum up the picture, making sure to cover <regions>.",
        "Say what the picture shows, focusing on <regions>.",
        "Somebody marked <regions> in this picture. What would be a fitting caption?",
        "What would be a good caption for a picture with <regions>?",
        "How would you describe a picture that shows <regions>?",
        "Look at these regions: <regions>. Describe the scene.",
        "Please caption the scene; the caption should cover <regions>.",
        "Give a short description of the scene formed by <regions>.",
        "State what can be seen, including <regions>.",
        "Look closely at <regions>. Then briefly describe the scene as a whole.",
        "Write a short caption for the scene with <regions>.",
        "Write a short description of the picture that covers <regions>.",
        "Write a caption that describes what is inside <regions>.",
        "Describe what the photo shows, starting from <regions>.",
        "Marked in the picture: <regions>. Describe the scene.",
        "In plain words, what does the picture with <regions> show?",
    ),
)

PHRASE = WordingSet(
    "region_phrase",
    ("<region>",),
    (
        "What does <region> refer to?",
        "In your caption, which words describe <region>?",
        "Which phrase describes <region>?",
        "Now name what is in <region>.",
        "And what is in <region>?",
        "Give the phrase that describes <region>.",
        "What would you call <region>?",
        "Can you tell me what <region> is?",
        "What do you see in <region> alone?",
        "Say briefly what <region> shows.",
        "How did you refer to <region>?",
        "Of everything you described, what is <region>?",
        "Going back to <region>, describe it with a phrase.",
        "What does <region> mark?",
        "Please describe <region> in a few words.",
        "Who or what can be seen in <region>?",
        "Identify <region> with a short phrase.",
        "Which part of the scene is <region>?",
        "Let us look at <region>. What does it show?",
        "Which words of the caption belong to <region>?",
        "Name what is marked by <region>.",
        "What would be a short label for <region>?",
    ),
)

# Wordings that need at least two regions.
GROUP_PHRASE = WordingSet(
    "region_group_phrase",
    ("<regions>",),
    (
        "What do <regions> show together?",
        "Take <regions> as a group: what are they?",
        "Which phrase describes <regions> as a group?",
        "Give one phrase for <regions>, taken together.",
        "How did you refer to <regions> as a group?",
        "In your caption, which words describe <regions>?",
        "Who or what can be seen in <regions>, taken as a group?",
        "Find a phrase that covers <regions>.",
        "Say briefly what <regions> show.",
        "One phrase describes <regions>. What is it?",
        "Look at <regions> together. What do they show?",
        "If <regions> shared a label, what would it be?",
        "What would you call <regions> as a group?",
        "Which words of the caption belong to <regions> together?",
        "Going back to <regions>, describe them with a single phrase.",
        "What do <regions> mark together?",
        "Name what is marked by <regions> as a whole.",
        "Please describe <regions> as a group in a few words.",
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
        request=filled(
            wording,
            "<regions>",
            meant if alone else listed([RegionDefinition(region) for region in meant]),
        ),
        answer=detokenised(" ".join(plain_text(caption.caption).split())),
        prompt=prompt,
        items=(caption.id,),
    )


def _captions_and_phrases(
    ranked: Sequence[tuple[int, int, GroundedCaption]],
    regions: Mapping[str, Region],
    instruction: Instruction,
    hasher: Hasher,
) -> Iterator[Exchange]:
    """Yield the turn of each caption, and below it those of its phrases that are asked about."""
    by_regions = _phrases([caption for *_, caption in ranked])
    for _, position, caption in ranked:
        about = {
            meant: phrases
            for meant, phrases in by_regions.items()
            if phrases[0].caption_id == caption.id
        }
        large = [phrase for meant in about if len(meant) > MAX_GROUP for phrase in about[meant]]
        whole = _whole(caption, regions, instruction, position)
        yield replace(whole, other_phrases=tuple(phrase.phrase_id for phrase in large))
        for meant, phrases in about.items():
            if len(meant) <= MAX_GROUP:
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
