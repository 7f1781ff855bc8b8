"""Answers and reasons to choose from: what is listed, given and offered."""

import pytest
from msgspec.structs import replace

from prompts.catalog import EVALUATIONS, WORDING_SETS
from prompts.evaluation.reasoning import dialogues
from prompts.instruction import Instruction, InstructionMode
from prompts.region_reasoning import ALL_OBJECTS, MAX_LISTED_REGIONS, REASON
from schemas.item import Choices, Mention, Question
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

TASK = Task.REGION_REASONING
LISTED = ALL_OBJECTS.wordings[0]


def dog(*numbers: int) -> Mention:
    return Mention("dog", tuple(map(str, numbers)))


ANSWERS = Choices((("It sits.",), (dog(2), " runs."), ("No. ", dog(0), "."), ("Yes.",)), 1)
RATIONALES = Choices((("So.",), ("Hm.",), ("By ", dog(3), "."), (dog(1), "'s fur is wet.")), 3)
ASKED = Question(
    "q7",
    ("Does ", dog(0), " rest?"),
    (dog(2), " runs."),
    RATIONALES.passages[3],
    ANSWERS,
    RATIONALES,
)


def how(seed=0):
    return Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        evaluation=True,
    )


@pytest.fixture(scope="session")
def asked(compose, make_image):
    """The records of questions about an image of so many regions."""

    def ask(*questions, regions=4, seed=0):
        boxes = [Region(str(n), (n / 10, 0, n / 10 + 1, 5), category="dog") for n in range(regions)]
        screened = ScreenedImage(make_image(source="vcr"), tuple(boxes), questions)
        return compose(screened, TASK, how(seed))

    return ask


def texts(record):
    return [message["content"] for message in record["messages"]]


def test_it_is_in_the_table():
    assert EVALUATIONS[TASK] is dialogues


def test_an_answer_and_then_the_reason_for_the_right_one(asked):
    draft, (answer, rationale) = asked(ASKED)
    listing = "[1] <region1>, [2] <region2>, [3] <region3> and [4] <region4>"
    question = f"<image>\n{LISTED.replace('<region>', listing)} Does Region [1] rest?"
    assert texts(answer) == [question, "The dog at Region [3] runs."]
    assert texts(rationale) == [
        *texts(answer),
        REASON.wordings[0],
        "The dog at Region [2]'s fur is wet.",
    ]
    assert answer["evaluation"][0] == {
        "turn": 0,
        "position": 0,
        "item_id": "q7/answer",
        "group": "q7",
        "references": ["The dog at Region [3] runs."],
        "choices": [
            "It sits.",
            "The dog at Region [3] runs.",
            "No. The dog at Region [1].",
            "Yes.",
        ],
        "label": 1,
    }
    (scored,) = rationale["evaluation"]
    assert scored == {
        "turn": 1,
        "position": 0,
        "item_id": "q7/rationale",
        "group": "q7",
        "references": ["The dog at Region [2]'s fur is wet."],
        "choices": [
            "So.",
            "Hm.",
            "By the dog at Region [4].",
            "The dog at Region [2]'s fur is wet.",
        ],
        "label": 3,
    }
    assert [item_id for _, item_id in draft.items] == ["q7"]


def test_a_question_about_no_region(asked):
    plain = Choices((("A.",), ("B.",), ("C.",), ("D.",)), 0)
    _, (answer, _) = asked(Question("q", ("Why?",), ("A.",), ("A.",), plain, plain), regions=0)
    assert texts(answer) == ["<image>\nWhy?", "A."]
    assert answer["evaluation"][0]["choices"] == ["A.", "B.", "C.", "D."]


@pytest.mark.parametrize("needed", [4, MAX_LISTED_REGIONS + 9])
def test_all_that_any_choice_names_is_listed(needed, asked):
    """Others are listed up to the cap; the wordings hang on no chance."""
    wrong = replace(ANSWERS, passages=(*ANSWERS.passages[:3], (dog(*range(90, 86 + needed)),)))
    most = replace(ASKED, answers=wrong)
    listed = set()
    for seed in range(3):
        _, records = asked(most, regions=90 + needed, seed=seed)
        names = {tuple(region["region_id"] for region in record["regions"]) for record in records}
        (ids,) = names
        assert len(ids) == max(MAX_LISTED_REGIONS, needed)
        assert set(ids) >= set(map(str, [0, 1, 2, 3, *range(90, 86 + needed)]))
        assert [*ids] == sorted(ids, key=int)
        assert all(text.startswith("<image>\nThe following is") for text, *_ in map(texts, records))
        listed.add(ids)
    assert len(listed) == (3 if needed < MAX_LISTED_REGIONS else 1)


def test_questions_without_choices_are_not_for_evaluation(asked):
    draft, records = asked(replace(ASKED, id="q1", rationales=None), ASKED)
    assert [record["evaluation"][0]["group"] for record in records] == ["q7", "q7"]
    assert [item_id for _, item_id in draft.items] == ["q7"]


def test_questions_come_in_order_of_their_ids(asked):
    _, records = asked(replace(ASKED, id="q10"), ASKED)
    said = [record["evaluation"][0]["item_id"] for record in records]
    assert said == ["q7/answer", "q7/rationale", "q10/answer", "q10/rationale"]
