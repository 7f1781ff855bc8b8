"""What every data set of the catalogue must keep to, shown on the sample world."""

from itertools import combinations

import pytest

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import Located, SourceRequest
from pipelines.files import FileStore
from pipelines.plan import find, make_plan
from pipelines.recipe import Recipe
from pipelines.write import shard_key
from schemas.ledger import Stage
from schemas.rejection import Kind, Rejection
from schemas.source import Count, SourceImage, SplitFacts
from transforms.accounting import Book
from transforms.screen import screen_image

SOURCES = [(spec, year) for spec in CATALOG.values() for year in spec.years]


class Split:
    """All entries of one split."""

    def __init__(self, split) -> None:
        self.split = split
        self.entries = list(CATALOG[split.source].parse(split, FileStore()))
        self.images = [entry for entry in self.entries if isinstance(entry, SourceImage)]


def splits_of(root, spec, year) -> list[Split]:
    request = SourceRequest(name=spec.name, year=year, label_set="Shapes-15")
    plan = make_plan(Recipe(sources=(request,)), str(root), "unused")
    return [Split(split) for split in plan.splits]


@pytest.fixture(scope="module", params=SOURCES, ids=lambda found: f"{found[0].name} {found[1]}")
def source(request):
    return request.param


@pytest.fixture(scope="module")
def splits(source, sample_world):
    return splits_of(sample_world, *source)


def test_every_declared_split_is_found(source, splits):
    assert tuple(split.split.split for split in splits) == source[0].splits
    assert all(split.images for split in splits)


def test_names_and_terms_are_stated(source, splits):
    spec, _ = source
    assert CATALOG[spec.name] is spec
    assert all((spec.title, spec.licence, "://" in spec.obtain))
    for split in splits:
        assert all(entry.image.licence.startswith(spec.licence) for entry in split.images)


def test_everything_lies_below_the_data_root(source):
    spec, year = source
    for found in find("/data", SourceRequest(name=spec.name, year=year)):
        located: Located = found.located
        assert found.missing == (*located.files.values(), located.pictures)
        assert all(path.startswith("/data/") for path in found.missing)
        assert located.pictures == f"/data/{located.folder}"


def test_ids_are_unique(splits):
    for split in splits:
        images = [entry.image.image_id for entry in split.images]
        regions = [region.region_id for entry in split.images for region in entry.regions]
        assert len(set(images)) == len(images)
        assert len(set(regions)) == len(regions)
        assert all(region_id.strip() for region_id in (*images, *regions))


def test_splits_share_no_image(splits):
    for one, other in combinations(splits, 2):
        ids = [{entry.image.image_id for entry in split.images} for split in (one, other)]
        assert ids[0] & ids[1] == set()


def test_boxes_lie_inside_after_screening(splits):
    for split in splits:
        for entry in split.images:
            width, height = entry.image.width, entry.image.height
            for region in screen_image(entry, Book(Stage.SCREEN)).regions:
                x0, y0, x1, y1 = region.bbox
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height


def test_categories_are_those_of_the_label_set(splits):
    for split in splits:
        (facts,) = [entry for entry in split.entries if isinstance(entry, SplitFacts)]
        assert facts.label_set.categories
        assert all(entry.label_set == facts.label_set.brief() for entry in split.images)
        shown = {region.category for entry in split.images for region in entry.regions}
        assert shown <= set(facts.label_set.categories)


def test_pictures_are_there_with_the_size_that_is_stated(splits):
    for split in splits:
        sizes = FileStore().sizes(split.split.pictures)
        for entry in split.images:
            assert sizes[entry.image.file_name] == entry.image.size_bytes


def test_counts_balance(splits):
    for split in splits:
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CATEGORY):
            counts = {"read": 0, "kept": 0, "sampled_out": 0}
            for entry in split.entries:
                if isinstance(entry, Count) and entry.kind is kind:
                    counts[entry.outcome] += entry.number
                elif isinstance(entry, Rejection) and entry.kind is kind:
                    counts["kept"] += 1
                elif isinstance(entry, SourceImage):
                    counts["kept"] += {
                        Kind.IMAGE: 1,
                        Kind.ANNOTATION: len(entry.regions),
                        Kind.CATEGORY: 0,
                    }[kind]
            assert counts["read"] == counts["kept"] + counts["sampled_out"] > 0


def test_parsing_again_yields_the_same(source, sample_world, splits):
    again = splits_of(sample_world, *source)
    assert [split.entries for split in again] == [split.entries for split in splits]


def test_every_image_has_one_of_the_shards(splits):
    for split in splits:
        (facts,) = [entry for entry in split.entries if isinstance(entry, SplitFacts)]
        for entry in split.images:
            (_, _, index, of), _ = shard_key(entry.image)
            assert of == facts.shards
            assert 0 <= index < of
