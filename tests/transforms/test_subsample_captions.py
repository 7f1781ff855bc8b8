"""Caps where a captioner has described regions: which are taken does not hang on that."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.item import CaptionRef, Expression, Item
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind
from schemas.sample import Region, ScreenedImage
from transforms.caps import Caps
from transforms.ledger import StageLedger
from transforms.subsample import Threshold, category_ranks, sample_image

NAMES = "abcdefgh"
CAP = st.none() | st.integers(1, 9)


def regions(names: str = NAMES) -> tuple[Region, ...]:
    return tuple(Region(region_id=name, bbox=(0, 0, 1, 1), category="x") for name in names)


def described(names: set[str]) -> list[Item]:
    return [CaptionRef(f"recapd/{name}", name) for name in sorted(names)]


def sampled(screened: ScreenedImage, caps: Caps) -> ScreenedImage | None:
    """What is kept; every count balances."""
    ranks = sorted(rank for _, rank in category_ranks([screened], caps))
    image = screened.image
    stage_ledger = StageLedger(Stage.SAMPLE)
    taken = ranks[: caps.per_category.get(image.source)]
    smallest = {(image.source, image.split, "x"): Threshold(taken[-1], len(taken))} if taken else {}
    kept = sample_image(screened, smallest, caps, stage_ledger)
    ledger = ledger_of(stage_ledger.tally)
    accounts = [ledger.account(image.source, image.split, Stage.SAMPLE, kind) for kind in Kind]
    assert [account.missing() for account in accounts] == [0] * len(accounts)
    items = ledger.account(image.source, image.split, Stage.SAMPLE, Kind.SENTENCE)
    assert (items.read, items.kept) == (len(screened.items), len(kept.items) if kept else 0)
    return kept


@given(
    names=st.sets(st.sampled_from(NAMES)),
    phrases=st.lists(st.sampled_from(NAMES), max_size=5),
    per_category=CAP,
    per_image=CAP,
    min_words=st.none() | st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_captions_decide_nothing(
    make_image, names, phrases, per_category, per_image, min_words, seed
):
    image = make_image(source="coco")
    caps = Caps(
        per_category={} if per_category is None else {"coco": per_category},
        per_image={} if per_image is None else {"coco": per_image},
        min_words=min_words,
        seed=seed,
    )
    items: list[Item] = [
        Expression(f"s{number}", name, "two words") for number, name in enumerate(phrases)
    ]
    plain = sampled(ScreenedImage(image, regions(), tuple(items)), caps)
    captioned = sampled(ScreenedImage(image, regions(), (*items, *described(names))), caps)
    assert (plain is None) == (captioned is None)
    if plain and captioned:
        assert captioned.regions == plain.regions
        left = {region.region_id for region in plain.regions}
        assert captioned.items == (*plain.items, *described(names & left))


@given(per_category=CAP, per_image=CAP, seed=st.integers(0, 9))
def test_another_name_draws_the_same(make_image, per_category, per_image, seed):
    """Take the same regions under another name, as `recap` does: its config has its own name."""
    image = ScreenedImage(make_image(source="coco"), regions())
    other = replace(image, image=make_image(source="recapd"))
    taken = []
    for name, screened, drawn_as in (
        ("coco", image, {}),
        ("recapd", other, {"recapd": "coco"}),
        ("recapd", other, {}),
    ):
        caps = Caps(
            per_category={} if per_category is None else {name: per_category},
            per_image={} if per_image is None else {name: per_image},
            seed=seed,
            drawn_as=drawn_as,
        )
        kept = sampled(screened, caps)
        assert kept is not None
        taken.append([region.region_id for region in kept.regions])
    assert taken[0] == taken[1]
    assert len(taken[0]) == len(taken[2]) == min(per_category or 8, per_image or 8, 8)
