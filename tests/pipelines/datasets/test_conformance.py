"""The rules that every data set of the catalogue keeps, each shown on a small data root.

The sample world holds files of most sources. For another source NAME, its own tests bring a folder
`NAME/data_root/` beside this file, with a few records in each split and their pictures, laid out as
the owner lays them out.
"""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.locate import locate_splits, missing_files
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.sample_world import SOURCES
from pipelines.shards.options import shard_key
from pipelines.storage.files import FileStore
from schemas.item import kinds
from schemas.ledger import Stage
from schemas.rejection import Kind, Rejection
from schemas.source import Count, Repaired, SourceImage, SplitFacts
from transforms.ledger import StageLedger
from transforms.screen import screen_image

RELEASES = [(spec, year) for spec in CATALOG.values() for year in spec.years or (None,)]


class Split:
    """All entries of one split."""

    def __init__(self, split) -> None:
        self.split = split
        self.entries = list(CATALOG[split.source].parse(split, FileStore()))
        self.images = [entry for entry in self.entries if isinstance(entry, SourceImage)]


def splits_of(root, spec, year) -> list[Split]:
    request = SourceRequest(name=spec.name, year=year, label_set=SOURCES.get(spec.name))
    recipe = Recipe(sources=(request,), evaluation=not spec.tasks, allow_missing=True)
    plan = make_plan(recipe, str(root), "unused")
    return [Split(split) for split in plan.splits]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda spec: f"{spec[0].name} {spec[1]}")
def source(request):
    return request.param


@pytest.fixture(scope="module")
def data_root(source, request):
    name = source[0].name
    if name in SOURCES:
        return request.getfixturevalue("sample_world")
    folder = Path(__file__).parent / name / "data_root"
    assert folder.is_dir(), f"{folder}: expected a few files of {name}, as its owner lays them out"
    return folder


@pytest.fixture(scope="module")
def splits(source, data_root):
    return splits_of(data_root, *source)


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
    for located in locate_splits("/data", SourceRequest(name=spec.name, year=year)):
        missing = missing_files(located)
        assert missing == list(dict.fromkeys([*located.files.values(), located.pictures]))
        assert all(f"{path}/".startswith("/data/") for path in missing)
        assert located.pictures == f"/data/{located.folder}".rstrip("/")


def test_ids_are_unique(splits):
    for split in splits:
        images = [entry.image.image_id for entry in split.images]
        assert len(set(images)) == len(images)
        assert all(image_id.strip() for image_id in images)
        for entry in split.images:
            regions = [region.region_id for region in entry.regions]
            items = [item.id for item in entry.items]
            assert len(set(regions)) == len(regions)
            assert len(set(items)) == len(items)
            assert all(name.strip() for name in (*regions, *items))


def test_splits_to_train_on_share_no_image(source, splits):
    if not source[0].tasks:
        return
    for pair in combinations(splits, 2):
        ids = [{entry.image.image_id for entry in split.images} for split in pair]
        assert ids[0] & ids[1] == set()


def test_boxes_lie_inside_after_screening(splits):
    for split in splits:
        for entry in split.images:
            width, height = entry.image.width, entry.image.height
            for region in screen_image(entry, StageLedger(Stage.SCREEN)).regions:
                x0, y0, x1, y1 = region.bbox
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height


def test_categories_are_those_of_the_label_set(splits):
    for split in splits:
        (facts,) = [entry for entry in split.entries if isinstance(entry, SplitFacts)]
        shown = {region.category for entry in split.images for region in entry.regions}
        if facts.label_set is None:
            assert all(entry.label_set is None for entry in split.images)
            continue
        assert facts.label_set.categories
        assert all(entry.label_set == facts.label_set.brief() for entry in split.images)
        assert shown <= set(facts.label_set.categories)


def test_pictures_are_there_with_the_size_that_is_stated(splits):
    for split in splits:
        sizes = FileStore().sizes(split.split.pictures)
        for entry in split.images:
            if entry.image.file_name is None:
                assert (entry.image.size_bytes, entry.regions) == (0, ())
            else:
                assert sizes[entry.image.file_name] == entry.image.size_bytes


def test_counts_balance(splits):
    for split in splits:
        counts: Counter[tuple[Kind, str]] = Counter()
        for entry in split.entries:
            match entry:
                case Count():
                    counts[entry.kind, entry.outcome] += entry.number
                case Rejection():
                    counts[entry.kind, "rejected"] += 1
                case SourceImage():
                    counts[Kind.IMAGE, "kept"] += 1
                    counts[Kind.ANNOTATION, "kept"] += len(entry.regions)
                    for kind, number in kinds(entry.items).items():
                        counts[kind, "kept"] += number
        for kind in Kind:
            total = sum(counts[kind, o] for o in ("kept", "rejected", "sampled_out", "with_image"))
            assert (kind, counts[kind, "read"]) == (kind, total)
        assert not any(
            number for (_, outcome), number in counts.items() if outcome == "sampled_out"
        )
        facts = [entry for entry in split.entries if isinstance(entry, SplitFacts)]
        classified = any(entry.label_set for entry in facts)
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CATEGORY) if classified else (Kind.IMAGE,):
            assert counts[kind, "read"] > 0


def test_items_are_about_regions_of_their_image(splits):
    for split in splits:
        for entry in split.images:
            screened = screen_image(entry, StageLedger(Stage.SCREEN))
            known = {region.region_id for region in screened.regions}
            assert all(known.issuperset(item.region_ids()) for item in screened.items)


def test_parsing_again_yields_the_same(source, data_root, splits):
    again = splits_of(data_root, *source)
    assert [split.entries for split in again] == [split.entries for split in splits]


def test_several_parts_read_the_same_together(splits):
    for split in splits:
        entries: list[object] = []
        for part in range(3):
            third = replace(split.split, part=part, parts=3)
            entries += CATALOG[split.split.source].parse(third, FileStore())
        assert content(entries) == content(split.entries)


def content(entries) -> tuple[Counter[str], Counter[tuple[Kind, str]]]:
    """Entries in any order, and the totals of their counts and repairs."""
    totals: Counter[tuple[Kind, str]] = Counter()
    for entry in entries:
        if isinstance(entry, Count):
            totals[entry.kind, entry.outcome] += entry.number
        elif isinstance(entry, Repaired):
            totals[entry.kind, entry.repair] += entry.number
    others = [entry for entry in entries if not isinstance(entry, Count | Repaired)]
    return Counter(map(repr, others)), +totals


def test_every_image_has_one_of_the_shards(splits):
    for split in splits:
        (facts,) = [entry for entry in split.entries if isinstance(entry, SplitFacts)]
        for entry in split.images:
            (_, _, index, of), _ = shard_key(entry.image)
            assert of == facts.shards
            assert 0 <= index < of
