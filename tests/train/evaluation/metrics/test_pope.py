"""Yes-or-no questions: numbers by hand, the reading of answers, and odd input."""

import json
import random
from dataclasses import replace

import pytest

from schemas.errors import InputFileError
from schemas.item import YesNoQuestion
from schemas.sample import ScreenedImage, Task
from tests.train.evaluation.metrics.making import built, make_answer, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.pope import pope, says_yes

NAMES = ("accuracy", "precision", "recall", "F1", "yes-ratio")


def asked(number: int, right: str, text: str | None, group: str = "random", **fields) -> Answer:
    usual = {"choices": ("yes", "no"), "label": 0 if right == "yes" else 1}
    return make_answer(number, text=text, group=group, **(usual | fields))


def test_numbers_by_hand():
    """Random: 2 hits, 1 miss, 1 false alarm, 2 rejections. Popular: 1 false alarm."""
    rows = [
        ("yes", "Yes."),
        ("yes", "Yes"),
        ("yes", "No."),
        ("no", "Yes"),
        ("no", "No"),
        ("no", "no"),
    ]
    answers = [asked(number, *row) for number, row in enumerate(rows)]
    answers.append(asked(6, "no", "Yes", group="popular"))
    figures = pope(answers)
    by_group: dict[str, list[float]] = {}
    for figure in figures:
        by_group.setdefault(figure.group, []).append(figure.value)
    assert [figure.name for figure in figures] == [*NAMES] * 3
    assert by_group[""] == pytest.approx([400 / 7, 50, 200 / 3, 400 / 7, 400 / 7])
    assert by_group["popular"] == [0, 0, 0, 0, 100]
    assert by_group["random"] == pytest.approx([200 / 3, 200 / 3, 200 / 3, 200 / 3, 50])
    assert [figure.count for figure in figures[::5]] == [7, 1, 6]


def test_the_likelier_choice_is_scored_where_likelihoods_are():
    likelihoods = [(-0.1, -2.0), (-2.0, -0.1), (-0.5, -0.5), (-3.0, -0.2), None]
    rows = zip(("yes", "yes", "yes", "no", "no"), likelihoods, strict=True)
    answers = [
        asked(number, right, "Yes", choice_loglik=both) for number, (right, both) in enumerate(rows)
    ]
    assert values(pope(answers))["accuracy by likelihood"] == 40  # the first and the fourth
    without = [replace(answer, choice_loglik=None) for answer in answers]
    assert "accuracy by likelihood" not in values(pope(without))


READ = {
    "Yes": True,
    "Yes, there is a dog.": True,
    "No": False,
    "no": False,
    "No, there is no dog.": False,
    "No,": False,
    "There is not a dog": False,
    "Yes. But there is no cat.": True,  # only the first sentence counts
    ". No": True,
    "No.": False,
    "Yes, there are no doubts": False,
    "NO": True,  # only the three words count, as they are written
    "Not at all": True,
    "None": True,
    "Nothing": True,
    "no\nyes": True,  # words are parted by blanks only
    "no!": True,
    "n,o": False,  # commas go first
    "I  do  not  see": False,
    "": True,
}


def script(text: str) -> str:
    """The steps that POPE's evaluation takes, one by one."""
    if text.find(".") != -1:
        text = text.split(".")[0]
    words = text.replace(",", "").split(" ")
    return "no" if "No" in words or "not" in words or "no" in words else "yes"


@pytest.mark.parametrize(("text", "yes"), READ.items())
def test_an_answer_is_read_as_by_the_script(text, yes):
    assert says_yes(text) is yes
    assert script(text) == ("yes" if yes else "no")
    by_name = values(pope([asked(0, "yes", text)]))
    assert by_name["accuracy"] == (100 if yes else 0)


def test_real_questions_as_they_are_built_against_a_count(samples, make_image):
    """POPE's own file, answered by chance; the four counts are taken from its labels."""
    path = samples / "pope" / "coco_pope_random.json"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:600]
    items = [
        YesNoQuestion(str(line["question_id"]), line["text"], line["label"] == "yes")
        for line in lines
    ]
    entries = built(
        ScreenedImage(make_image(split="random"), (), tuple(items)), Task.IMAGE_CONVERSATION
    )
    chance = random.Random(0)
    texts = {item.id: chance.choice(["Yes", "No, there is not.", "Yes, it is."]) for item in items}
    figures = pope([replace(entry, text=texts[entry.item_id]) for entry in entries])
    pairs = [(line["label"], script(texts[str(line["question_id"])])) for line in lines]
    hits, alarms = pairs.count(("yes", "yes")), pairs.count(("no", "yes"))
    misses, rejections = pairs.count(("yes", "no")), pairs.count(("no", "no"))
    precision, recall = hits / (hits + alarms), hits / (hits + misses)
    expected = {
        "accuracy": (hits + rejections) / 600,
        "precision": precision,
        "recall": recall,
        "F1": 2 * precision * recall / (precision + recall),
        "yes-ratio": (hits + alarms) / 600,
    }
    assert values(figures) == pytest.approx({k: 100 * v for k, v in expected.items()})
    assert {figure.group for figure in figures} == {"", "random"}


def test_the_published_ratio_of_yes_follows_from_the_published_recall():
    """RegionGPT's random row fits 2,910 questions, 1,500 with yes: precision 97.75, yes 41.20."""
    counts = {("yes", "Yes"): 1172, ("yes", "No"): 328, ("no", "Yes"): 27, ("no", "No"): 1383}
    rows = [row for row, count in counts.items() for _ in range(count)]
    by_name = values(pope([asked(number, *row) for number, row in enumerate(rows)]))
    rounded = [round(by_name[name], 2) for name in NAMES]
    assert rounded == [87.80, 97.75, 78.13, 86.85, 41.20]


def test_a_missing_answer_is_the_wrong_one():
    by_name = values(pope([asked(0, "yes", None), asked(1, "no", None), asked(2, "no", "No")]))
    assert by_name["missing"] == 2
    assert [by_name[name] for name in NAMES] == pytest.approx([100 / 3, 0, 0, 0, 100 / 3])


@pytest.mark.parametrize(
    ("right", "text", "expected"),
    [
        ("yes", "No", [0, 0, 0, 0, 0]),
        ("no", "Yes", [0, 0, 0, 0, 100]),
        ("no", "No", [100, 0, 0, 0, 0]),
        ("yes", "Yes", [100, 100, 100, 100, 100]),
    ],
)
def test_a_share_of_nothing_is_0(right, text, expected):
    by_name = values(pope([asked(number, right, text) for number in range(3)]))
    assert [by_name[name] for name in NAMES] == expected


def test_the_order_of_answers_tells_nothing():
    answers = [
        asked(k, "yes" if k % 3 else "no", "Yes" if k % 2 else "No", "ab"[k % 2]) for k in range(9)
    ]
    assert pope(answers) == pope(answers[::-1])


REFUSED = {
    "there is no entry to score": [],
    "is scored 2 times": [asked(0, "yes", "Yes")] * 2,
    "expected the choices yes and no": [asked(0, "yes", "Yes", choices=("no", "yes"))],
    "and the right one, found .* and None": [asked(0, "yes", "Yes", label=None)],
}


@pytest.mark.parametrize(("message", "answers"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused(message, answers):
    with pytest.raises(InputFileError, match=message):
        pope(answers)
