"""Questions whether a region is of a class: half name its own, half another one of its image."""

import re
from collections import Counter

import pytest

from prompts.dialogue import assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.region_yes_no import YES_NO, dialogues
from schemas.sample import ImageInfo, Region, ScreenedImage
from schemas.style import Style


def region(name: str, left: float, category: str | None, width: float = 10.0) -> Region:
    return Region(name, (left, 0.0, left + width, 10.0), category=category)


def asked(*regions: Region, image: str = "1", style: Style = Style.REGIONGPT, seed: int = 0):
    """The exchanges about the regions of an image."""
    info = ImageInfo("coco", "train", image, "a.jpg", "", 100, 100, 100, "none", 1)
    instruction = Instruction(
        style=style, mode=InstructionMode.MULTI_TURN_ALL, wordings={YES_NO.name: YES_NO}, seed=seed
    )
    talks = dialogues(ScreenedImage(info, regions), instruction)
    return [exchange for talk in talks for exchange in talk]


CAT, DOG, BUS = region("1", 0, "cat"), region("2", 20, "dog"), region("3", 40, "bus")


@pytest.mark.parametrize("style", Style)
def test_an_answer_is_what_the_owner_annotated(style) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for number in range(200):
        turns = asked(CAT, DOG, BUS, image=str(number), style=style)
        talk = assemble("", style, turns, text_only=False)
        words = [message.content for message in talk.messages if message.role == "user"]
        for turn, text in zip(turns, words, strict=True):
            (shown,) = turn.region_ids()
            own = {"1": "cat", "2": "dog", "3": "bus"}[shown]
            (named,) = re.findall(r"\b(?:cat|dog|bus)\b", text)
            assert turn.answer == ("yes" if named == own else "no")
            assert turn.alone
            counts[own, named] += 1
    assert len(counts) == 9, "every class is asked about every region"
    yes = sum(number for (own, named), number in counts.items() if own == named)
    assert 260 < yes < 340
    assert counts.total() == 600


def test_a_class_that_the_box_also_holds_is_not_asked_about() -> None:
    rider, horse = region("1", 2, "person", width=4), region("2", 0, "horse")
    for number in range(50):
        texts = [
            turn for turn in asked(rider, horse, BUS, image=str(number)) if turn.answer == "no"
        ]
        for turn in texts:
            if turn.region_ids() == {"2"}:
                assert "bus" in str(turn.request)


@pytest.mark.parametrize(
    "regions", [(CAT,), (CAT, region("4", 60, "cat")), (CAT, region("4", 60, None)), ()]
)
def test_images_of_one_class_have_no_question(regions) -> None:
    assert asked(*regions) == [], "a yes would be the only answer"


def test_questions_depend_on_seed_and_ids_alone() -> None:
    assert asked(CAT, DOG, BUS) == asked(BUS, CAT, DOG)
    assert any(asked(CAT, DOG, BUS, seed=seed) != asked(CAT, DOG, BUS) for seed in range(1, 4))
