"""Brief questions about regions whose captioner also wrote a phrase or a sentence.

They are of the task `region_caption`, and go with the detailed ones: a conversation has a turn for
each such region, in an order by hash, which asks for one of its short texts. It is not merged with
those of other tasks, whose answers say the same at length.
"""

from collections.abc import Mapping

from prompts.dialogue import Exchange, Part, RegionDefinition, filled
from prompts.instruction import Instruction
from prompts.region_caption import PHRASE, SENTENCE
from prompts.wordings import WordingSet
from schemas.ids import pick
from schemas.item import CaptionKind, DetailedCaption
from schemas.sample import ScreenedImage, Task
from schemas.style import Style

BY_KIND: Mapping[CaptionKind, WordingSet] = {"phrase": PHRASE, "sentence": SENTENCE}


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's brief conversation in a list; an empty list without short captions."""
    hasher = instruction.hasher(screened.image)
    written = {
        item.region_id: item.id for item in screened.items if isinstance(item, DetailedCaption)
    }
    turns = []
    for region in screened.regions:
        brief = [
            each for each in region.captions if each.text != region.caption and each.kind in BY_KIND
        ]
        if region.caption is None or not brief:
            continue
        place, choice, position = (
            hasher.rank("brief", what, region.region_id) for what in ("order", "text", "wording")
        )
        caption = pick(brief, choice)
        wording, prompt = instruction.wordings[BY_KIND[caption.kind].name].choose(position)
        shown: Part = RegionDefinition(region) if instruction.style is Style.GPT4ROI else region
        exchange = Exchange(
            task=Task.REGION_CAPTION,
            request=filled(wording, "<region>", (shown,)),
            answer=caption.text,
            prompt=prompt,
            items=(written[region.region_id],) if region.region_id in written else (),
            alone=True,
        )
        turns.append((place, region.region_id, exchange))
    return [[turn for _, _, turn in sorted(turns, key=lambda each: each[:2])]] if turns else []
