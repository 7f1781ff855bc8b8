"""Build: the whole flow, from owners' files to verified shards, on one screen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter

from pipelines.attach import DescribeRegions
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.read import FACTS, ReadSources
from pipelines.write import WriteShards
from schemas.source import SplitFacts
from transforms.compose import ComposeConversations
from transforms.guard import GuardImages
from transforms.ledger import KEPT, REJECTED, TALLY
from transforms.screen import ScreenRegions
from transforms.subsample import (
    CategoryKey,
    FindSmallest,
    SampleRegions,
    Smallest,
    short_categories,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The stages that every flow begins with."""

    stages: tuple[Any, ...]
    facts: Any
    images: Any  # with the regions that the recipe takes
    short: Any  # categories that have fewer regions than asked for


def build(root: beam.Pipeline, plan: Plan, parts: int) -> None:
    """Lay out the pipeline of a build that reads each split in so many parts."""
    found = prepare(root, plan, parts)
    described = found.images | "Describe" >> DescribeRegions(plan.splits)
    composed = described[KEPT] | "Compose" >> ComposeConversations(
        plan.resolved.tasks, plan.resolved.instruction
    )
    written = composed[KEPT] | "Write" >> WriteShards(plan.write_options(), found.facts)

    stages = (*found.stages, described, composed, written)
    rejections = [stage[REJECTED] for stage in stages]
    tallies = [stage[TALLY] for stage in stages] | "Tallies" >> beam.Flatten()
    written[KEPT] | "Publish" >> Publish(plan, rejections, tallies, found.short)


def prepare(root: beam.Pipeline, plan: Plan, parts: int) -> Prepared:
    """Lay out the stages up to the images and regions that the recipe takes."""
    caps = plan.resolved.caps
    read = root | "Read" >> ReadSources(plan.splits, parts)
    guarded = read[KEPT] | "Guard" >> GuardImages(plan.guard.picture_names, plan.guard.forbidden)
    screened = guarded[KEPT] | "Screen" >> ScreenRegions(plan.recipe.masks)
    smallest = screened[KEPT] | "FindSmallest" >> FindSmallest(caps)
    sampled = screened[KEPT] | "Sample" >> SampleRegions(caps, smallest)
    short = read[FACTS] | "Short" >> beam.FlatMap(
        _short, AsIter(smallest), per_category=caps.per_category
    )
    return Prepared(
        stages=(read, guarded, screened, sampled),
        facts=read[FACTS],
        images=sampled[KEPT],
        short=short,
    )


def _short(
    facts: SplitFacts, smallest: Iterable[Smallest], per_category: Mapping[str, int]
) -> Iterable[tuple[CategoryKey, int]]:
    number = per_category.get(facts.source)
    if number is None or facts.label_set is None:
        return []
    split = facts.source, facts.split
    ranks = [(key, found) for key, found in smallest if key[:2] == split]
    declared = [(*split, category) for category in facts.label_set.categories]
    return short_categories(ranks, declared, number).items()
