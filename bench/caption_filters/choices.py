"""The choice among several captions of each region: by their words, by CLIP, or by the judge."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.caption_filters.actors import Samples
from bench.caption_filters.runs import BY_SENTENCE, Simulation
from pipelines.recipes.recap import Filter
from transforms.sentences import sentences


@dataclass(frozen=True, slots=True)
class Choice:
    """What a way to choose has made of the captions."""

    name: str
    precision: float  # share of the captions that are in of which all is true
    kept: float  # share of the regions that have a caption
    true_left: float  # mean number of true sentences of a region


def choices(simulated: Simulation) -> Iterator[Choice]:
    """Yield what each way to choose makes of the captions, without filters and with."""
    captions = simulated.captions
    first = {region: samples[:1] for region, samples in captions.items()}
    unfiltered = Filter(judge_model="scripted")
    filtered = Filter(**BY_SENTENCE, measured_checks=True)
    yield choice("the first caption", captions, simulated.kept_by("first", Filter(), first))
    by_words = simulated.kept_by("words", Filter())
    yield choice("by words", captions, by_words)
    clip = simulated.calibrated("words")
    every = Filter(**{**clip, "threshold": -1.0})
    yield choice("by CLIP", captions, simulated.kept_by("clip", every))
    yield choice("by the judge", captions, simulated.kept_by("judge", unfiltered))
    ways = {
        "the first caption, then all filters": first,
        "by words, then all filters": chosen(captions, by_words),
        "by the judge, with all filters": captions,
    }
    for name, samples in ways.items():
        yield choice(name, captions, simulated.kept_by(name, filtered, samples))


def chosen(captions: Samples, kept: dict[str, str]) -> Samples:
    """Return of each region the caption that a run has kept, or the first where it kept none."""
    return {
        region: [next((each for each in samples if each.text == kept.get(region)), samples[0])]
        for region, samples in captions.items()
    }


def choice(name: str, captions: Samples, kept: dict[str, str]) -> Choice:
    """Return what a way to choose has made of the captions."""
    true = {
        region: {text for each in samples for text in each.that_are(is_true=True)}
        for region, samples in captions.items()
    }
    left = {region: set(sentences(text)) for region, text in kept.items()}
    return Choice(
        name=name,
        precision=sum(texts <= true[region] for region, texts in left.items()) / len(left),
        kept=len(left) / len(captions),
        true_left=sum(len(texts & true[region]) for region, texts in left.items()) / len(captions),
    )


def table(rows: list[Choice]) -> str:
    """Return the table in Markdown."""
    head = ("captions of which all is true", "regions with a caption", "true sentences a region")
    lines = [f"| choice | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    lines += [
        f"| {row.name} | {row.precision:.1%} | {row.kept:.1%} | {row.true_left:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)
