"""The card's section on captioning: the model, the prompts, and the number of captions kept."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from pydantic import BaseModel, ConfigDict

from pipelines.card.markdown import code
from pipelines.recipes.recap import CONFIG, Captioning, ChosenBy, Filter
from pipelines.recipes.recap_presets import Views
from schemas.layout import REJECTED_FOLDER
from schemas.manifest import Manifest, SourceIdentity

_CHOSEN: Mapping[ChosenBy, str] = {
    "judge": "the judge holds most probable",
    "clip": "is most similar to its crop",
    "words": "agrees best with the others in its words",
}
# What the captioner saw of a region.
_SHOWN: Mapping[Views, str] = {
    "crop": "the crop of a region",
    "whole": "the whole picture with its regions outlined and numbered",
    "both": "the whole picture with its regions outlined and numbered, and the crop of a region,",
    "both-masked": "the whole picture with its regions outlined and numbered, and the crop of a "
    "region, dark outside of it,",
    "region": "the whole picture, and the box and mask of a region in numbers,",
}


class CaptionSettings(BaseModel):
    """The settings of a run of `recap` that its card states; others are left aside."""

    model_config = ConfigDict(frozen=True)

    captioning: Captioning
    filter: Filter
    min_words: int | None = None
    min_side: int = 0


def captioning_section(manifest: Manifest) -> str:
    """Return the section of a run of `recap`, without endpoints; empty for any other build."""
    source = manifest.identity.sources.get(CONFIG)
    if source is None:
        return ""
    settings = _settings(source)
    kept = settings.filter
    lines = [*_asked(settings.captioning), *_checked(settings), *_judged(kept), _kept(kept)]
    lines += _compared(kept)
    section = ["## How regions were captioned", "", *(f"- {line}" for line in lines)]
    made = (*agreement_lines(manifest), *repeat_lines(manifest))
    return "\n".join([*section, *map("- {}".format, made), *_sizes(manifest)])


def _settings(source: SourceIdentity) -> CaptionSettings:
    return CaptionSettings.model_validate(source.settings)


def agreement_lines(manifest: Manifest) -> Iterator[str]:
    """Yield how well the captions that were drawn of the same regions agree, if any were."""
    counts = [shard.agreement for shard in manifest.shards if shard.agreement]
    if regions := sum(count.regions for count in counts):
        mean = sum(count.total for count in counts) / regions
        chosen_by = _settings(manifest.identity.sources[CONFIG]).filter.chosen_by
        yield (
            f"of each of {regions:,} regions several captions were drawn, and the one was chosen "
            f"that {_CHOSEN[chosen_by]}; it shares {mean:.0%} of its words with the others on "
            "average, and disagrees in the rest"
        )


def repeat_lines(manifest: Manifest) -> Iterator[str]:
    """Yield how many captions repeat others, if they were compared."""
    counts = [shard.repeats for shard in manifest.shards if shard.repeats]
    if captions := sum(count.captions for count in counts):
        alike, openings = (
            sum(getattr(count, name) for count in counts) for name in ("alike", "openings")
        )
        yield (
            f"of {captions:,} captions that passed all other checks, {alike:,} repeat one of their "
            f"class, and {openings:,} begin as too many of their class do: they are left out"
        )


def _checked(recipe: CaptionSettings) -> Iterator[str]:
    if recipe.captioning.captioner != "builtin":
        yield (
            f"answers are left out that are no captions: below {recipe.min_words} words, about the "
            "picture or the request, a list, a denial, in another language, and so on; "
            f"`{REJECTED_FOLDER}/` has each with its reason"
        )
    if recipe.min_side:
        yield f"regions whose shorter side has fewer than {recipe.min_side} pixels are left out"


def _sizes(manifest: Manifest) -> Iterator[str]:
    """Yield the lines of a table of captions by the size of their regions."""
    regions: Counter[int] = Counter()
    captioned: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    for shard in manifest.shards:
        for least, count in shard.sizes.items():
            regions[int(least)] += count.regions
            captioned[int(least)] += count.captioned
            kept[int(least)] += count.kept
    if not regions:
        return
    yield ""
    yield "| shorter side of the region, pixels | regions | captioned | kept | share kept |"
    yield "|---|---:|---:|---:|---:|"
    for step in sorted(regions):
        share = 100 * kept[step] / regions[step]
        yield (
            f"| from {step} | {regions[step]:,} | {captioned[step]:,} | {kept[step]:,} "
            f"| {share:.1f} % |"
        )


def _asked(captioning: Captioning) -> Iterator[str]:
    if captioning.captioner == "builtin":
        yield f"by `{captioning.captioner_model}`, our own, which says only what it measures"
        return
    values = (("temperature", captioning.temperature), ("top-p", captioning.top_p))
    stated = [f"{name} {value:g}" for name, value in values if value is not None]
    sampling = " and ".join(stated) or "the server's own temperature"
    yield (
        f"by the model {code(_name_of(captioning.model))}, at {sampling}, "
        f"in {captioning.region_tokens} tokens at most"
    )
    if captioning.extra_body:
        yield f"with the parameters {code(json.dumps(captioning.extra_body))}"
    known = [
        "the caption of the whole image" if captioning.global_caption else "",
        "the name of the annotated class" if captioning.class_name else "",
        "names and places of the other annotated regions" if captioning.neighbours else "",
    ]
    *others, last = [each for each in known if each] or ["nothing"]
    given = f"{', '.join(others)} and {last}" if others else last
    yield f"beside {_SHOWN[captioning.views]} it was given {given}"
    if captioning.structured:
        yield (
            "an answer held a phrase, a sentence, a paragraph and attributes (`regions.captions`, "
            "`regions.attributes`)"
        )


def _compared(kept: Filter) -> Iterator[str]:
    if kept.max_alike is not None:
        yield (
            f"of two captions of a class that have more than {kept.max_alike:.0%} of their runs of "
            "five words in common, by an estimate, one is left out"
        )
    if kept.max_opening is not None:
        yield (
            f"at most {kept.max_opening:.0%} of a class's captions, or ten, begin with the same "
            "five words"
        )


def _name_of(model: str) -> str:
    """Return the name of a model: on the Hub, or of its folder without the folders above it."""
    return PurePath(model).name if PurePath(model).is_absolute() else model


def _judged(kept: Filter) -> Iterator[str]:
    if kept.measured_checks:
        yield (
            "captions are left out that describe another annotated object, or whose place boxes "
            "contradict, or whose color pixels do"
        )
    if not kept.judge_model:
        return
    unit = "each sentence" if kept.judge_sentences else "each text"
    least = (
        "none was left out for that"
        if kept.judge_min is None
        else f"{unit} is here that is true with a probability of {kept.judge_min:g} or more"
    )
    yield (
        f"the model {code(_name_of(kept.judge_model))} said of {unit} whether it is true "
        f"(`regions.captions.judge`); {least}"
    )


def _kept(kept: Filter) -> str:
    if kept.threshold is None:
        return "no caption was scored, and none left out for how well it fits its crop"
    least = (
        ""
        if kept.threshold_min is None
        else f", and of each sentence {kept.threshold_min:g} or more (`regions.captions.clip_min`)"
    )
    return (
        "captions are here whose CLIP similarity with their crop, a mean over sentences weighted "
        f"by their words (`regions.captions.clip`), is {kept.threshold:g} or more{least}, by "
        f"`{kept.scored_by}`; the others are in `{REJECTED_FOLDER}/`"
    )
