"""Caps on boxes of images with items: whole items are taken or left, and every count balances."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.item import Dialogue, Expression, GroundedCaption, Item, Mention, Relationship, Round
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind
from schemas.sample import Region, ScreenedImage
from transforms.caps import Caps
from transforms.ledger import StageLedger
from transforms.subsample import Threshold, category_ranks, sample_image

NAMES = "abcdef"
TALK = Dialogue("talk", (Round("Hm?", "Hm."),))


NOTHING = Threshold((-1, ""), 0)  # no region of the image is below it


def sentences(*of: str) -> list[Item]:
    """Sentences about regions, each letter one; the same letter again is another sentence."""
    return [
        Expression(f"s{number}", name, f"{name} {number}")
        for number, name in enumerate("".join(of))
    ]


def relationships(*pairs: str) -> list[Item]:
    return [Relationship(f"r{pair}", pair[0], "on", pair[1]) for pair in pairs]


def captions(*of: str) -> list[Item]:
    return [GroundedCaption(f"c{names}", (Mention("they", tuple(names)),)) for names in of]


@pytest.fixture(scope="session")
def screened_with(make_image):
    """Makes an image with items and six regions of one category, or those named."""

    def make(items: list[Item], regions: str = NAMES, image_id: str = "7") -> ScreenedImage:
        named = tuple(Region(region_id=name, bbox=(0, 0, 1, 1), category="x") for name in regions)
        return ScreenedImage(make_image(image_id=image_id), named, tuple(items))

    return make


def sampled(
    screened: ScreenedImage, *, per_image: int | None = None, left: str | None = None, seed: int = 0
) -> tuple[ScreenedImage | None, StageLedger]:
    """What is kept under a cap of boxes, or where only some regions are in their category's cap.

    The ledger always balances, and counts as kept what is returned.
    """
    smallest = {}
    caps = Caps(per_category={"coco": len(left or "")}, seed=seed)
    if left is not None:
        smaller = replace(
            screened, regions=tuple(r for r in screened.regions if r.region_id in left)
        )
        ((key, _), *_) = category_ranks([screened], caps)
        # Beam's own order: the regions that are left are those with the smallest ranks.
        ranks = sorted(rank for _, rank in category_ranks([smaller], caps))
        smallest = {key: Threshold(ranks[-1], len(ranks))} if ranks else {key: NOTHING}
    per_category = caps.per_category if left is not None else {}
    capped = {} if per_image is None else {"coco": per_image}
    stage_ledger = StageLedger(Stage.SAMPLE)
    caps = Caps(per_category=per_category, per_image=capped, seed=seed)
    kept = sample_image(screened, smallest, caps, stage_ledger)
    ledger = ledger_of(stage_ledger.tally)
    assert [line for line in ledger.problems() if "no later stage" not in line] == []
    items, regions = (kept.items, kept.regions) if kept else ((), ())
    for kind, account in ledger.sources["coco"]["train"][Stage.SAMPLE].items():
        there = {
            Kind.IMAGE: (1, int(kept is not None)),
            Kind.ANNOTATION: (len(screened.regions), len(regions)),
        }.get(kind, (_number(screened.items, kind), _number(items, kind)))
        assert (account.read, account.kept) == there
        assert (account.rejected, account.missing()) == ({}, 0)
    return kept, stage_ledger


def _number(items, kind: Kind) -> int:
    return sum(item.kind is kind for item in items)


def boxes(items, kind: Kind | None = None) -> set[str]:
    return {name for item in items if kind in {None, item.kind} for name in item.region_ids()}


def smallest_regions(image: ScreenedImage, number: int, seed: int = 0) -> str:
    ranked = sorted(
        rank for _, rank in category_ranks([image], Caps(per_category={"coco": 1}, seed=seed))
    )
    return "".join(name for _, name in ranked[:number])


ITEMS = st.lists(
    st.sampled_from(NAMES).map(lambda name: ("s", name))
    | st.tuples(st.just("r"), st.permutations(NAMES).map(lambda names: "".join(names[:2])))
    | st.tuples(st.just("c"), st.text(NAMES, min_size=1, max_size=4)),
    max_size=12,
).map(
    lambda pairs: [
        {
            "s": lambda item_id, names: Expression(item_id, names, "x"),
            "r": lambda item_id, names: Relationship(item_id, names[0], "on", names[1]),
            "c": lambda item_id, names: GroundedCaption(item_id, (Mention("x", tuple(names)),)),
        }[form](str(number), names)
        for number, (form, names) in enumerate(pairs)
    ]
)


@given(ITEMS, st.integers(1, 7), st.integers(0, 30))
def test_each_kind_keeps_within_its_boxes(screened_with, items, cap, seed):
    image = screened_with(items)
    kept, _ = sampled(image, per_image=cap, seed=seed)
    if kept is None:
        assert items
        return
    for kind in (Kind.SENTENCE, Kind.RELATIONSHIP):
        assert len(boxes(kept.items, kind)) <= cap
    names = {region.region_id for region in kept.regions}
    assert boxes(kept.items) <= names
    silent = set(NAMES) - boxes(items)
    extra = names - boxes(kept.items)
    assert extra <= silent
    assert len(extra) == min(len(silent), max(0, cap - len(boxes(kept.items))))
    assert [item for item in items if item in kept.items] == list(kept.items)
    assert [region for region in image.regions if region in kept.regions] == list(kept.regions)


@given(ITEMS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_of_items_decides_nothing(screened_with, items, cap, random):
    kept, _ = sampled(screened_with(items), per_image=cap)
    random.shuffle(items)
    again, _ = sampled(screened_with(items), per_image=cap)
    assert {item.id for item in (kept.items if kept else ())} == {
        item.id for item in (again.items if again else ())
    }
    assert (kept and kept.regions) == (again and again.regions)


@given(st.text(NAMES, min_size=1, max_size=12), st.integers(1, 6), st.integers(0, 30))
def test_sentences_of_one_region_stay_together(screened_with, of, cap, seed):
    kept, _ = sampled(screened_with(sentences(of)), per_image=cap, seed=seed)
    assert kept is not None
    chosen = boxes(kept.items)
    assert len(chosen) == min(cap, len(set(of)))
    assert list(kept.items) == [item for item in sentences(of) if item.region_ids()[0] in chosen]


def test_a_cap_that_does_not_bind_keeps_all(screened_with):
    image = screened_with([*sentences("abba"), *relationships("ab", "cd"), *captions("abc"), TALK])
    assert sampled(image, per_image=6)[0] == image
    assert sampled(image)[0] == image


def test_kinds_do_not_take_each_others_boxes(screened_with):
    image = screened_with([*sentences("a"), *relationships("bc")], regions="abc")
    assert sampled(image, per_image=2)[0] == image


def test_a_large_item_leaves_room_for_small_ones(screened_with):
    items = [*captions("abcd"), *sentences("ef")]
    for seed in range(10):
        kept, _ = sampled(screened_with(items), per_image=2, seed=seed)
        assert kept is not None
        assert [item.id for item in kept.items] == ["s0", "s1"]


def test_what_needs_no_box_always_stays(screened_with):
    kept, stage_ledger = sampled(screened_with([TALK, *relationships("ab", "cd")]), per_image=1)
    assert kept is not None
    assert kept.items == (TALK,)
    account = ledger_of(stage_ledger.tally).account(
        "coco", "train", Stage.SAMPLE, Kind.RELATIONSHIP
    )
    assert (account.read, account.kept, account.sampled_out) == (2, 0, 2)


def test_seeds_and_images_choose_differently(screened_with):
    def chosen(seed: int, image_id: str = "7") -> frozenset[str]:
        image = screened_with(sentences(NAMES), image_id=image_id)
        kept, _ = sampled(image, per_image=2, seed=seed)
        assert kept is not None
        return frozenset(boxes(kept.items))

    assert len({chosen(seed) for seed in range(20)}) > 5
    assert len({chosen(0, str(number)) for number in range(20)}) > 5


@pytest.mark.parametrize("number", [1, 2, 3, 6])
def test_an_item_goes_with_any_region_that_its_category_has_no_room_for(screened_with, number):
    items = [
        *sentences(NAMES),
        *relationships(*["".join(pair) for pair in permutations(NAMES, 2)]),
        *captions("ab", "abc", "def"),
        TALK,
    ]
    image = screened_with(items)
    left = set(smallest_regions(image, number))
    kept, _ = sampled(image, left="".join(left))
    assert kept is not None
    assert {region.region_id for region in kept.regions} == left
    assert list(kept.items) == [item for item in items if left.issuperset(item.region_ids())]


def test_an_image_that_loses_all_that_is_said_goes_with_its_regions(screened_with):
    image = screened_with(relationships("ab"), regions="ab")
    kept, stage_ledger = sampled(image, left=smallest_regions(image, 1))
    assert kept is None
    account = ledger_of(stage_ledger.tally).account("coco", "train", Stage.SAMPLE, Kind.ANNOTATION)
    assert (account.read, account.kept, account.sampled_out) == (2, 0, 2)


def test_a_conversation_outlives_the_regions_it_does_not_need(screened_with):
    image = screened_with([TALK], regions="a")
    caps = Caps(per_category={"coco": 1}, seed=0)
    ((key, _),) = category_ranks([image], caps)
    stage_ledger = StageLedger(Stage.SAMPLE)
    kept = sample_image(image, {key: NOTHING}, caps, stage_ledger)
    assert kept == replace(image, regions=())
    assert [
        line for line in ledger_of(stage_ledger.tally).problems() if "no later stage" not in line
    ] == []
    account = ledger_of(stage_ledger.tally).account("coco", "train", Stage.SAMPLE, Kind.ANNOTATION)
    assert (account.kept, account.sampled_out) == (0, 1)
