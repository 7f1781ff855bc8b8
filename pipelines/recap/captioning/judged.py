"""What a judge's answers leave of a caption: all of it, some of its sentences, or nothing.

A judge is asked about units: whole texts, or single sentences; an attribute is a unit by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recipes.recap import Filter
from prompts.recap_judge import attribute_sentence
from schemas.rejection import Reason, Rejected
from transforms.sentences import sentences

# The probability of each unit; None: the judge said neither yes nor no to it.
Verdicts = Mapping[str, float | None]


class JudgedFalse(Rejected):
    """The refusal of a caption of which a judge's answers leave too little."""

    def __init__(self, reason: Reason, detail: str, probability: float | None) -> None:
        """Make a refusal; `probability` is of the least likely unit, None: of none is it known."""
        super().__init__(reason, detail)
        self.probability = probability


def units_of(caption: Captioned, *, by_sentence: bool) -> list[str]:
    """Return what a judge is asked about a caption, each once, in order."""
    units = [unit for text in caption.texts for unit in pieces_of(text, by_sentence=by_sentence)]
    return list(dict.fromkeys([*units, *map(attribute_sentence, caption.attributes)]))


def after_judging(
    caption: Captioned, verdicts: Verdicts, limits: Filter, least_words: int
) -> Captioned:
    """Return what is left of a caption by a judge's answers.

    Args:
        caption: the caption.
        verdicts: the judge's answers to `units_of` the caption.
        limits: the probability that a unit must reach, and whether sentences are judged.
        least_words: the least number of words of a caption of which sentences are left out.

    Raises:
        JudgedFalse: nothing is left of its text, or too little; the detail holds the text.
    """
    left = {text: _left(text, verdicts, limits) for text in caption.texts}
    main = left[caption.text]
    if main is None or (main != caption.text and len(main.split()) < least_words):
        raise _rejected(caption, verdicts, limits, main)
    others = [left[text] for text in caption.others]
    kept = tuple(dict.fromkeys(text for text in others if text is not None and text != main))
    return replace(
        caption,
        text=main,
        others=kept,
        attributes=tuple(
            each
            for each in caption.attributes
            if _passes(verdicts[attribute_sentence(each)], limits)
        ),
        true={text: _probability(text, verdicts, limits) for text in (*kept, main)},
    )


def pieces_of(text: str, *, by_sentence: bool) -> list[str]:
    """Return the units of a text: its sentences, or itself."""
    return sentences(text) if by_sentence else [text]


def _known(pieces: list[str], verdicts: Verdicts) -> Iterator[float]:
    return (known for known in map(verdicts.__getitem__, pieces) if known is not None)


def _passes(verdict: float | None, limits: Filter) -> bool:
    return verdict is not None and verdict >= (limits.judge_min or 0.0)


def _left(text: str, verdicts: Verdicts, limits: Filter) -> str | None:
    """Return a text without the units that do not pass; None where none passes."""
    pieces = pieces_of(text, by_sentence=limits.judge_sentences)
    kept = [piece for piece in pieces if _passes(verdicts[piece], limits)]
    if len(kept) == len(pieces):
        return text
    return " ".join(kept) or None


def _probability(text: str, verdicts: Verdicts, limits: Filter) -> float:
    return min(_known(pieces_of(text, by_sentence=limits.judge_sentences), verdicts))


def _rejected(
    caption: Captioned, verdicts: Verdicts, limits: Filter, main: str | None
) -> JudgedFalse:
    """Return why a caption is rejected."""
    pieces = pieces_of(caption.text, by_sentence=limits.judge_sentences)
    known = list(_known(pieces, verdicts))
    if not known:
        what = "the judge says neither yes nor no"
        return JudgedFalse(Reason.CAPTION_UNJUDGED, f"{what}; caption: {caption.text}", None)
    least = f"expected {limits.judge_min or 0.0:.4f} at least"
    what = f"true with a probability of {min(known):.4f}, {least}"
    if limits.judge_sentences:
        passed = sum(value >= (limits.judge_min or 0.0) for value in known)
        rest = f", which leaves {len(main.split())} words" if main else ""
        what = f"{passed} of {len(pieces)} sentences are true{rest}; {least}"
    detail = f"{what}; caption: {caption.text}"
    return JudgedFalse(Reason.CAPTION_JUDGED_FALSE, detail, min(known))
