"""Messages of talks, as models are trained on them."""

import pytest

from model.errors import InputError
from model.serve.composition import compose, disarmed
from schemas.style import Style

OVERVIEW = "The <image> provides an overview of the picture.\n"


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"role": "assistant", "content": text}


def contents(style, *messages, regions=2, **options):
    composed = compose(style, messages, regions, **options)
    return [message["content"] for message in composed.messages], composed.numbers


@pytest.mark.parametrize(
    ("style", "question", "expected", "numbers"),
    [
        ("regiongpt", "What is region1?", "<image>\nWhat is <region1>?", (1,)),
        ("regiongpt", "What is Region 2?", "<image>\nWhat is <region1>?", (2,)),
        ("regiongpt", "What is <region2>?", "<image>\nWhat is <region1>?", (2,)),
        ("regiongpt", "Is region [2] by region1?", "<image>\nIs <region2> by <region1>?", (1, 2)),
        ("regiongpt", "Hello", "<image>\n[1] <region1>, [2] <region2>\nHello", (1, 2)),
        ("gpt4roi", "What is region1?", f"{OVERVIEW}What is region1 <region1>?", (1,)),
        ("gpt4roi", "What is region2?", f"{OVERVIEW}What is region2 <region1>?", (2,)),
        ("gpt4roi", "What is <region1>?", f"{OVERVIEW}What is <region1>?", (1,)),
        (
            "gpt4roi",
            "Is region1 by region2, or region1 far?",
            f"{OVERVIEW}Is region1 <region1> by region2 <region2>, or region1 far?",
            (1, 2),
        ),
        (
            "gpt4roi",
            "Hello",
            f"{OVERVIEW}region1 <region1>, region2 <region2>\nHello",
            (1, 2),
        ),
    ],
)
def test_a_question_about_two_regions(style, question, expected, numbers):
    assert contents(Style(style), user(question)) == ([expected], numbers)


def test_one_region_that_is_not_named_stands_before_the_question():
    assert contents(Style.REGIONGPT, user("Hi"), regions=1)[0] == ["<image>\n<region1>\nHi"]
    assert contents(Style.GPT4ROI, user("Hi"), regions=1)[0] == [f"{OVERVIEW}region1 <region1>\nHi"]


@pytest.mark.parametrize(
    ("style", "first"),
    [
        ("regiongpt", "<image>\n[1] <region1>, [2] <region2>\nWhat is Region [1]?"),
        ("gpt4roi", f"{OVERVIEW}region1 <region1>, region2 <region2>\nWhat is region1?"),
    ],
)
def test_detections_are_all_listed(style, first):
    assert contents(Style(style), user("What is region1?"), list_all=True) == ([first], (1, 2))


def test_later_rounds_follow_the_models_answers():
    talk = [
        user("What is region2?"),
        said("a <region1> dog ###"),
        user("And region1? Not region2?"),
    ]
    assert contents(Style.REGIONGPT, *talk) == (
        ["<image>\nWhat is <region2>?", "a (region1) dog # # #", "And <region1>? Not <region2>?"],
        (1, 2),
    )
    assert contents(Style.GPT4ROI, *talk) == (
        [
            f"{OVERVIEW}What is region2 <region2>?",
            "a (region1) dog # # #",
            "And region1 <region1>? Not region2?",
        ],
        (1, 2),
    )


def test_without_regions_words_stay_as_they_are():
    written, numbers = contents(Style.REGIONGPT, user("Is region 5 in Texas?"), regions=0)
    assert (written, numbers) == (["<image>\nIs region 5 in Texas?"], ())
    endless = f"region{'1' * 5000}"
    assert contents(Style.REGIONGPT, user(endless), regions=0)[0] == [f"<image>\n{endless}"]
    written, _ = contents(Style.REGIONGPT, user("Hi"), regions=0, picture=False)
    assert written == ["Hi"]


def test_a_system_message_stays_first_and_as_it_is():
    messages = [{"role": "system", "content": "Be brief about region1."}, user("Hi")]
    written, _ = contents(Style.REGIONGPT, *messages, regions=0)
    assert written == ["Be brief about region1.", "<image>\nHi"]


@pytest.mark.parametrize(
    ("text", "regions", "message"),
    [
        ("What is region3?", 2, "'region3' in a question, and there are 2 regions"),
        ("What is <region0>?", 1, "'<region0>' in a question, and there is one region"),
        ("What is <region1>?", 0, "'<region1>' in a question, and there are no regions"),
        ("Region " + "1" * 5000, 1, f"'Region {'1' * 23}' in a question, and there is one region"),
        (
            f"<region{'1' * 5000}>",
            0,
            f"'<region{'1' * 23}' in a question, and there are no regions",
        ),
        ("An <image>?", 0, "<image> in a question: leave it out, the picture is known"),
    ],
)
def test_what_there_is_not_is_refused(text, regions, message):
    with pytest.raises(InputError) as refused:
        compose(Style.REGIONGPT, [user(text)], regions)
    assert str(refused.value) == message


def test_an_answer_of_nothing_visible_is_empty():
    assert disarmed("\x07 ") == ""
    assert disarmed("USER: x") == "USER : x"
