"""Grouping by shard: values of a shard come together, and a shard without any comes as well."""

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.shards.grouping import GroupByShard
from schemas.source import SplitFacts


def test_every_shard_has_its_values_and_an_empty_one():
    first, second = ("coco", "train", 0, 2), ("coco", "train", 1, 2)
    other = ("lvis", "val", 0, 1)
    with BeamPipeline() as root:
        facts = root | "Facts" >> beam.Create(
            [SplitFacts("coco", "train", 2), SplitFacts("lvis", "val", 1)]
        )
        pairs = root | "Pairs" >> beam.Create([(second, b"a"), (second, b"b"), (other, b"c")])
        by_shard = pairs | GroupByShard(facts, empty=b"")
        assert_that(
            by_shard | beam.MapTuple(lambda key, values: (key, sorted(values))),
            equal_to([(first, [b""]), (second, [b"", b"a", b"b"]), (other, [b"", b"c"])]),
        )
