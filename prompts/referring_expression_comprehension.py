"""The task `referring_expression_comprehension`: choosing the candidate that a description fits.

A conversation asks one such question, with a list of candidates. The answer is `Region [k].`, or a
fixed sentence that no candidate fits (RegionGPT, Table 1). RegionGPT style only.

Every sentence makes a question with an answer where its image has a region that it does not fit. At
most one candidate fits a description: regions with the same sentence are never candidates side by
side, nor are regions that overlap so much that they mark the same object.

For a share of the sentences, a second question has no answer: it asks for an expression of another
image that is true of nothing in this one, about as long as the sentence. Its list is chosen as for
a question about the sentence, so that neither the list nor the rest of the conversation tells the
two sorts apart.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, Part, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.trained_text import trained_text
from prompts.turn_order import rounds
from prompts.wordings import WordingSet
from schemas.choice import NO_OPTION
from schemas.geometry import Box
from schemas.ids import RANK_BITS, Hasher, pick
from schemas.item import AbsentExpression, Expression
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION
SUFFIX = "Answer the question using the template Region [x]."  # RegionGPT, Table 1
_MIN_CANDIDATES = 2
MAX_CANDIDATES = 10
SAME_OBJECT = 0.5  # intersection over union from which two boxes mark one object

CHOICE = WordingSet(
    "region_choice",
    ("<candidates>", "<description>"),
    (
        'The picture has these candidate regions: <candidates>. Which of them fits "<description>"?',
        'Out of <candidates>, choose the one described as "<description>".',
        'Someone mentions "<description>". Which of <candidates> do they mean?',
        'Here are the options: <candidates>. Select the one that "<description>" refers to.',
        'Which of <candidates> does the description "<description>" refer to?',
        'Your options are <candidates>. Which one matches "<description>"?',
        'Find the region described as "<description>" among <candidates>.',
        'These regions are marked: <candidates>. Tell me which one fits "<description>".',
        'Take a look at <candidates>. Does one of them match "<description>", and if so, which?',
        'Which of <candidates> is best described as "<description>"?',
        'Choose from <candidates>. Which region matches "<description>"?',
        'I have marked <candidates> in the picture. Which of them is described as "<description>"?',
        'Which of the options <candidates> matches "<description>"?',
        'Consider <candidates> and name the one that matches the description "<description>".',
        'Choose only from <candidates>. Which one would you pick for "<description>"?',
        'Go through <candidates> one by one. Which of them does "<description>" describe?',
        'Given the marked regions <candidates>, which one is meant by "<description>"?',
        'Of the marked regions <candidates>, select the one that fits "<description>".',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choices:
    """The questions about the sentences of one image."""

    regions: Mapping[str, Region]
    fitting: Mapping[str, frozenset[str]]  # ids of the regions that a sentence may fit, by its id
    hasher: Hasher
    instruction: Instruction

    def of(self, sentence: Expression, absent: list[AbsentExpression]) -> Iterator[Exchange]:
        """Yield the question about a sentence, and for a share of sentences one without an answer.

        Args:
            sentence: the sentence.
            absent: expressions of other images. Where one is needed, the first of those whose
                length is nearest to the sentence's is taken out of the list.
        """
        share = self.instruction.rec_negatives
        second, host = self.hasher.ranks("negative", sentence.id)
        odds = share / (1 - share)  # so that the share is one of all questions
        expression = _like(sentence, absent) if second < odds * 2**RANK_BITS else None
        # Captions follow one of two questions only. Each sort is followed by them in `1 - share`
        # of its conversations: 1 - odds + odds * share = 1 - share. So their number tells nothing.
        first_hosts = expression is None or host < share * 2**RANK_BITS
        yield self._exchange(sentence, None, alone=not first_hosts)
        if expression is not None:
            yield self._exchange(sentence, expression, alone=first_hosts)

    def _exchange(
        self, sentence: Expression, expression: AbsentExpression | None, *, alone: bool
    ) -> Exchange:
        sort = "choice" if expression is None else "choice_of_none"
        length, position = self.hasher.ranks(sort, sentence.id)
        candidates = self._candidates(sentence, sort, length)
        wording, prompt = self.instruction.wordings[CHOICE.name].choose(position)
        request = wording.replace("<description>", trained_text((expression or sentence).text))
        listing = listed([RegionDefinition(region) for region in candidates])
        return Exchange(
            task=TASK,
            request=filled(request, "<candidates>", listing),
            answer=NO_OPTION if expression else answer_for(self.regions[sentence.region_id]),
            prompt=prompt,
            suffix=SUFFIX,
            items=(sentence.id,) if expression is None else (),
            apart=tuple(sorted(self.fitting[sentence.id])),
            alone=alone,
        )

    def _candidates(self, sentence: Expression, sort: str, length: int) -> list[Region]:
        """Return the region of a sentence and regions that it does not fit, in an order by hash."""
        others = self.regions.keys() - self.fitting[sentence.id]
        # One rank chooses the candidates, the other rank orders them.
        hasher = self.hasher.with_parts("candidate", sort, sentence.id)
        ranks = {name: hasher.ranks(name) for name in (sentence.region_id, *others)}
        most = min(MAX_CANDIDATES, len(ranks))
        count = pick(range(_MIN_CANDIDATES, most + 1), length)
        chosen = sorted(others, key=lambda name: (ranks[name][0], name))[: count - 1]
        ordered = sorted((sentence.region_id, *chosen), key=lambda name: (ranks[name][1], name))
        return [self.regions[name] for name in ordered]


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations of this task, in order: one for each question."""
    assert instruction.style is Style.REGIONGPT, (
        "candidates are numbered in the RegionGPT style only"
    )
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    sentences = [item for item in screened.items if isinstance(item, Expression)]
    fitting = _fitting(sentences, regions)
    usable = [sentence for sentence in sentences if len(fitting[sentence.id]) < len(regions)]
    choices = _Choices(regions=regions, fitting=fitting, hasher=hasher, instruction=instruction)
    absent = list(screened.absent)
    return [
        [exchange]
        for ranked in chain.from_iterable(rounds(usable, hasher, TASK))
        for exchange in choices.of(ranked.sentence, absent)
    ]


def _like(sentence: Expression, absent: list[AbsentExpression]) -> AbsentExpression | None:
    """Take the expression out of a list whose number of words is nearest to a sentence's."""
    if not absent:
        return None
    length = _length(sentence)
    nearest = min(range(len(absent)), key=lambda number: abs(_length(absent[number]) - length))
    return absent.pop(nearest)


def _length(expression: Expression | AbsentExpression) -> int:
    """Return the number of words of an expression as a question shows it."""
    return len(trained_text(expression.text).split())


def _fitting(
    sentences: Sequence[Expression], regions: Mapping[str, Region]
) -> dict[str, frozenset[str]]:
    """Return the ids of the regions of which each sentence may be true, by sentence id."""
    same_object = {
        region_id: [
            other_id
            for other_id, other in regions.items()
            if other_id == region_id or overlap(region.bbox, other.bbox) >= SAME_OBJECT
        ]
        for region_id, region in regions.items()
    }
    described: defaultdict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        described[_words(sentence)].update(same_object[sentence.region_id])
    return {sentence.id: frozenset(described[_words(sentence)]) for sentence in sentences}


def answer_for(region: Region) -> tuple[Part, ...]:
    """Return the answer that chooses a listed region: `Region [2].` (RegionGPT, Table 1)."""
    return RegionName(region), "."


def _words(sentence: Expression) -> str:
    return " ".join(detokenised(sentence.text).casefold().split())


def overlap(box: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (box, other)]
    return width * height / (sum(areas) - width * height)
