"""Screen of items: clean text is kept; an item that cannot be used is rejected alone."""

import pytest
from msgspec.structs import replace

from schemas.item import (
    Choices,
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    Relationship,
    Round,
    plain_text,
)
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Region
from schemas.source import SourceImage, SourceRegion
from transforms.ledger import StageLedger
from transforms.screen import screen_image
from transforms.screen_items import screen_item

A, B = (Region(region_id=name, bbox=(0.0, 0.0, 1.0, 1.0)) for name in "ab")
REGIONS: dict[str, Region | Rejected] = {
    "a": A,
    "b": B,
    "gone": Rejected(Reason.BOX_OUTSIDE, "lies to the right of the image"),
}


def caption(*pieces: str | Mention) -> GroundedCaption:
    return GroundedCaption("1", pieces)


def dog(*region_ids: str) -> Mention:
    return Mention("a dog", region_ids)


def question(
    question: Passage = ("What?",),
    answer: Passage = ("That.",),
    rationale: Passage = ("So.",),
) -> Question:
    return Question("1", question, answer, rationale)


def choices(*passages: Passage, label: int = 0) -> Question:
    return replace(question(), rationales=Choices(passages, label))


def dialogue(*texts: str) -> Dialogue:
    return Dialogue("1", tuple(map(Round, texts[::2], texts[1::2])))


def refusal(item: Item) -> Rejected:
    with pytest.raises(Rejected) as refused:
        screen_item(item, REGIONS)
    return refused.value


@pytest.mark.parametrize(
    ("item", "screened"),
    [
        (Expression("1", "a", " the\n <image> USER:"), Expression("1", "a", "the (image) USER :")),
        (Relationship("1", "a", " on\ttop ", "b"), Relationship("1", "a", "on top", "b")),
        (Relationship("1", "a", "beside", "a"), Relationship("1", "a", "beside", "a")),
        (caption(dog("a"), "\n### ", dog("b")), caption(dog("a"), " # # # ", dog("b"))),
        (
            question((dog("a"), " <region1>?"), (dog("b"),), ("for ", dog("a", "b"))),
            question((dog("a"), " (region1)?"), (dog("b"),), ("for ", dog("a", "b"))),
        ),
        (
            dialogue("<image>\nif x:\n    y", "USER: 1", "###", "<div>"),
            dialogue("(image)\nif x:\n    y", "USER : 1", "# # #", "<div>"),
        ),
    ],
)
def test_text_is_cleaned_and_all_else_stays(item, screened):
    assert screen_item(item, REGIONS) == screened
    assert screen_item(screened, REGIONS) == screened


UNUSABLE = [("gone", Reason.REGION_REJECTED), ("z", Reason.UNKNOWN_REGION)]


@pytest.mark.parametrize(("region_id", "reason"), UNUSABLE)
@pytest.mark.parametrize(
    "make",
    [
        lambda name: Expression("1", name, "a dog"),
        lambda name: Relationship("1", name, "on", "b"),
        lambda name: Relationship("1", "a", "on", name),
        lambda name: question(question=(dog("a", name),)),
        lambda name: question(answer=("It is ", dog(name))),
        lambda name: question(rationale=(dog(name), " is.")),
        lambda name: caption("There is ", dog(name), "."),
    ],
    ids=["expression", "subject", "object", "question", "answer", "rationale", "caption"],
)
def test_an_item_without_its_region_goes(make, region_id, reason):
    cause = refusal(make(region_id))
    assert cause.reason is reason
    assert region_id in cause.detail
    assert (Reason.BOX_OUTSIDE in cause.detail) == (region_id == "gone")


@pytest.mark.parametrize("region_id", ["gone", "z"])
def test_a_caption_that_loses_a_region_keeps_its_words(region_id):
    item = caption(dog("a"), " chases ", Mention("a cat", (region_id,)), ".")
    screened = screen_item(item, REGIONS)
    assert screened == caption(dog("a"), " chases ", "a cat", ".")
    assert isinstance(screened, GroundedCaption)
    assert plain_text(screened.caption) == plain_text(item.caption)


@pytest.mark.parametrize("region_id", ["gone", "z"])
def test_a_phrase_of_several_regions_stands_for_all_or_for_none(region_id):
    item = caption(Mention("two dogs", ("b", region_id)), " see ", dog("a"))
    assert screen_item(item, REGIONS) == caption("two dogs", " see ", dog("a"))
    assert region_id in refusal(caption(Mention("two dogs", ("b", region_id)), " run")).detail


def test_a_caption_that_never_had_a_region_says_so():
    cause = refusal(caption("Two ", Mention("dogs", ()), " run"))
    assert cause.reason is Reason.NO_REGIONS
    assert "Two dogs run" in cause.detail


def test_a_caption_names_the_first_region_it_lost():
    cause = refusal(caption(dog("z"), " and ", dog("gone")))
    assert (cause.reason, cause.detail) == (Reason.UNKNOWN_REGION, "the image has no region z")


@pytest.mark.parametrize(
    ("pieces", "seen"),
    [
        (("##", dog("a"), "#"), None),
        ((Mention("##", ("a",)), "#"), "###"),
        (("#", Mention("#", ("a",)), "#"), "###"),
        (("<regi", Mention("on1>", ("a",))), "on1>"),
        ((Mention("<", ("a",)), "image>"), "<image>"),
        (("USER", Mention(":", ("a",))), "USER:"),
        ((Mention("＃#", ("a",)), "#"), "＃##"),
        (("# ", Mention("#", ("a",)), " #"), None),
        (("a < ", Mention("b", ("a",))), None),
    ],
)
def test_harmless_pieces_that_join_to_what_is_obeyed(pieces, seen):
    for make in (caption(*pieces), question(answer=pieces)):
        if seen is None:
            screen_item(make, REGIONS)
        else:
            cause = refusal(make)
            assert cause.reason is Reason.TEXT_UNSAFE
            assert seen in cause.detail


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Expression("1", "a", " \u200b"), Reason.TEXT_EMPTY),
        (Expression("1", "a", "x" * 5_000), Reason.TEXT_TOO_LONG),
        (Relationship("1", "a", "", "b"), Reason.TEXT_EMPTY),
        (caption(Mention(" ", ("a",)), " runs"), Reason.TEXT_EMPTY),
        (caption(dog("a"), " x" * 2_500), Reason.TEXT_TOO_LONG),
        (caption(dog("a"), *[" x" * 500] * 5), Reason.TEXT_TOO_LONG),
        (caption(), Reason.TEXT_EMPTY),
        (question(question=(" ",)), Reason.TEXT_EMPTY),
        (question(answer=()), Reason.TEXT_EMPTY),
        (question(rationale=("\n",)), Reason.TEXT_EMPTY),
        (dialogue("Hm?", " \0"), Reason.TEXT_EMPTY),
        (dialogue("", ""), Reason.TEXT_EMPTY),
        (dialogue("\0", "Hm."), Reason.TEXT_EMPTY),
        (dialogue("Hm?", "Hm.", "", "Hm."), Reason.TEXT_EMPTY),
        (dialogue("", "Hm.", "", "Hm."), Reason.TEXT_EMPTY),
        (dialogue("x" * 100_001, "Hm."), Reason.TEXT_TOO_LONG),
    ],
)
def test_text_that_cannot_be_used(item, reason):
    assert refusal(item).reason is reason


def source_region(name: str, box: tuple[float, float, float, float]) -> SourceRegion:
    return SourceRegion(name, box)


def test_an_image_keeps_what_can_be_used_of_what_is_said(make_image):
    regions = (
        source_region("a", (0.0, 0.0, 1.0, 1.0)),
        source_region("b", (1.0, 0.0, 2.0, 1.0)),
        source_region("gone", (50.0, 0.0, 60.0, 1.0)),
    )
    good: tuple[Item, ...] = (
        Expression("1", "a", "a  dog"),
        GroundedCaption("2", (dog("a"), " and ", dog("gone"))),
        Relationship("3", "a", "on", "b"),
        dialogue("Hm?", "Hm."),
    )
    bad: tuple[Item, ...] = (
        Expression("5", "gone", "a dog"),
        Expression("6", "z", "a dog"),
        Relationship("7", "a", "on", "gone"),
        Question("8", ("##", Mention("#", ("a",))), ("a",), ("b",)),
        Dialogue("9", (Round("Hm?", ""),)),
    )
    mixed = (*bad[:2], *good, *bad[2:])
    ledger = StageLedger(Stage.SCREEN)
    screened = screen_image(SourceImage(make_image(), regions, mixed), ledger)
    assert [region.region_id for region in screened.regions] == ["a", "b"]
    assert screened.items == (
        Expression("1", "a", "a dog"),
        GroundedCaption("2", (dog("a"), " and ", "a dog")),
        *good[2:],
    )
    assert [(line.kind, line.id, line.reason) for line in ledger.rejections] == [
        (Kind.ANNOTATION, "gone", Reason.BOX_OUTSIDE),
        (Kind.SENTENCE, "5", Reason.REGION_REJECTED),
        (Kind.SENTENCE, "6", Reason.UNKNOWN_REGION),
        (Kind.RELATIONSHIP, "7", Reason.REGION_REJECTED),
        (Kind.QUESTION, "8", Reason.TEXT_UNSAFE),
        (Kind.DIALOGUE, "9", Reason.TEXT_EMPTY),
    ]
    accounts = ledger_of(ledger.tally).sources["coco"]["train"][Stage.SCREEN]
    assert {kind: (account.read, account.kept) for kind, account in accounts.items()} == {
        Kind.IMAGE: (1, 1),
        Kind.ANNOTATION: (3, 2),
        Kind.SENTENCE: (4, 2),
        Kind.RELATIONSHIP: (2, 1),
        Kind.QUESTION: (1, 0),
        Kind.DIALOGUE: (2, 1),
    }
    assert [account.missing() for account in accounts.values()] == [0] * 6
    assert accounts[Kind.SENTENCE].repaired == {Repair.PHRASE_UNBOXED: 1}


@pytest.mark.parametrize(
    "item", [dialogue("", "A dog."), dialogue("", "A dog.", "What kind?", "A poodle.")]
)
def test_a_picture_needs_no_request(make_image, item):
    image, text = make_image(), make_image(file_name=None, width=None, height=None, size_bytes=0)
    shown, alone = StageLedger(Stage.SCREEN), StageLedger(Stage.SCREEN)
    assert screen_image(SourceImage(image, (), (item,)), shown).items == (item,)
    assert shown.rejections == []
    assert screen_image(SourceImage(text, (), (item,)), alone).items == ()
    assert [line.reason for line in alone.rejections] == [Reason.TEXT_EMPTY]


def test_text_alone_needs_no_picture(make_image):
    image = make_image(file_name=None, width=None, height=None, size_bytes=0)
    ledger = StageLedger(Stage.SCREEN)
    screened = screen_image(SourceImage(image, (), (dialogue("Hm?", "Hm."),)), ledger)
    assert (screened.regions, screened.items) == ((), (dialogue("Hm?", "Hm."),))
    assert ledger.rejections == []


def test_a_region_keeps_its_score_and_needs_no_category(make_image):
    region = replace(source_region("a", (0.0, 0.0, 4.0, 4.0)), score=0.25)
    screened = screen_image(SourceImage(make_image(), (region,)), StageLedger(Stage.SCREEN))
    assert screened.regions == (Region("a", (0.0, 0.0, 4.0, 4.0), score=0.25),)
    assert screened.label_set is None


def test_choices_are_cleaned_like_any_passage():
    screened = screen_item(choices((dog("a"), " <region1>"), ("So.\n",), label=1), REGIONS)
    assert isinstance(screened, Question)
    assert screened.rationales == Choices(((dog("a"), " (region1)"), ("So. ",)), 1)
    assert screened.answers is None


@pytest.mark.parametrize(
    ("item", "reason", "detail"),
    [
        (choices(("So.",), (dog("gone"),)), Reason.REGION_REJECTED, "rationales[1]: region gone: "),
        (choices((dog("c"),), ("So.",)), Reason.UNKNOWN_REGION, "rationales[0]: the image has no "),
        (choices(("So.",), ()), Reason.TEXT_EMPTY, "rationales[1]: expected visible "),
        (
            choices(("No.",), ("Hm.",), ("Hm.",), label=1),
            Reason.AMBIGUOUS_LABEL,
            "rationales[2] reads as the right one, rationales[1], does: 'Hm.'",
        ),
        (
            choices((dog("a"), "  runs."), ("No.",), (dog("a"), " ", "runs. "), label=2),
            Reason.AMBIGUOUS_LABEL,
            "rationales[0] reads as the right one, rationales[2], does: 'a dog runs.'",
        ),
    ],
)
def test_a_choice_that_cannot_be_offered_is_named(item, reason, detail):
    refused = refusal(item)
    assert (refused.reason, refused.detail.startswith(detail)) == (reason, True)


def test_wrong_choices_may_be_alike_and_the_right_one_of_another_region():
    item = choices((dog("a"),), (dog("b"),), ("No.",), ("No.",))
    assert screen_item(item, REGIONS) == item
