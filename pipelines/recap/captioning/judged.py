"""What is left of a caption by the answers of a judge, and by what boxes and pixels contradict.

Both are about units: whole texts, or single sentences; an attribute is a unit by itself. Of several
captions of a region the one stays whose units are the most probable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import mul
from typing import NamedTuple

from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recipes.recap import ChosenBy, Filter
from prompts.recap_judge import attribute_sentence
from schemas.rejection import Reason, Rejected
from transforms.sentences import sentences

# Of each unit, the probability that it is true, or what contradicts it, or why the judge said
# neither yes nor no to it (`Unjudged`).
Verdicts = Mapping[str, float | Rejected]


class Unjudged(Rejected):
    """The cause for which nothing is known of a unit."""

    def __init__(self, detail: str) -> None:
        """Make the cause."""
        super().__init__(Reason.CAPTION_UNJUDGED, detail)


class JudgedFalse(Rejected):
    """The refusal of a caption of which too little is left."""

    def __init__(self, reason: Reason, detail: str, probability: float | None) -> None:
        """Make a refusal; `probability` is of the least likely unit, None: of none is it known."""
        super().__init__(reason, detail)
        self.probability = probability


class Judged(NamedTuple):
    """A caption that was drawn of a region, and what is left of it."""

    caption: Captioned
    left: Captioned | Rejected
    truth: float  # see `truth_of`


class _Left(NamedTuple):
    text: str  # what is left of a text
    probability: float  # of the least likely unit in it


def pieces_of(text: str, *, by_sentence: bool) -> list[str]:
    """Return the units of a text: its sentences, or itself."""
    return sentences(text) if by_sentence else [text]


def units_of(caption: Captioned, *, by_sentence: bool) -> list[str]:
    """Return the units of all that a caption says, each once, in order."""
    units = [unit for text in caption.texts for unit in pieces_of(text, by_sentence=by_sentence)]
    return list(dict.fromkeys([*units, *map(attribute_sentence, caption.attributes)]))


def after_judging(
    caption: Captioned, verdicts: Verdicts, limits: Filter, least_words: int
) -> Captioned:
    """Return what is left of a caption.

    Args:
        caption: the caption.
        verdicts: what is known of each unit of the caption.
        limits: the probability that a unit must reach, and whether sentences are judged.
        least_words: the least number of words of a caption of which sentences are left out.

    Raises:
        JudgedFalse: nothing is left of its text, or too little; the detail holds the text.
    """
    left = {text: _left(text, verdicts, limits) for text in caption.texts}
    main = left[caption.text]
    if main is None or (main.text != caption.text and len(main.text.split()) < least_words):
        raise _rejected(caption, verdicts, limits, main)
    others = [left[text] for text in caption.others]
    kept = {each.text: each.probability for each in others if each and each.text != main.text}
    attributes = [
        each for each in caption.attributes if _passes(verdicts[attribute_sentence(each)], limits)
    ]
    return replace(
        caption,
        text=main.text,
        others=tuple(kept),
        attributes=tuple(attributes),
        true={**kept, main.text: main.probability} if limits.judge_model else {},
    )


def truth_of(caption: Captioned, verdicts: Verdicts, *, by_sentence: bool) -> float:
    """Return the mean probability of a caption's units, weighted by their words.

    What is contradicted, or neither affirmed nor denied, counts as 0.
    """
    units = units_of(caption, by_sentence=by_sentence)
    words = [len(unit.split()) for unit in units]
    known = [
        verdict if isinstance(verdict, float) else 0.0
        for verdict in (verdicts[unit] for unit in units)
    ]
    return sum(map(mul, words, known)) / sum(words)


def choose(samples: Sequence[Judged], chosen_by: ChosenBy) -> Judged:
    """Return the caption of a region that stays, of one or more, those that agree best first.

    It is one of which something is left, where there is one, and the most probable of these; of
    equal ones the first. Where the scorer chooses, all others of which something is left are its
    samples.
    """
    best = max(samples, key=lambda each: (isinstance(each.left, Captioned), each.truth))
    if isinstance(best.left, Rejected):
        return best
    left = [each.left for each in samples if isinstance(each.left, Captioned)]
    others = [each for each in left if each is not best.left] if chosen_by == "clip" else []
    return best._replace(left=replace(best.left, samples=tuple(others)))


def _left(text: str, verdicts: Verdicts, limits: Filter) -> _Left | None:
    """Return a text without the units that do not pass; None where none passes."""
    pieces = pieces_of(text, by_sentence=limits.judge_sentences)
    kept = [piece for piece in pieces if _passes(verdicts[piece], limits)]
    if not kept:
        return None
    whole = text if len(kept) == len(pieces) else " ".join(kept)
    return _Left(whole, min(_known(verdicts[piece] for piece in kept)))


def _passes(verdict: float | Rejected, limits: Filter) -> bool:
    return isinstance(verdict, float) and verdict >= (limits.judge_min or 0.0)


def _known(verdicts: Iterable[float | Rejected]) -> list[float]:
    return [verdict for verdict in verdicts if isinstance(verdict, float)]


def _rejected(
    caption: Captioned, verdicts: Verdicts, limits: Filter, main: _Left | None
) -> JudgedFalse:
    """Return why a caption is rejected."""
    pieces = pieces_of(caption.text, by_sentence=limits.judge_sentences)
    of_pieces = [verdicts[piece] for piece in pieces]
    least = min(_known(of_pieces), default=None)
    shown = f"; caption: {caption.text}"
    causes = [verdict for verdict in of_pieces if isinstance(verdict, Rejected)]
    against = [cause for cause in causes if not isinstance(cause, Unjudged)]
    if against or least is None:
        cause = (against or causes)[0]
        return JudgedFalse(cause.reason, f"{cause.detail}{shown}", least)
    what = f"true with a probability of {least:.4f}"
    if limits.judge_sentences:
        passed = sum(_passes(verdict, limits) for verdict in of_pieces)
        rest = f", which leaves {len(main.text.split())} words" if main else ""
        what = f"{passed} of {len(pieces)} sentences are true{rest}"
    expected = f"expected {limits.judge_min or 0.0:.4f} at least"
    return JudgedFalse(Reason.CAPTION_JUDGED_FALSE, f"{what}; {expected}{shown}", least)
