"""Caps: the N smallest hashes of each category, whatever the order, the bundles or the runner."""

from collections import defaultdict
from itertools import permutations

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.ids import Hasher, rank
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind
from schemas.sample import LabelSet, Region, ScreenedImage
from transforms.caps import Caps
from transforms.ledger import StageLedger
from transforms.subsample import (
    CategoryKey,
    FindSmallest,
    SampleRegions,
    Threshold,
    category_ranks,
    find_thresholds,
    sample_image,
    short_categories,
)

LABELS = LabelSet.of("Things", ("cat", "dog", "owl"))
ALL = Caps(per_image={}, seed=0)


@pytest.fixture(scope="session")
def images(make_image):
    """Makes one image for each word; each letter is a region of the category it begins."""
    names = {name[0]: name for name in LABELS.categories}

    def make(*layout: str, split: str = "train") -> list[ScreenedImage]:
        return [
            ScreenedImage(
                make_image(split=split, image_id=str(number)),
                tuple(
                    Region(region_id=f"{number}{index}", bbox=(0, 0, 1, 1), category=names[letter])
                    for index, letter in enumerate(letters)
                ),
                label_set=LABELS,
            )
            for number, letters in enumerate(layout)
        ]

    return make


@pytest.fixture(scope="session")
def world(images):
    world: list[ScreenedImage] = images("ccdd", "cdo", "", "cccco", "d")
    return world


def smallest_of(world: list[ScreenedImage], caps: Caps) -> dict[CategoryKey, Threshold]:
    """What the stage finds, by sorting everything."""
    ranks = defaultdict(list)
    for key, region_rank in category_ranks(world, caps):
        ranks[key].append(region_rank)
    taken = {key: sorted(each)[: caps.per_category[key[0]]] for key, each in ranks.items()}
    return {key: Threshold(each[-1], len(each)) for key, each in taken.items()}


def sampled(world: list[ScreenedImage], caps: Caps) -> tuple[dict[str, list[Region]], StageLedger]:
    """The regions kept of each image that is kept, and the ledger, which always balances."""
    ledger, smallest = StageLedger(Stage.SAMPLE), smallest_of(world, caps)
    kept = [sample_image(image, smallest, caps, ledger) for image in world]
    assert ledger_of(ledger.tally).account("coco", "train", Stage.SAMPLE, Kind.ANNOTATION).read == (
        sum(len(image.regions) for image in world)
    )
    assert [
        line for line in ledger_of(ledger.tally).problems() if "no later stage" not in line
    ] == []
    return {image.image.image_id: list(image.regions) for image in kept if image}, ledger


def kept_ids(world: list[ScreenedImage], caps: Caps) -> set[str]:
    return {region.region_id for regions in sampled(world, caps)[0].values() for region in regions}


def test_without_caps_everything_stays_in_order(world):
    kept, _ = sampled(world, ALL)
    assert kept == {image.image.image_id: list(image.regions) for image in world}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [1, 2, 3, 100])
def test_a_category_keeps_its_smallest_hashes(world, number, seed):
    hashes = defaultdict(list)
    for image in world:
        for region in image.regions:
            words = ("coco", "train", image.image.image_id, region.region_id)
            hashes[region.category].append((rank(seed, "per_category", *words), region.region_id))
    expected = {name for ranks in hashes.values() for _, name in sorted(ranks)[:number]}
    caps = Caps(per_category={"coco": number}, per_image={}, seed=seed)
    for order in permutations(world):
        assert kept_ids(list(order), caps) == expected


@given(st.lists(st.text("cdo", max_size=5), max_size=6), st.integers(1, 4), st.integers(0, 99))
def test_a_category_keeps_as_many_as_it_may(images, layout, number, seed):
    world = images(*layout)
    kept = sampled(world, Caps(per_category={"coco": number}, per_image={}, seed=seed))[0]
    for name in LABELS.categories:
        there = sum(letters.count(name[0]) for letters in layout)
        taken = sum(region.category == name for regions in kept.values() for region in regions)
        assert taken == min(number, there)


def test_equal_hashes_are_ordered_by_id(world, monkeypatch):
    monkeypatch.setattr(Hasher, "rank", lambda *_: 5)
    caps = Caps(per_category={"coco": 2}, per_image={}, seed=0)
    for order in permutations(world):
        assert kept_ids(list(order), caps) == {"00", "01", "02", "03", "12", "34"}
    caps = Caps(per_image={"coco": 3}, seed=0)
    for regions in permutations(world[0].regions):
        shuffled = replace(world[0], regions=regions)
        assert kept_ids([shuffled], caps) == {"00", "01", "02"}


@pytest.mark.parametrize("number", [1, 2, 3, 9])
def test_the_thresholds_are_found_in_this_process_as_well(world, number):
    caps = Caps(per_category={"coco": number}, seed=3)
    for order in permutations(world):
        assert find_thresholds(order, caps) == smallest_of(world, caps)


@pytest.mark.parametrize("cap", [1, 2, 3, 9])
def test_an_image_keeps_its_smallest_hashes(world, cap):
    caps = Caps(per_image={"coco": cap}, seed=4)
    for regions in permutations(world[0].regions):
        kept, _ = sampled([replace(world[0], regions=regions)], caps)
        image = ("coco", "train", "0")
        hashes = [(rank(4, "per_image", *image, name), name) for name in ("00", "01", "02", "03")]
        chosen = {name for _, name in sorted(hashes)[:cap]}
        in_order = [region.region_id for region in regions if region.region_id in chosen]
        assert [region.region_id for region in kept["0"]] == in_order


def test_both_caps_hold_at_once(world):
    per_category = Caps(per_category={"coco": 3}, per_image={}, seed=0)
    both = Caps(per_category={"coco": 3}, per_image={"coco": 1}, seed=0)
    kept, _ = sampled(world, both)
    assert max(map(len, kept.values())) == 1
    assert kept_ids(world, both) <= kept_ids(world, per_category)


def test_seeds_choose_differently(world):
    chosen = {
        frozenset(kept_ids(world, Caps(per_category={"coco": 2}, per_image={}, seed=seed)))
        for seed in range(20)
    }
    assert len(chosen) > 10


def test_an_image_of_which_nothing_is_left_is_sampled_out(images):
    caps = Caps(per_category={"coco": 1}, per_image={}, seed=0)
    kept, ledger = sampled(images("c", "c", "c", ""), caps)
    account = ledger_of(ledger.tally).account("coco", "train", Stage.SAMPLE, Kind.IMAGE)
    assert (account.read, account.kept, account.sampled_out) == (4, 2, 2)
    assert kept.pop("3") == []  # it had no region to begin with: that is for a later stage to say
    assert [len(regions) for regions in kept.values()] == [1]


def test_splits_and_sources_are_capped_apart(images):
    world = images("ccc") + images("ccc", split="val")
    keys = {key for key, _ in category_ranks(world, Caps(per_category={"coco": 1}, seed=0))}
    assert keys == {("coco", "train", "cat"), ("coco", "val", "cat")}


def test_regions_without_a_category_are_not_capped(images):
    world = images("ccc", "cc")
    plain = [
        replace(image, regions=tuple(replace(region, category=None) for region in image.regions))
        for image in images("ddd", "dd", "d")
    ]
    mixed = [
        replace(
            image,
            regions=image.regions
            + tuple(replace(r, region_id=f"x{r.region_id}") for r in other.regions),
        )
        for image, other in zip(world, plain, strict=False)
    ]
    caps = Caps(per_category={"coco": 2}, per_image={}, seed=0)
    assert list(category_ranks(plain, caps)) == []
    assert kept_ids(plain, caps) == {"00", "01", "02", "10", "11", "20"}
    kept = kept_ids(mixed, caps)
    assert {name for name in kept if name[0] == "x"} == {"x00", "x01", "x02", "x10", "x11"}
    assert len(kept) == 5 + 2
    both = Caps(per_category={"coco": 2}, per_image={"coco": 1}, seed=0)
    assert len(kept_ids(plain, both)) == 3


def test_categories_that_have_fewer_than_the_cap(world):
    declared: list[CategoryKey] = [("coco", "train", name) for name in ("owl", "cat", "yak")]
    smallest = smallest_of(world, Caps(per_category={"coco": 3}, per_image={}, seed=0))
    assert short_categories(smallest.items(), declared, 3) == {
        ("coco", "train", "owl"): 2,
        ("coco", "train", "yak"): 0,
    }
    assert short_categories(smallest.items(), declared[:2], 2) == {}


@pytest.mark.parametrize(
    ("per_category", "per_image"),
    [
        ({}, {}),
        ({"coco": 2}, {}),
        ({}, {"coco": 2}),
        ({"coco": 2}, {"coco": 1}),
        ({"coco": 100}, {"coco": 100}),
        ({"lvis": 1}, {"lvis": 1}),
        ({"coco": 2, "lvis": 50}, {}),
    ],
)
def test_the_stages_in_a_pipeline(world, per_category, per_image):
    caps = Caps(per_category=per_category, per_image=per_image, seed=1)
    smallest, ledger = smallest_of(world, caps) if per_category else {}, StageLedger(Stage.SAMPLE)
    expected = [sample_image(image, smallest, caps, ledger) for image in world]
    tallies = [(tuple(map(str, key)), number) for key, number in ledger.tally.items()]
    if not caps.bind("coco"):  # then there is no such stage for these images
        tallies = []
    with BeamPipeline() as root:
        batches = root | beam.Create([world[3:], world[:3]])
        ranks = batches | FindSmallest(caps)
        outputs = batches | SampleRegions(caps, ranks)
        images = outputs.kept | beam.FlatMap(iter)
        assert_that(ranks, equal_to(list(smallest.items())), "smallest")
        assert_that(images, equal_to([image for image in expected if image]), "kept")
        assert_that(outputs.rejected, equal_to([]), "rejected")
        assert_that(outputs.tally | beam.CombinePerKey(sum), equal_to(tallies), "tally")
