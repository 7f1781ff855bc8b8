"""Merged conversations of real sentences: no text tells a choice's answer without the picture.

Two readers that see no picture try to answer. One matches words of the turns above; it has what
chance has. The other counts everything about a conversation but its description.
"""

import json
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.ledger import Stage
from schemas.sample import ScreenedImage, Task
from schemas.source import SourceImage
from schemas.style import Style
from transforms.compose import compose_image
from transforms.ledger import StageLedger
from transforms.screen import screen_image

CAPTION, CHOICE = Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION
MARGIN = 0.03
# fmt: off
STOP_WORDS = frozenset((
    "a", "about", "above", "all", "also", "an", "and", "any", "are", "as", "at", "be", "behind",
    "below", "beside", "between", "both", "but", "by", "can", "do", "does", "for", "from", "has",
    "have", "he", "her", "here", "his", "how", "i", "in", "into", "is", "it", "its", "me", "my",
    "near", "no", "not", "of", "off", "on", "one", "or", "other", "out", "over", "she", "so",
    "that", "the", "their", "them", "there", "these", "they", "this", "those", "to", "two", "under",
    "up", "was", "were", "what", "where", "which", "while", "who", "whose", "with", "you", "your",
))
# fmt: on
WORD = re.compile(r"[a-z]+")
CANDIDATE = re.compile(r"\[(\d+)\] <region\1>")
CHOSEN = re.compile(r"Region \[(\d+)\]\.?")
NAMED = re.compile(r"<region(\d+)>|\[(\d+)\]")


class Question(NamedTuple):
    """A choice as a record states it."""

    row: dict[str, Any]
    first: bool  # the first choice of its conversation
    above: list[str]  # the text of each turn above
    description: str
    candidates: list[str]  # numbers, in the order of the list
    answer: str | None  # a number; None: no candidate fits
    request: str  # without the description
    below: int  # turns below

    @property
    def key(self) -> str:
        return f"{self.row['id']}/{len(self.above)}"


def words(text: str) -> set[str]:
    return set(WORD.findall(text.lower())) - STOP_WORDS


@pytest.fixture(scope="module")
def images(samples, tmp_path_factory) -> list[ScreenedImage]:
    """All images of a real file as the reader reads them; their pictures are empty stand-ins."""
    path = samples / "refcoco" / "minigpt4_eval" / "refcocog_val.json"
    root = tmp_path_factory.mktemp("real")
    pictures = root / "coco" / "train2014"
    pictures.mkdir(parents=True)
    for name in {line["img_id"].rsplit("_", 1)[0] for line in json.loads(path.read_bytes())}:
        (pictures / f"{name}.jpg").write_bytes(b" ")
    source = SourceRequest(name="refcocog", paths={"val": str(path)})
    (split,) = make_plan(Recipe(sources=(source,)), str(root), "unused").splits
    entries = CATALOG["refcocog"].parse(split, FileStore())
    ledger = StageLedger(Stage.SCREEN)
    read_images = [entry for entry in entries if isinstance(entry, SourceImage)]
    screened = [image for each in read_images if (image := screen_image(each, ledger))]
    assert len(screened) == 1_300
    return screened


@pytest.fixture(scope="module", params=[0, 1])
def rows(request, images) -> list[dict[str, Any]]:
    """The merged records of all images, with captions named before choices in the recipe."""
    instruction = Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=request.param,
        merge=True,
    )
    records = []
    for screened in images:
        draft = compose_image(screened, (CAPTION, CHOICE), instruction, StageLedger(Stage.COMPOSE))
        assert draft is not None
        image = screened.image
        records += [Row(image, image.file_name, talk, (1000, 1000)) for talk in draft.conversations]
    batch = to_batch(records, BuildStamp(builder="b", recipe="all", seed=0))
    return list(batch.to_pylist())


@pytest.fixture(scope="module")
def questions(rows) -> list[Question]:
    asked = [question for row in rows for question in read(row)]
    assert len(asked) > 1_000
    return asked


def read(row: dict[str, Any]) -> Iterator[Question]:
    """Yield the choices of a record, read by its text alone."""
    contents = [message["content"] for message in row["messages"]]
    turns = list(zip(contents[::2], contents[1::2], strict=True))
    candidates: list[str] = []
    first = True
    for number, (task, (asked, answer)) in enumerate(zip(row["turn_tasks"], turns, strict=True)):
        if task != CHOICE:
            continue
        candidates = CANDIDATE.findall(asked) or candidates
        description = asked[asked.index('"') + 1 : asked.rindex('"')]
        chosen = CHOSEN.fullmatch(answer)
        yield Question(
            row=row,
            first=first,
            above=[f"{request} {reply}" for request, reply in turns[:number]],
            description=description,
            candidates=candidates,
            answer=chosen[1] if chosen else None,
            request=asked.replace(description, ""),
            below=len(turns) - number - 1,
        )
        first = False


def match(question: Question) -> str | None:
    """Guess by the words that the turns above use of each candidate; None: no candidate fits."""
    scores: dict[str, int] = {}
    wanted = words(question.description)
    for number in question.candidates:
        said = [
            text
            for text in question.above
            if number in {first or second for first, second in NAMED.findall(text)}
        ]
        scores[number] = len(wanted & set().union(*map(words, said)))
    best = max(scores.values())
    tied = [number for number, score in scores.items() if score == best]
    return random.Random(question.key).choice(tied) if best else None


def share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def test_words_of_the_turns_above_do_not_tell_the_answer(questions):
    assert all(question.first for question in questions)  # of each conversation one choice
    positives = [question for question in questions if question.answer is not None]
    negatives = [question for question in questions if question.answer is None]
    assert min(len(positives), len(negatives)) > 900
    chance = sum(1 / len(question.candidates) for question in positives) / len(positives)
    right = share([match(question) == question.answer for question in positives])
    assert right <= chance + MARGIN
    none = [share([match(each) is None for each in sort]) for sort in (positives, negatives)]
    assert none[1] <= none[0] + MARGIN


def test_records_are_right_and_no_turn_stands_above_a_choice(rows, questions):
    assert [problem for row in rows for problem in check_record(row)] == []
    assert not [question.above for question in questions if question.above]
    for question in questions:
        below = [message["content"] for message in question.row["messages"][2:]]
        assert f"<region{question.answer}>" not in "".join(below)


def area(question: Question) -> int:
    """The mean area of the candidates, on a coarse logarithmic scale."""
    areas = [
        (box[2] - box[0]) * (box[3] - box[1])
        for box in (question.row["regions"][int(name) - 1]["bbox"] for name in question.candidates)
    ]
    return round(math.log2(sum(areas) / len(areas)))


STATISTICS: dict[str, Callable[[Question], Any]] = {
    "candidates": lambda question: len(question.candidates),
    "numbers": lambda question: question.candidates == sorted(question.candidates, key=int),
    "wording": lambda question: question.row["provenance"]["prompts"][0],
    "turns below": lambda question: question.below,
    "captions alone": lambda question: question.row["task"],
    "regions": lambda question: len(question.row["regions"]),
    "words below": lambda question: (
        sum(len(message["content"].split()) for message in question.row["messages"][2:]) // 20
    ),
    "area": area,
}


def p_value(positive: Counter, negative: Counter) -> float:
    """The probability of two samples of one distribution to differ so much (Pearson)."""
    total = positive.total() + negative.total()
    both, spread = positive + negative, 0.0
    rare = {value for value, count in both.items() if count * negative.total() < 5 * total}
    counts = [
        Counter({value: count for value, count in sort.items() if value not in rare})
        + Counter({"rare": sum(sort[value] for value in rare)})
        for sort in (positive, negative)
    ]
    values = set(counts[0] + counts[1])
    for value in values:
        for count in counts:
            expected = (counts[0][value] + counts[1][value]) * count.total() / total
            spread += (count[value] - expected) ** 2 / expected
    if len(values) < 2:
        return 1.0
    freedom = len(values) - 1  # Wilson and Hilferty's formula
    scale = 2 / (9 * freedom)
    return 0.5 * math.erfc((((spread / freedom) ** (1 / 3)) - 1 + scale) / math.sqrt(2 * scale))


@pytest.mark.parametrize("name", STATISTICS)
def test_nothing_about_a_conversation_tells_whether_there_is_an_answer(questions, name):
    counts: dict[bool, Counter] = {True: Counter(), False: Counter()}
    for question in questions:
        counts[question.answer is None][str(STATISTICS[name](question))] += 1
    assert p_value(counts[False], counts[True]) > 0.001, counts


def test_a_reader_of_all_statistics_at_once_learns_nothing(questions):
    """Naive Bayes, trained on half of the images, ranks the other half's questions as chance."""
    features = [
        [(name, str(statistic(question))) for name, statistic in STATISTICS.items()]
        + [("word", word) for word in words(question.request)]
        for question in questions
    ]
    halves = [int(question.row["id"].split("/")[2]) % 2 for question in questions]
    counts: dict[bool, Counter] = {True: Counter(), False: Counter()}
    totals: Counter = Counter()
    for question, facts, half in zip(questions, features, halves, strict=True):
        if half:
            counts[question.answer is None].update(facts)
            totals[question.answer is None] += 1
    scores: dict[bool, list[float]] = {True: [], False: []}
    for question, facts, half in zip(questions, features, halves, strict=True):
        if not half:
            scores[question.answer is None].append(
                sum(
                    math.log((counts[True][fact] + 1) / (totals[True] + 2))
                    - math.log((counts[False][fact] + 1) / (totals[False] + 2))
                    for fact in facts
                )
            )
    ranked = sorted((score, none) for none, several in scores.items() for score in several)
    ranks = [rank for rank, (_, none) in enumerate(ranked, start=1) if none]
    n, m = len(ranks), len(ranked) - len(ranks)
    higher = (sum(ranks) - n * (n + 1) / 2) / (n * m)  # the area under the curve
    assert abs(higher - 0.5) < 3 * math.sqrt((n + m + 1) / (12 * n * m)), higher


def test_the_length_of_a_description_tells_nothing(questions):
    """Of three words and more, as every description without an answer is."""
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for question in questions:
        lengths[question.answer is None].append(len(question.description.split()))
    for least, most in ((3, 4), (5, 8), (9, 10), (11, 99)):
        positive, negative = (
            share([least <= length <= most for length in several if length >= 3])
            for several in (lengths[False], lengths[True])
        )
        assert abs(positive - negative) < 0.05, (least, positive, negative)
