"""Build: the whole flow, from owners' files to verified shards, on one screen."""

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.pvalue import AsIter

from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.read import FACTS, ReadSources
from pipelines.write import WriteShards
from schemas.source import SplitFacts
from transforms.accounting import KEPT, REJECTED, TALLY
from transforms.compose import ComposeConversations
from transforms.screen import ScreenRegions
from transforms.subsample import (
    CategoryKey,
    FindSmallest,
    SampleRegions,
    Smallest,
    short_categories,
)


def build(root: beam.Pipeline, plan: Plan, parts: int) -> None:
    """Lay out the pipeline of a build that reads each split in so many parts."""
    recipe = plan.recipe
    read = root | "Read" >> ReadSources(plan.splits, parts)
    screened = read[KEPT] | "Screen" >> ScreenRegions()
    smallest = screened[KEPT] | "FindSmallest" >> FindSmallest(recipe.caps())
    sampled = screened[KEPT] | "Sample" >> SampleRegions(recipe.caps(), smallest)
    composed = sampled[KEPT] | "Compose" >> ComposeConversations(recipe.classification())
    written = composed[KEPT] | "Write" >> WriteShards(plan.write_options(), read[FACTS])

    stages = (read, screened, sampled, composed, written)
    rejections = [stage[REJECTED] for stage in stages] | "Rejections" >> beam.Flatten()
    tallies = [stage[TALLY] for stage in stages] | "Tallies" >> beam.Flatten()
    short = read[FACTS] | "Short" >> beam.FlatMap(
        _short, AsIter(smallest), per_category=recipe.per_category
    )
    written[KEPT] | "Publish" >> Publish(plan, rejections, tallies, short)


def _short(
    facts: SplitFacts, smallest: Iterable[Smallest], per_category: int | None
) -> Iterable[tuple[CategoryKey, int]]:
    if per_category is None:
        return []
    split = facts.source, facts.split
    ranks = [(key, found) for key, found in smallest if key[:2] == split]
    declared = [(*split, category) for category in facts.label_set.categories]
    return short_categories(ranks, declared, per_category).items()
