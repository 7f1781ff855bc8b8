"""Evaluation of questions about regions: a conversation of one turn per question.

The question is the owner's, with a region's number and placeholder where it is first mentioned;
the regions are numbered in the owner's order. Options stand below it, a line each, and then a
request for the letter alone:

    <image>
    Which of [1] <region1> and [2] <region2> is the cup?
    A. Region [1]
    B. Region [2]
    C. None of them
    Answer with the letter of the right option alone.

The answer is then the letter ("B"), the choices are all letters, and the references are the letter
and the option in full ("B. Region [2]"), for rules that take either. Without options the answer is
the owner's sentence.
"""

from itertools import chain
from string import ascii_uppercase

from prompts.dialogue import EvaluationTarget, Exchange, Part
from prompts.instruction import Instruction
from prompts.region_reasoning import AS_ASKED, count_mentions, in_place, names
from prompts.wordings import WordingSet
from schemas.item import Choices, Passage, RegionQuestion
from schemas.sample import Region, ScreenedImage, Task

LETTER = WordingSet(
    "region_question_letter", (), ("Answer with the letter of the right option alone.",)
)
LETTERS = ascii_uppercase  # of options, in order


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return a conversation for each question about regions, in order of the items."""
    regions = {region.region_id: region for region in screened.regions}
    return [
        [_exchange(item, regions, instruction)]
        for item in screened.items
        if isinstance(item, RegionQuestion)
    ]


def _exchange(
    item: RegionQuestion, regions: dict[str, Region], instruction: Instruction
) -> Exchange:
    request: Passage = item.question
    prompt = AS_ASKED
    answer: str | tuple[Part, ...]
    if item.options:
        wording, prompt = instruction.wordings[LETTER.name].choose(0)
        request = (*request, *_lines(item.options), f"\n{wording}")
        answer, target = _by_letter(item, item.options, regions)
    else:
        answer = _named(item.answer, regions)
        target = EvaluationTarget(item_id=item.id, group=item.group, references=(answer,))
    said = request if item.options else request + item.answer
    asked = set(item.region_ids())
    return Exchange(
        task=Task.REGION_REASONING,
        request=tuple(in_place(request, regions, nameless=count_mentions(said) == 1)),
        answer=answer,
        prompt=prompt,
        items=(item.id,),
        targets=(target,),
        numbered=tuple(region for name, region in regions.items() if name in asked),
    )


def _by_letter(
    item: RegionQuestion, options: Choices, regions: dict[str, Region]
) -> tuple[str, EvaluationTarget]:
    """Return the right option's letter, and what is scored."""
    letter = LETTERS[options.label]
    full: tuple[Part, ...] = (f"{letter}. ", *_named(options.passages[options.label], regions))
    return letter, EvaluationTarget(
        item_id=item.id,
        group=item.group,
        references=(letter, full),
        choices=tuple(LETTERS[: len(options.passages)]),
        label=options.label,
    )


def _lines(options: Choices) -> Passage:
    """Return the options as lines that begin with their letters."""
    lines = zip(LETTERS, options.passages, strict=False)
    return tuple(chain.from_iterable((f"\n{letter}. ", *passage) for letter, passage in lines))


def _named(passage: Passage, regions: dict[str, Region]) -> tuple[Part, ...]:
    """Return the parts of a passage, with the names of its regions."""
    parts: list[Part] = []
    for piece in passage:
        parts += [piece] if isinstance(piece, str) else names(piece, regions)
    return tuple(parts)
