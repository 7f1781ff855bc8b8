"""Build: the whole flow, from owners' files to verified shards, on one screen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, PCollection

from pipelines.attach import DescribeRegions
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.read import ReadSources
from pipelines.write import WriteShards
from schemas.sample import ScreenedImage
from schemas.source import SplitFacts
from transforms.compose import ComposeConversations
from transforms.guard import GuardImages
from transforms.screen import ScreenRegions
from transforms.stage import StageOutputs
from transforms.subsample import (
    CategoryKey,
    FindSmallest,
    SampleRegions,
    Smallest,
    short_categories,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The stages that every flow begins with, and what they give on."""

    stages: tuple[StageOutputs[Any], ...]
    facts: PCollection[SplitFacts]
    images: PCollection[list[ScreenedImage]]  # with the regions that the recipe takes
    short: PCollection[tuple[CategoryKey, int]]  # categories with fewer regions than asked for


def build(root: beam.Pipeline, plan: Plan, parts: int) -> None:
    """Lay out the pipeline of a build that reads each split in so many parts."""
    prepared = prepare(root, plan, parts)
    described = prepared.images | "Describe" >> DescribeRegions(plan.splits)
    composed = described.kept | "Compose" >> ComposeConversations(
        plan.resolved.tasks, plan.resolved.instruction
    )
    written = composed.kept | "Write" >> WriteShards(plan.write_options(), prepared.facts)

    stages = (*prepared.stages, described, composed, written)
    written.kept | "Publish" >> Publish(plan, stages, prepared.short)


def prepare(root: beam.Pipeline, plan: Plan, parts: int) -> Prepared:
    """Lay out the stages up to the images and regions that the recipe takes."""
    caps = plan.resolved.caps
    read, facts = root | "Read" >> ReadSources(plan.splits, parts)
    guarded = read.kept | "Guard" >> GuardImages(plan.guard.picture_names, plan.guard.forbidden)
    screened = guarded.kept | "Screen" >> ScreenRegions(plan.recipe.masks)
    smallest = screened.kept | "FindSmallest" >> FindSmallest(caps)
    sampled = screened.kept | "Sample" >> SampleRegions(caps, smallest)
    short = facts | "Short" >> beam.FlatMap(
        _short, AsIter(smallest), per_category=caps.per_category
    )
    return Prepared(
        stages=(read, guarded, screened, sampled),
        facts=facts,
        images=sampled.kept,
        short=short,
    )


def _short(
    facts: SplitFacts, smallest: Iterable[Smallest], per_category: Mapping[str, int]
) -> Iterable[tuple[CategoryKey, int]]:
    number = per_category.get(facts.source)
    if number is None or facts.label_set is None:
        return []
    split = facts.source, facts.split
    ranks = [(key, regions) for key, regions in smallest if key[:2] == split]
    declared = [(*split, category) for category in facts.label_set.categories]
    return short_categories(ranks, declared, number).items()
