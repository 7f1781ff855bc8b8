"""The task `referring_expression_comprehension`: choosing the candidate that a description fits.

The candidates are listed once, in the first turn of a conversation, and the later turns choose
among them. The answer is `Region [k]`, or a fixed sentence that no candidate fits
(RegionGPT, Table 1). RegionGPT style only.

At most one candidate fits a description: regions with the same sentence are never candidates side
by side, nor are regions that overlap so much that they mark the same object. A sentence becomes a
question only where two regions or more do not fit it, whether or not the question will have an
answer, so that there is always a choice; an image with two regions has no question.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange, RegionDefinition, RegionName, filled, listed
from prompts.instruction import Instruction
from prompts.style import Style
from prompts.turn_order import RankedSentence, rounds
from prompts.wordings import WordingSet
from schemas.check import NO_OPTION
from schemas.geometry import Box
from schemas.ids import RANK_BITS, Hasher
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage, Task

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION
SUFFIX = "Answer the question using the template Region [x]."  # RegionGPT, Table 1
_MIN_CANDIDATES = 2  # candidates of a conversation
MAX_CANDIDATES = 10  # the largest numbers of candidates and of questions in a conversation
_SAME_OBJECT = 0.5  # intersection over union from which two boxes mark one object

CHOICE = WordingSet(
    "region_choice",
    ("<candidates>", "<description>"),
    (
        'The picture has these candidate regions: <candidates>. Which of them fits "<description>"?',
        'Out of <candidates>, choose what is described as "<description>".',
        'Someone speaks of "<description>". Which is meant, given <candidates>?',
        'Here are the options: <candidates>. Select the one that "<description>" refers to.',
        'Compare <candidates> with the words "<description>" and say where they apply.',
        'Your options are <candidates>. Where is "<description>" to be found?',
        'Find "<description>" among <candidates>.',
        'Regions are marked as follows: <candidates>. Tell me which is "<description>".',
        'Take a look at <candidates>. Does one of them show "<description>", and which?',
        'Decide among <candidates>: which is best called "<description>"?',
        'With <candidates> to choose from, where do you see "<description>"?',
        'I have marked <candidates> in the picture. I am looking for "<description>": which is it?',
        'Which option out of <candidates> matches the words "<description>"?',
        'Consider <candidates> and name the one for which "<description>" is true.',
        'Only <candidates> may be chosen. Which one would you pick for "<description>"?',
        'Check <candidates> one after the other. Which shows "<description>"?',
        'Given the marked parts <candidates>, where does the phrase "<description>" belong?',
        'Of the marked parts <candidates>, give the one that "<description>" stands for.',
    ),
)

FURTHER_CHOICE = WordingSet(
    "region_choice_further",
    ("<description>",),
    (
        'And which one fits "<description>"?',
        'From the same candidates, choose what is described as "<description>".',
        'Which of them does "<description>" refer to?',
        'Now look for "<description>" among them.',
        'Where do you see "<description>"?',
        'Which is best called "<description>"?',
        'Next description: "<description>". Which candidate matches it?',
        'The options stay as they are. Which of them shows "<description>"?',
        'What about "<description>"?',
        'Select the option that the words "<description>" apply to.',
        'Point out "<description>" in the same way.',
        'Does one of the options show "<description>", and which?',
        'Tell me which of these is "<description>".',
        'Again among the regions listed, where is "<description>"?',
        'Pick the candidate meant by "<description>".',
        'Someone else speaks of "<description>". Which is meant?',
        'Name the candidate for which "<description>" is true.',
        'Given the list above, which one would you choose for "<description>"?',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A question: a description to be matched with candidates."""

    sentence: Expression
    order: int  # the position among the questions of its round
    position: int  # the rank that chooses the wording
    wanted: frozenset[str]  # ids of regions that must be candidates: the described region, or none
    barred: frozenset[str]  # ids of regions that must not be candidates


class _Choice:
    """An unfinished conversation: questions that can share the same candidates."""

    def __init__(self, region_ids: Iterable[str]) -> None:
        self.questions: list[_Question] = []
        self.wanted: frozenset[str] = frozenset()
        self.allowed = frozenset(region_ids)
        # A region is left out even where no negative requires it: a short list reveals little.
        self.max_candidates = len(self.allowed) - 1

    def takes(self, question: _Question) -> bool:
        """Add a question if all questions stay answerable; return whether it was added."""
        wanted = self.wanted | question.wanted
        allowed = self.allowed - question.barred
        if (
            not wanted <= allowed
            or len(allowed) < _MIN_CANDIDATES
            or len(wanted) > self.max_candidates
        ):
            return False
        self.questions.append(question)
        self.wanted, self.allowed = wanted, allowed
        return True


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations of this task, in order.

    A conversation asks about a region once; further sentences go into further conversations.
    """
    assert instruction.style is Style.REGIONGPT, (
        "candidates are numbered in the RegionGPT style only"
    )
    hasher = instruction.hasher(screened.image)
    regions = {region.region_id: region for region in screened.regions}
    sentences = [item for item in screened.items if isinstance(item, Expression)]
    fitting = _fitting(sentences, regions)
    # The choice of sentences for questions must not depend on whether they will have an answer:
    # leaving out more of one sort than of the other would change the share of negatives. Candidates
    # that would be left for a negative decide for both sorts.
    usable = [
        sentence
        for sentence in sentences
        if len(fitting[sentence.id]) <= len(regions) - _MIN_CANDIDATES
    ]
    # The rounds are those of the captions, so that a conversation of the one task and one of the
    # other can be merged without repeating a sentence.
    choices = [
        choice
        for ranked in rounds(usable, hasher, Task.REGION_CAPTION)
        for start in range(0, len(ranked), MAX_CANDIDATES)
        for choice in _choices(
            ranked[start : start + MAX_CANDIDATES], fitting, regions, hasher, instruction
        )
    ]
    return [
        list(_exchanges(choice, _candidates(choice, regions, hasher, ordinal), instruction))
        for ordinal, choice in enumerate(choices)
    ]


def _fitting(
    sentences: Sequence[Expression], regions: Mapping[str, Region]
) -> dict[str, frozenset[str]]:
    """Return the ids of the regions of which each sentence may be true, by sentence id."""
    same_object = {
        region_id: [
            other_id
            for other_id, other in regions.items()
            if other_id == region_id or overlap(region.bbox, other.bbox) >= _SAME_OBJECT
        ]
        for region_id, region in regions.items()
    }
    described: defaultdict[str, set[str]] = defaultdict(set)
    for sentence in sentences:
        described[_words(sentence)].update(same_object[sentence.region_id])
    return {sentence.id: frozenset(described[_words(sentence)]) for sentence in sentences}


def _choices(
    ranked: Sequence[RankedSentence],
    fitting: Mapping[str, frozenset[str]],
    regions: Mapping[str, Region],
    hasher: Hasher,
    instruction: Instruction,
) -> list[_Choice]:
    """Return the conversations of a round of sentences, which are all about different regions."""
    questions = []
    for order, (sentence, position) in enumerate(ranked):
        negative = hasher.rank("negative", sentence.id) < instruction.rec_negatives * 2**RANK_BITS
        wanted = frozenset(() if negative else (sentence.region_id,))
        questions.append(
            _Question(
                sentence=sentence,
                order=order,
                position=position,
                wanted=wanted,
                barred=fitting[sentence.id] - wanted,
            )
        )
    choices: list[_Choice] = []
    # The negatives come first, and the others are about the candidates that are left. Else a
    # list of all regions but one would always reveal that no candidate fits.
    for question in sorted(questions, key=lambda question: len(question.wanted)):
        if not any(choice.takes(question) for choice in choices):
            choices.append(_Choice(regions))
            assert choices[-1].takes(question), "a usable question can be asked alone"
    return choices


def _candidates(
    choice: _Choice, regions: Mapping[str, Region], hasher: Hasher, ordinal: int
) -> list[Region]:
    """Return a conversation's candidates in the order of its list."""
    # One rank chooses the candidates, the other rank orders them.
    ranks = {name: hasher.ranks("candidate", ordinal, name) for name in choice.allowed}
    others = sorted(choice.allowed - choice.wanted, key=lambda name: (ranks[name][0], name))
    taken = [
        *choice.wanted,
        *others[: min(MAX_CANDIDATES, choice.max_candidates) - len(choice.wanted)],
    ]
    return [regions[name] for name in sorted(taken, key=lambda name: (ranks[name][1], name))]


def _exchanges(
    choice: _Choice, candidates: Sequence[Region], instruction: Instruction
) -> Iterator[Exchange]:
    numbered = {region.region_id: RegionName(region) for region in candidates}
    for turn, question in enumerate(sorted(choice.questions, key=lambda asked: asked.order)):
        sentence = question.sentence
        wordings = instruction.wordings[(FURTHER_CHOICE if turn else CHOICE).name]
        wording, prompt = wordings.choose(question.position)
        request = wording.replace("<description>", detokenised(sentence.text))
        listing = listed([RegionDefinition(region) for region in candidates])
        yield Exchange(
            task=TASK,
            request=(request,) if turn else filled(request, "<candidates>", listing),
            answer=(numbered[sentence.region_id],) if question.wanted else NO_OPTION,
            prompt=prompt,
            suffix=SUFFIX,
            items=(sentence.id,),
        )


def _words(sentence: Expression) -> str:
    return " ".join(sentence.text.casefold().split())


def overlap(box: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (box, other)]
    return width * height / (sum(areas) - width * height)
