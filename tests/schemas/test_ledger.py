"""The ledger: balanced, or it names each place where it is not, whatever order tallies came in."""

from collections import Counter
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.ledger import (
    Account,
    Ledger,
    Stage,
    Tally,
    TallyKey,
    ledger_of,
    rejected_as,
    repaired_as,
)
from schemas.rejection import Kind, Reason, Repair

CROWD = rejected_as(Reason.CROWD)
MISSING = rejected_as(Reason.IMAGE_MISSING)
CLIPPED = repaired_as(Repair.BOX_CLIPPED)


def account(stage: Stage, kind: Kind, **outcomes: int) -> Tally:
    return Counter({("coco", "train", stage, kind, how): count for how, count in outcomes.items()})


def built() -> Tally:
    """The tallies of a build in which nothing is missing."""
    parts = [
        account(Stage.READ, Kind.FILE, read=1, kept=1),
        account(Stage.READ, Kind.CATEGORY, read=3, kept=3),
        account(Stage.READ, Kind.IMAGE, read=9, kept=6, sampled_out=2, **{MISSING: 1}),
        account(Stage.READ, Kind.ANNOTATION, read=40, kept=30, sampled_out=6, with_image=4),
        account(Stage.GUARD, Kind.IMAGE, read=6, kept=6),
        account(Stage.GUARD, Kind.ANNOTATION, read=30, kept=30),
        account(Stage.SCREEN, Kind.IMAGE, read=6, kept=6),
        account(Stage.SCREEN, Kind.ANNOTATION, read=30, kept=28, **{CROWD: 2, CLIPPED: 5}),
        account(Stage.SAMPLE, Kind.IMAGE, read=6, kept=5, sampled_out=1),
        account(Stage.SAMPLE, Kind.ANNOTATION, read=28, kept=20, sampled_out=8),
        account(Stage.COMPOSE, Kind.IMAGE, read=5, kept=5),
        account(Stage.COMPOSE, Kind.ANNOTATION, read=20, kept=20),
        account(Stage.COMPOSE, Kind.CONVERSATION, read=5, kept=5),
        account(Stage.WRITE, Kind.IMAGE, read=5, kept=4, **{MISSING: 1}),
        account(Stage.WRITE, Kind.ANNOTATION, read=20, kept=20),
        account(Stage.WRITE, Kind.CONVERSATION, read=5, kept=5),
    ]
    return reduce(add, parts)


def changed(by: int, *key: str) -> Tally:
    tally = built()
    tally["coco", "train", key[0], key[1], key[2]] += by
    return tally


def without(stage: Stage, kind: Kind | None = None) -> Tally:
    return Counter(
        {
            key: number
            for key, number in built().items()
            if key[2] != stage or (kind is not None and key[3] != kind)
        }
    )


def differs(place: str, read: int, *, kept: int, others: tuple[int, int, int]) -> str:
    """The line on an account that does not balance; the others: rejected, sampled out, ..."""
    rejected, sampled_out, with_image = others
    return (
        f"stage {place}: read {read}, but kept {kept} + rejected {rejected} + sampled out "
        f"{sampled_out} + with image {with_image}"
    )


def test_a_balanced_ledger():
    ledger = ledger_of(built())
    assert ledger.problems() == []
    assert ledger.account("coco", "train", Stage.SCREEN, Kind.ANNOTATION) == Account(
        read=30, kept=28, rejected={Reason.CROWD: 2}, repaired={Repair.BOX_CLIPPED: 5}
    )
    assert ledger.account("coco", "val", Stage.SCREEN, Kind.ANNOTATION) == Account()
    assert (ledger.rejected("coco"), ledger.rejected("lvis")) == (4, 0)
    elsewhere = {Stage.CAPTION, Stage.FILTER, Stage.SUBSET}  # of `recap` and `subset`
    assert list(ledger.sources["coco"]["train"]) == [
        stage for stage in Stage if stage not in elsewhere
    ]


def test_every_account_comes_with_its_place():
    tallies = built()
    tallies["lvis", "val", "read", "file", "read"] = 2
    ledger = ledger_of(tallies)
    places = [place for place, _ in ledger.accounts()]
    assert sorted(places) == sorted({key[:4] for key in tallies})
    assert [account for _, account in ledger.accounts()] == [ledger.account(*at) for at in places]
    assert dict(ledger.accounts())["lvis", "val", Stage.READ, Kind.FILE] == Account(read=2)


@pytest.mark.parametrize(
    ("tallies", "problems"),
    [
        (
            changed(1, "screen", "annotation", "read"),
            [
                differs("screen, annotation", 31, kept=28, others=(2, 0, 0)),
                "stage screen, annotation: read 31, but guard kept 30",
            ],
        ),
        (
            changed(-1, "sample", "annotation", "sampled_out"),
            [differs("sample, annotation", 28, kept=20, others=(0, 7, 0))],
        ),
        (
            changed(1, "screen", "annotation", CROWD),
            [differs("screen, annotation", 30, kept=28, others=(3, 0, 0))],
        ),
        (
            changed(-1, "write", "image", "kept"),
            [differs("write, image", 5, kept=3, others=(1, 0, 0))],
        ),
        (
            changed(1, "read", "category", "kept"),
            [differs("read, category", 3, kept=4, others=(0, 0, 0))],
        ),
        (
            changed(-1, "read", "annotation", "with_image"),
            [differs("read, annotation", 40, kept=30, others=(0, 6, 3))],
        ),
        (
            without(Stage.SAMPLE, Kind.IMAGE),
            ["stage compose, image: read 5, but screen kept 6"],
        ),
        (
            without(Stage.WRITE, Kind.CONVERSATION),
            ["stage compose, conversation: kept 5, but no later stage read them"],
        ),
        (
            without(Stage.WRITE),
            [
                "stage compose, annotation: kept 20, but no later stage read them",
                "stage compose, image: kept 5, but no later stage read them",
                "stage compose, conversation: kept 5, but no later stage read them",
            ],
        ),
    ],
)
def test_where_a_ledger_does_not_balance(tallies, problems):
    assert ledger_of(tallies).problems() == [f"coco/train: {line}" for line in problems]


def test_nothing_goes_with_images_that_are_kept():
    tallies = built()
    tallies["coco", "train", "read", "image", "sampled_out"] += tallies.pop(
        ("coco", "train", "read", "image", MISSING)
    )
    line = "stage read, annotation: 4 left out with their image, but the stage rejected no image"
    assert ledger_of(tallies).problems() == [f"coco/train: {line}"]


def test_every_split_is_looked_at():
    tallies = built()
    for place in (("coco", "val"), ("lvis", "train")):
        tallies[*place, "read", "file", "read"] = 1
    line = differs("read, file", 1, kept=0, others=(0, 0, 0))
    assert ledger_of(tallies).problems() == [f"coco/val: {line}", f"lvis/train: {line}"]


def test_repairs_are_no_part_of_the_balance():
    assert ledger_of(changed(7, "screen", "annotation", CLIPPED)).problems() == []


def test_nothing_read_is_balanced():
    assert ledger_of({}) == Ledger(sources={})
    assert ledger_of({}).problems() == []


KEYS: st.SearchStrategy[TallyKey] = st.tuples(
    st.sampled_from(["coco", "lvis"]),
    st.sampled_from(["train", "val"]),
    st.sampled_from(list(Stage)),
    st.sampled_from(list(Kind)),
    st.sampled_from(["read", "kept", "sampled_out", "with_image", CROWD, CLIPPED]),
)
TALLIES: st.SearchStrategy[list[Tally]] = st.lists(
    st.dictionaries(KEYS, st.integers(1, 9), max_size=6).map(Counter), max_size=5
)


@given(TALLIES, st.randoms())
def test_the_order_in_which_tallies_are_added_does_not_matter(tallies, random):
    shuffled = random.sample(tallies, len(tallies))
    forth = ledger_of(reduce(add, tallies, Counter()))
    back = ledger_of(reduce(add, shuffled, Counter()))
    assert forth.model_dump_json() == back.model_dump_json()
    assert Ledger.model_validate_json(forth.model_dump_json()) == forth


@pytest.mark.parametrize("outcome", ["lost", "rejected:boredom", "repaired:crowd", "sent:crowd"])
def test_an_outcome_that_nobody_knows(outcome):
    with pytest.raises((ValidationError, KeyError)):
        ledger_of({("coco", "train", "read", "image", outcome): 1})


@pytest.mark.parametrize(
    "key",
    [("coco", "train", "lunch", "image", "read"), ("coco", "train", "read", "chair", "read")],
)
def test_a_stage_or_kind_that_nobody_knows(key):
    with pytest.raises(ValueError, match="is not a valid"):
        ledger_of({key: 1})
