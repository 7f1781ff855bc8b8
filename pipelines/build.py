"""Build: the whole flow of a build, from owners' files to shards, as one pipeline.

    Read         owners' files become images with their annotations
    Prepare      guard; screen boxes, names and text
    Sample       the caps of the recipe, by rank
    Write        pack images, group them by shard; then, shard by shard: masks, captions,
                 conversations, pictures, rows
    Publish      card, manifest, ledger, rejected items

Each shard is on disk as soon as its last image is composed; a rerun goes on with the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, PCollection

from pipelines.images import ComposeImage, PrepareImage, PrepareImages
from pipelines.plan import Plan
from pipelines.publish import Publish
from pipelines.read import ReadSources
from pipelines.shards.state import finished_shards
from pipelines.shards.waiting import WaitInSpool
from pipelines.write import WriteShards
from schemas.sample import ScreenedImage
from schemas.source import SplitFacts
from transforms.stage import StageOutputs
from transforms.subsample import (
    CategoryKey,
    FindSmallest,
    SampleRegions,
    Smallest,
    short_categories,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The images and regions that a recipe takes of its sources: the first half of every flow."""

    stages: tuple[StageOutputs[Any], ...]
    facts: PCollection[SplitFacts]
    images: PCollection[list[ScreenedImage]]  # with the regions that the recipe takes
    short: PCollection[tuple[CategoryKey, int]]  # categories with fewer regions than their cap


def build(root: beam.Pipeline, plan: Plan, parts: int) -> None:
    """Lay out the pipeline of a build that reads each split in `parts` parts."""
    selected = select_regions(root, plan, parts)
    options = plan.write_options()
    finished = finished_shards(options.output, options.inputs)
    written = selected.images | "Write" >> WriteShards(
        ComposeImage.of(plan), options, selected.facts, finished
    )
    stages = (*selected.stages, written)
    written.kept | "Publish" >> Publish(plan, stages, selected.short)


def select_regions(root: beam.Pipeline, plan: Plan, parts: int) -> Selected:
    """Lay out the stages that read, screen and sample images and regions."""
    caps = plan.resolved.caps
    read, facts = root | "Read" >> ReadSources(plan.unfinished, parts, plan.spool, plan.indexes)
    prepared = read.kept | "Prepare" >> PrepareImages(PrepareImage.of(plan))
    if not caps.any:
        short = root | "Short" >> beam.Create([])
        return Selected(stages=(read, prepared), facts=facts, images=prepared.kept, short=short)
    smallest = prepared.kept | "FindSmallest" >> FindSmallest(caps)
    waiting = prepared.kept
    if plan.spool and caps.per_category:  # all images wait until the caps are known
        waiting = waiting | "Wait" >> WaitInSpool(plan.spool)
    sampled = waiting | "Sample" >> SampleRegions(caps, smallest)
    short = facts | "Short" >> beam.FlatMap(
        _short, AsIter(smallest), per_category=caps.per_category
    )
    return Selected(stages=(read, prepared, sampled), facts=facts, images=sampled.kept, short=short)


def _short(
    facts: SplitFacts, smallest: Iterable[Smallest], per_category: Mapping[str, int]
) -> Iterable[tuple[CategoryKey, int]]:
    number = per_category.get(facts.source)
    if number is None or facts.label_set is None:
        return []
    split = facts.source, facts.split
    thresholds = [each for each in smallest if each[0][:2] == split]
    declared = [(*split, category) for category in facts.label_set.categories]
    return short_categories(thresholds, declared, number).items()
