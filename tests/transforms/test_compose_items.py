"""Compose from items: items and regions that no conversation is about are accounted for."""

import pytest
from msgspec.structs import replace

from prompts.catalog import WORDING_SETS
from prompts.dialogue import Exchange
from prompts.instruction import Instruction, InstructionMode
from schemas.item import Dialogue, Expression, Item, Relationship, Round
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind, Reason
from schemas.sample import Draft, Region, ScreenedImage, Task
from schemas.style import Style
from transforms import compose
from transforms.compose import compose_image
from transforms.ledger import StageLedger

HOW = Instruction(
    style=Style.REGIONGPT,
    mode=InstructionMode.MULTI_TURN_ALL,
    wordings=WORDING_SETS,
    seed=0,
)
ITEMS: tuple[Item, ...] = (
    Expression("s1", "a", "a dog"),
    Expression("s2", "b", "a cat"),
    Relationship("r1", "a", "beside", "b"),
    Dialogue("d1", (Round("Hm?", "Hm."), Round("So?", "So."))),
)
CAPTION, RELATE, TALK = Task.REGION_CAPTION, Task.REGION_RELATIONSHIP, Task.IMAGE_CONVERSATION


def captions(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """A conversation for each sentence but those about a cat."""
    regions = {region.region_id: region for region in screened.regions}
    return [
        [
            Exchange(
                task=CAPTION,
                request=("Describe ", regions[item.region_id], "."),
                answer=item.text,
                prompt="p",
                items=(item.id,),
            )
        ]
        for item in screened.items
        if isinstance(item, Expression) and item.text != "a cat"
    ]


def relations(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """One conversation about both the relationship and a sentence."""
    regions = {region.region_id: region for region in screened.regions}
    return [
        [
            Exchange(
                task=RELATE,
                request=(regions[item.subject_id], " and ", regions[item.object_id]),
                answer=item.predicate,
                prompt="p",
                items=(item.id, "s1"),
            )
        ]
        for item in screened.items
        if isinstance(item, Relationship)
    ]


def talks(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    return [
        [
            Exchange(
                task=TALK,
                request=(turn.request,),
                answer=turn.answer,
                prompt="own",
                items=(item.id,),
            )
            for turn in item.rounds
        ]
        for item in screened.items
        if isinstance(item, Dialogue)
    ]


@pytest.fixture(autouse=True)
def own_tasks(monkeypatch):
    tasks = {CAPTION: captions, RELATE: relations, TALK: talks}
    monkeypatch.setattr(compose, "DIALOGUES", tasks)


@pytest.fixture
def image(make_image) -> ScreenedImage:
    regions = tuple(Region(region_id=name, bbox=(0, 0, 1, 1)) for name in "abc")
    return ScreenedImage(make_image(), regions, ITEMS)


def composed(screened: ScreenedImage, *tasks: Task) -> tuple[Draft | None, StageLedger]:
    """The draft and the ledger; each account is closed within the stage."""
    ledger = StageLedger(Stage.COMPOSE)
    draft = compose_image(screened, tasks, HOW, ledger)
    assert [
        line for line in ledger_of(ledger.tally).problems() if "no later stage" not in line
    ] == []
    return draft, ledger


def counts(ledger: StageLedger) -> dict[Kind, tuple[int, int]]:
    accounts = ledger_of(ledger.tally).sources["coco"]["train"][Stage.COMPOSE]
    return {kind: (account.read, account.kept) for kind, account in accounts.items()}


def test_items_and_regions_that_are_not_used_are_rejected(image):
    draft, ledger = composed(image, CAPTION)
    assert draft is not None
    assert draft.items == ((Kind.SENTENCE, "s1"),)
    assert draft.region_ids() == ["a"]
    assert {(line.kind, line.id) for line in ledger.rejections} == {
        (Kind.ANNOTATION, "b"),
        (Kind.ANNOTATION, "c"),
        (Kind.SENTENCE, "s2"),
        (Kind.RELATIONSHIP, "r1"),
        (Kind.DIALOGUE, "d1"),
    }
    assert {line.reason for line in ledger.rejections} == {Reason.NOT_USED}
    assert counts(ledger) == {
        Kind.IMAGE: (1, 1),
        Kind.ANNOTATION: (3, 1),
        Kind.SENTENCE: (2, 1),
        Kind.RELATIONSHIP: (1, 0),
        Kind.DIALOGUE: (1, 0),
        Kind.CONVERSATION: (1, 1),
    }


def test_an_item_that_several_tasks_use_counts_once(image):
    draft, ledger = composed(image, CAPTION, RELATE, TALK)
    assert draft is not None
    assert draft.items == (
        (Kind.SENTENCE, "s1"),
        (Kind.RELATIONSHIP, "r1"),
        (Kind.DIALOGUE, "d1"),
    )
    assert [conversation.id for conversation in draft.conversations] == [
        f"coco/train/7/{task}/0" for task in (CAPTION, RELATE, TALK)
    ]
    assert [(line.kind, line.id) for line in ledger.rejections] == [
        (Kind.ANNOTATION, "c"),
        (Kind.SENTENCE, "s2"),
    ]
    assert counts(ledger) == {
        Kind.IMAGE: (1, 1),
        Kind.ANNOTATION: (3, 2),
        Kind.SENTENCE: (2, 1),
        Kind.RELATIONSHIP: (1, 1),
        Kind.DIALOGUE: (1, 1),
        Kind.CONVERSATION: (3, 3),
    }


def phrase_by_phrase(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """The turns of a caption: its own, and one for both phrases about the same region."""
    told = Exchange(task=CAPTION, request=("What?",), answer="So.", prompt="p", items=("s1",))
    asked = replace(told, phrase="s1/1", other_phrases=("s1/3", "s1/4"))
    return [[told, asked, replace(told, phrase="s1/2")]]


def test_phrases_count_where_they_have_a_turn(image, monkeypatch):
    monkeypatch.setattr(compose, "DIALOGUES", {CAPTION: phrase_by_phrase})
    draft, ledger = composed(image, CAPTION)
    assert draft is not None
    assert draft.items == (
        (Kind.SENTENCE, "s1"),
        (Kind.PHRASE, "s1/1"),
        (Kind.PHRASE, "s1/2"),
    )
    assert counts(ledger)[Kind.PHRASE] == (4, 2)
    lines = [line for line in ledger.rejections if line.kind is Kind.PHRASE]
    assert [(line.id, line.reason) for line in lines] == [
        ("s1/3", Reason.CAPTION_TURN_ONLY),
        ("s1/4", Reason.CAPTION_TURN_ONLY),
    ]
    assert lines[0].detail == "the turn about its regions is that of s1/1: 'So.'"


@pytest.mark.parametrize("tasks", [(), (RELATE, TALK)])
def test_an_image_that_no_task_uses_goes_with_all_that_is_said(image, make_image, tasks):
    screened = ScreenedImage(make_image(), image.regions, ITEMS[:2])
    draft, ledger = composed(screened, *tasks)
    assert draft is None
    assert [(line.kind, line.id, line.reason) for line in ledger.rejections] == [
        (Kind.IMAGE, "7", Reason.NOT_USED),
        *[(Kind.ANNOTATION, name, Reason.NOT_USED) for name in "abc"],
        *[(Kind.SENTENCE, item.id, Reason.NOT_USED) for item in ITEMS[:2]],
    ]
    assert counts(ledger) == {Kind.IMAGE: (1, 0), Kind.ANNOTATION: (3, 0), Kind.SENTENCE: (2, 0)}


@pytest.mark.parametrize(("file_name", "first"), [("7.jpg", "<image>\nHm?"), (None, "Hm?")])
def test_text_alone_has_no_image_to_introduce(make_image, file_name, first):
    screened = ScreenedImage(make_image(file_name=file_name), (), ITEMS[3:])
    draft, ledger = composed(screened, TALK)
    assert draft is not None
    (conversation,) = draft.conversations
    assert [message.content for message in conversation.messages] == [first, "Hm.", "So?", "So."]
    assert ledger.rejections == []
    assert counts(ledger) == {
        Kind.IMAGE: (1, 1),
        Kind.DIALOGUE: (1, 1),
        Kind.CONVERSATION: (1, 1),
    }


def test_nothing_annotated_is_another_reason_than_nothing_used(make_image):
    draft, ledger = composed(ScreenedImage(make_image(), ()), CAPTION)
    assert draft is None
    assert [(line.kind, line.reason) for line in ledger.rejections] == [
        (Kind.IMAGE, Reason.NO_REGIONS)
    ]
