"""Weights and the limit of words: what is left out is counted, and nothing else is lost."""

from collections import Counter

import pytest

from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from schemas.item import Expression
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style
from transforms.compose import compose_image
from transforms.ledger import StageLedger

TASKS = (Task.REGION_CAPTION,)
REGIONS = tuple(Region(region_id=f"r{n}", bbox=(0.0, 0.0, 1.0, 1.0)) for n in range(30))


def instruction(**options) -> Instruction:
    mode = InstructionMode.MULTI_TURN_ALL
    return Instruction(style=Style.REGIONGPT, mode=mode, wordings=WORDING_SETS, seed=0, **options)


@pytest.fixture
def image(make_image):
    """Makes an image with a sentence about each of its regions."""

    def make(name: str = "7") -> ScreenedImage:
        items = tuple(
            Expression(f"s{region.region_id}", region.region_id, f"dog {number} of a pack")
            for number, region in enumerate(REGIONS)
        )
        return ScreenedImage(make_image(image_id=name), REGIONS, items)

    return make


@pytest.mark.parametrize("limit", [40, 100, 900])
def test_long_conversations_are_cut_and_no_turn_is_lost(image, limit):
    ledger = StageLedger(Stage.COMPOSE)
    draft = compose_image(image(), TASKS, instruction(max_words=limit), ledger)
    assert draft is not None
    words = [
        sum(len(message.content.split()) for message in talk.messages)
        for talk in draft.conversations
    ]
    assert max(words) <= limit
    answers = [message.content for talk in draft.conversations for message in talk.messages[1::2]]
    assert Counter(answers) == Counter(f"dog {number} of a pack" for number in range(30))
    assert (len(words) == 1) == (limit == 900)
    assert len({talk.id for talk in draft.conversations}) == len(words)
    assert all(talk.messages[0].content.startswith("<image>") for talk in draft.conversations)


def test_the_share_of_a_weight_is_kept_and_the_rest_is_sampled_out(image):
    ledger = StageLedger(Stage.COMPOSE)
    chosen = instruction(weights={"coco": {Task.REGION_CAPTION: 0.25}})
    drafts = [compose_image(image(str(number)), TASKS, chosen, ledger) for number in range(400)]
    kept = sum(draft is not None for draft in drafts)
    assert 70 <= kept <= 130
    accounts = ledger_of(ledger.tally).sources["coco"]["train"][Stage.COMPOSE]
    for kind, number in ((Kind.IMAGE, 1), (Kind.ANNOTATION, 30), (Kind.SENTENCE, 30)):
        account = accounts[kind]
        assert (account.read, account.kept) == (400 * number, kept * number)
        assert account.sampled_out == (400 - kept) * number
    talks = accounts[Kind.CONVERSATION]
    assert (talks.read, talks.kept, talks.sampled_out) == (400, kept, 400 - kept)
    assert ledger.rejections == []


def test_a_weight_of_another_source_changes_nothing(image):
    ledger = StageLedger(Stage.COMPOSE)
    other = instruction(weights={"lvis": {Task.REGION_CAPTION: 0.0}})
    assert compose_image(image(), TASKS, other, ledger) == compose_image(
        image(), TASKS, instruction(), StageLedger(Stage.COMPOSE)
    )
