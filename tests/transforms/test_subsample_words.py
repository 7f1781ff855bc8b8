"""The least number of words: short phrases are sampled out, with regions nothing else speaks of."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from schemas.item import Dialogue, Expression, GroundedCaption, Item, Relationship, Round
from schemas.ledger import Account, Stage, ledger_of
from schemas.rejection import Kind
from schemas.sample import Region, ScreenedImage
from transforms.caps import Caps
from transforms.ledger import StageLedger
from transforms.subsample import FindSmallest, SampleRegions, sample_image

OTHERS: list[Item] = [
    Relationship("r", "d", "on", "e"),
    GroundedCaption("c", ("hm",)),
    Dialogue("t", (Round("Hm?", "Hm."),)),
]


def caps(min_words: int | None, per_image: int | None = None) -> Caps:
    capped = {} if per_image is None else {"coco": per_image}
    return Caps(per_image=capped, min_words=min_words, seed=0)


@pytest.fixture(scope="session")
def screened_with(make_image):
    """Makes an image with regions a to f, and phrases about them, e.g. `a=left man`."""

    def make(*phrases: str, others: tuple[Item, ...] = ()) -> ScreenedImage:
        regions = tuple(Region(name, (0, 0, 1, 1)) for name in "abcdef")
        pairs = [phrase.partition("=") for phrase in phrases]
        items = [
            Expression(f"s{number}", name, text) for number, (name, _, text) in enumerate(pairs)
        ]
        return ScreenedImage(make_image(), regions, (*items, *others))

    return make


def sampled(screened: ScreenedImage, least: Caps) -> tuple[ScreenedImage | None, StageLedger]:
    """What is kept; what goes is sampled out, and every account balances."""
    stage_ledger = StageLedger(Stage.SAMPLE)
    kept = sample_image(screened, {}, least, stage_ledger)
    ledger = ledger_of(stage_ledger.tally)
    assert [line for line in ledger.problems() if "no later stage" not in line] == []
    for kind, number, left in (
        (Kind.IMAGE, 1, int(kept is not None)),
        (Kind.ANNOTATION, 6, len(kept.regions) if kept else 0),
        (Kind.SENTENCE, sentences(screened), sentences(kept)),
    ):
        account = ledger.account("coco", "train", Stage.SAMPLE, kind)
        assert account == Account(read=number, kept=left, sampled_out=number - left)
    return kept, stage_ledger


def sentences(image: ScreenedImage | None) -> int:
    return sum(item.kind is Kind.SENTENCE for item in (image.items if image else ()))


def ids(kept: ScreenedImage | None) -> tuple[str, str]:
    """The ids of the items that are left, and of the regions."""
    assert kept is not None
    items = " ".join(item.id for item in kept.items)
    return items, "".join(region.region_id for region in kept.regions)


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (None, ("s0 s1 s2 s3", "abcdef")),
        (1, ("s0 s1 s2 s3", "abcdef")),
        (2, ("s1 s2 s3", "abcdef")),
        (3, ("s2 s3", "acdef")),
        (4, ("s3", "cdef")),
    ],
)
def test_phrases_of_fewer_words_go(screened_with, least, expected):
    image = screened_with("a=man", "b=left man", "a=the left man", "c=the man , left")
    assert ids(sampled(image, caps(least))[0]) == expected


def test_what_is_no_phrase_about_a_region_stays(screened_with):
    image = screened_with("d=dog", "f=dog", others=tuple(OTHERS))
    assert ids(sampled(image, caps(3))[0]) == ("r c t", "abcde")


def test_an_image_of_short_phrases_only_is_sampled_out(screened_with):
    kept, _ = sampled(screened_with("a=man", "b=left man"), caps(3))
    assert kept is None


def test_an_image_without_items_stays(screened_with):
    assert ids(sampled(screened_with(), caps(3))[0]) == ("", "abcdef")


def test_short_phrases_take_no_place_under_a_cap(screened_with):
    image = screened_with("a=x", "b=x", "c=x", "d=the left man", "e=the right man")
    assert ids(sampled(image, caps(3, per_image=2))[0]) == ("s3 s4", "de")


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 5)), max_size=12),
    st.integers(1, 6),
)
def test_the_rule_holds_for_any_phrases(screened_with, phrases, least):
    image = screened_with(*[f"{name}={'x ' * words}" for name, words in phrases])
    kept, _ = sampled(image, caps(least))
    left = [(name, words) for name, words in phrases if words >= least]
    if kept is None:
        assert (left, bool(phrases)) == ([], True)
        return
    silent = set("abcdef") - {name for name, _ in phrases}
    assert kept.items == tuple(
        item for item, (_, words) in zip(image.items, phrases, strict=True) if words >= least
    )
    assert {region.region_id for region in kept.regions} == silent | {name for name, _ in left}


def test_the_stage_is_there_for_it_alone(screened_with):
    assert (caps(None).any, caps(1).any) == (False, True)
    image = screened_with("a=man", "b=the left man")
    expected, stage_ledger = sampled(image, caps(3))
    tallies = [(tuple(map(str, key)), number) for key, number in stage_ledger.tally.items()]
    with BeamPipeline() as root:
        batches = root | beam.Create([[image, screened_with("a=man")]])
        outputs = batches | SampleRegions(caps(3), batches | FindSmallest(caps(3)))
        assert_that(outputs.kept, equal_to([[expected]]), "kept")
        sample = ("coco", "train", "sample")
        gone = {"image": 1, "annotation": 6, "sentence": 1}
        sums = dict(tallies)
        for kind, number in gone.items():
            for outcome in ("read", "sampled_out"):
                key = (*sample, kind, outcome)
                sums[key] = sums.get(key, 0) + number
        assert_that(outputs.tally | beam.CombinePerKey(sum), equal_to(list(sums.items())), "tally")
