"""Grouping by shard: images of a shard come together, and a shard without any comes as well."""

from itertools import chain

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.shards.grouping import GroupByShard
from pipelines.shards.options import shard_key
from pipelines.shards.pages import images_in_order
from schemas.layout import shard_path
from schemas.sample import ScreenedImage
from schemas.source import SplitFacts

FACTS = [SplitFacts("coco", "train", 2), SplitFacts("lvis", "val", 1)]
KEYS = [("coco", "train", 0, 2), ("coco", "train", 1, 2), ("lvis", "val", 0, 1)]


@pytest.fixture
def batches(make_image):
    """Batches of images of one split."""
    images = [ScreenedImage(make_image(image_id=str(number), shards=2), ()) for number in range(9)]
    return [images[:4], images[4:]]


@pytest.mark.parametrize("finished", [(), KEYS[1:2]])
def test_every_shard_has_its_images_unless_it_is_finished(batches, finished):
    expected: dict[tuple, list[tuple[int, str]]] = {key: [] for key in KEYS}
    for screened in chain.from_iterable(batches):
        key, position = shard_key(screened.image)
        if key not in finished:
            expected[key].append((position, screened.image.image_id))
    paths = frozenset(shard_path(*key) for key in finished)
    with BeamPipeline() as root:
        facts = root | "Facts" >> beam.Create(FACTS)
        by_shard = root | beam.Create(batches) | GroupByShard(facts, paths)
        assert_that(
            by_shard | beam.MapTuple(lambda key, pages: (key, names(pages))),
            equal_to([(key, sorted(images)) for key, images in expected.items()]),
        )


def names(pages):
    return [(image.position, image.image_id) for image in images_in_order(pages)]
