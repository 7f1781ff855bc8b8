"""Choosing a region by its description: one right option or none, and no way to guess which.

Length: a second reader of the questions, by their text alone, serves all tests.
"""

import json
import math
import random
import re
from collections import Counter, defaultdict
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.catalog import WORDING_SETS
from prompts.detokenise import detokenised
from prompts.instruction import REC_NEGATIVES, Instruction, InstructionMode
from prompts.referring_expression_comprehension import (
    CHOICE,
    FURTHER_CHOICE,
    MAX_CANDIDATES,
    dialogues,
)
from prompts.style import Style
from schemas.geometry import Box
from schemas.item import Expression, Relationship
from schemas.sample import Region, ScreenedImage, Task

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION
NO_OPTION = "No corresponding options found."
SUFFIX = " Answer the question using the template Region [x]."
LISTING = re.compile(r"\[\d+\] <region\d+>(?:(?:, | and )\[\d+\] <region\d+>)*")
FAR = [(20.0 * at, 0.0, 20.0 * at + 10, 10.0) for at in range(40)]  # boxes that share nothing


def how(rate: float = REC_NEGATIVES, seed: int = 0) -> Instruction:
    return Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        rec_negatives=rate,
    )


class Asked(NamedTuple):
    """A question as it is read from a record."""

    sentence: Expression
    candidates: list[str]  # ids of regions, in the order listed
    answer: str | None  # id of the region chosen; None: no option

    @property
    def place(self) -> int:
        """Where the right option stands in the list, from 0."""
        assert self.answer is not None
        return self.candidates.index(self.answer)


@pytest.fixture(scope="session")
def picture(make_image):
    """Makes an image with regions of such boxes and sentences, given as (region, text)."""

    def make(boxes, sentences, image_id: str = "7") -> ScreenedImage:
        image = make_image(source="refcoco", image_id=image_id, width=1000, height=1000)
        regions = tuple(Region(f"r{at}", box) for at, box in enumerate(boxes))
        items = tuple(
            Expression(f"s{at}", f"r{to}", text) for at, (to, text) in enumerate(sentences)
        )
        return ScreenedImage(image, regions, items)

    return make


@pytest.fixture(scope="session")
def ask(compose):
    """Asks about an image; returns its conversations as lists of `Asked`, read from records."""

    def call(
        screened: ScreenedImage, rate: float = REC_NEGATIVES, seed: int = 0
    ) -> list[list[Asked]]:
        _, records = compose(screened, TASK, how(rate, seed))
        meant = [[turn.items for turn in turns] for turns in dialogues(screened, how(rate, seed))]
        return [read(record, items, screened) for record, items in zip(records, meant, strict=True)]

    return call


def read(record: dict, meant: list[tuple[str, ...]], screened: ScreenedImage) -> list[Asked]:
    """Read a record by its text alone; of what was meant only which sentence it is."""
    sentences = {item.id: item for item in expressions(screened)}
    contents = [message["content"] for message in record["messages"]]
    first = contents[0].removeprefix("<image>\n")
    (listing,) = LISTING.findall(first)
    numbers = re.findall(r"\[(\d+)\] <region(\d+)>", listing)
    count = len(record["regions"])
    assert numbers == [(str(at), str(at)) for at in range(1, count + 1)]
    assert not [request for request in contents[2::2] if "<region" in request]
    candidates = [region["region_id"] for region in record["regions"]]
    asked = []
    for turn, (request, answer, (item,)) in enumerate(
        zip(contents[::2], contents[1::2], meant, strict=True)
    ):
        assert request.endswith(SUFFIX) == (turn == 0)
        assert f'"{detokenised(sentences[item].text)}"' in request
        chosen = None
        if answer != NO_OPTION:
            (number,) = re.findall(r"^Region \[(\d+)\]\Z", answer)
            chosen = candidates[int(number) - 1]
        asked.append(Asked(sentences[item], candidates, chosen))
    return asked


def expressions(screened: ScreenedImage) -> list[Expression]:
    return [item for item in screened.items if isinstance(item, Expression)]


def same_object(box: Box, other: Box) -> bool:
    """The boxes overlap by half of what they cover together, or more."""
    width = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    both = width * height
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (box, other))
    return both >= 0.5 * (area - both)


def fitting(sentence: Expression, screened: ScreenedImage) -> set[str]:
    """The regions that a sentence may be true of: those it was said of, and the same objects."""
    boxes = {region.region_id: region.bbox for region in screened.regions}
    words = sentence.text.lower().split()
    said_of = {
        item.region_id for item in expressions(screened) if item.text.lower().split() == words
    }
    return {
        name
        for name, box in boxes.items()
        if any(name == other or same_object(box, boxes[other]) for other in said_of)
    }


def usable(screened: ScreenedImage) -> list[str]:
    """The ids of the sentences that leave two other regions to choose from, each once."""
    count = len(screened.regions)
    return [item.id for item in expressions(screened) if count - len(fitting(item, screened)) >= 2]


def check(conversation: list[Asked], screened: ScreenedImage) -> None:
    """Check what must hold for every conversation."""
    assert 1 <= len(conversation) <= MAX_CANDIDATES
    targets = [asked.sentence.region_id for asked in conversation]
    assert len(set(targets)) == len(targets)
    for asked in conversation:
        assert 2 <= len(asked.candidates) <= MAX_CANDIDATES
        assert len(set(asked.candidates)) == len(asked.candidates)
        fits = fitting(asked.sentence, screened) & set(asked.candidates)
        assert fits == (set() if asked.answer is None else {asked.sentence.region_id})
        assert asked.answer in (None, asked.sentence.region_id)


def world(picture, images: int) -> list[ScreenedImage]:
    """Images with few and many regions, the same object twice, and repeated sentences."""
    draw = random.Random(5)
    pictures = []
    for number in range(images):
        boxes = []
        for _ in range(draw.choice([1, 2, 2, 2, 3, 3, 4, 5, 6, 8, 10, 14])):
            x, y = draw.uniform(0, 900), draw.uniform(0, 900)
            boxes.append((x, y, x + draw.uniform(10, 100), y + draw.uniform(10, 100)))
            if draw.random() < 0.1:
                boxes.append((boxes[-1][0] + 1, *boxes[-1][1:]))
        sentences = [
            (at, f"{draw.choice(['Red', 'red', 'left'])} {draw.choice('abcdefghijkl')}")
            for at in range(len(boxes))
            for _ in range(draw.randrange(4))
        ]
        pictures.append(picture(boxes, sentences, image_id=str(number)))
    return pictures


@pytest.fixture(scope="module")
def images(picture):
    return world(picture, 1800)


@pytest.fixture(scope="module")
def questions(images, ask):
    """For each rate of negatives, all conversations."""
    return {
        rate: [conversation for screened in images for conversation in ask(screened, rate)]
        for rate in (0, 0.2, 0.5, 1)
    }


def critical(freedom: int) -> float:
    """What chi squared exceeds once in a thousand times (Wilson and Hilferty's formula)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 3.09 * math.sqrt(part)) ** 3


def check_rate(answers: list[str | None], rate: float) -> None:
    """Check that so many of the answers are negatives, but for three standard errors."""
    error = math.sqrt(len(answers) * rate * (1 - rate))
    assert abs(answers.count(None) - rate * len(answers)) <= 3 * error


def check_uniform(frequencies: Counter, count: int) -> None:
    """Check that each of so many places is as likely (Pearson's chi-squared test)."""
    expected = frequencies.total() / count
    assert expected > 5
    spread = sum((frequencies[place] - expected) ** 2 / expected for place in range(count))
    assert count == 1 or spread < critical(count - 1), (count, frequencies)


@pytest.mark.parametrize("rate", [0, 0.2, 0.5])
def test_the_place_of_the_right_option_says_nothing(questions, rate):
    places: dict[int, Counter] = defaultdict(Counter)
    for conversation in questions[rate]:
        for asked in conversation:
            if asked.answer is not None:
                places[len(asked.candidates)][asked.place] += 1
    assert sum(counts.total() for counts in places.values()) > (10_000 if rate < 0.5 else 5_000)
    assert set(places) >= set(range(2, MAX_CANDIDATES + 1))
    for count, frequencies in places.items():
        check_uniform(frequencies, count)


def test_the_place_does_not_hang_on_which_regions_are_described(picture, ask):
    places: Counter = Counter()
    for number in range(1000):
        ((asked,),) = ask(picture(FAR[:5], [(0, "left")], image_id=str(number)), 0)
        places[asked.place] += 1
    check_uniform(places, 4)  # one region is always left out


@pytest.mark.parametrize("rate", [0, 0.2, 0.5, 1])
def test_negatives_come_at_the_asked_rate(questions, rate):
    answers = [asked.answer for conversation in questions[rate] for asked in conversation]
    assert len(answers) > 10_000
    check_rate(answers, rate)


def test_the_rate_leaves_nothing_out_and_lets_nothing_in(images, ask):
    for screened in images[:300]:
        asked = [
            Counter(one.sentence.id for turns in ask(screened, rate) for one in turns)
            for rate in (0, 0.2, 0.5, 1)
        ]
        assert asked == [Counter(usable(screened))] * 4


def test_no_description_fits_another_candidate(images, ask):
    for screened in images[:600]:
        for rate in (0.2, 0.5):
            for conversation in ask(screened, rate):
                check(conversation, screened)


@pytest.mark.parametrize("rate", [0, 0.2])
@pytest.mark.parametrize("count", [3, 4, 6])
def test_one_region_is_left_out_whether_or_not_a_negative_asks_for_it(picture, ask, count, rate):
    answers: dict[int, list[str | None]] = defaultdict(list)
    for number in range(300):
        sentences = [(at, f"number {at}") for at in range(count)]
        screened = picture(FAR[:count], sentences, image_id=str(number))
        for one in (one for conversation in ask(screened, rate) for one in conversation):
            answers[len(one.candidates)].append(one.answer)
    assert max(answers) == count - 1
    longest = answers[count - 1]
    assert len(longest) > 900 * count / 6
    assert rate / 2.5 <= longest.count(None) / len(longest) <= rate * 1.5


def test_further_turns_choose_among_the_same(picture, ask):
    screened = picture(FAR[:6], [(at, f"number {at}") for at in range(6)])
    conversations = ask(screened, 0)
    assert [len(turns) for turns in conversations] == [5, 1]
    answers = [asked.answer for turns in conversations for asked in turns]
    assert sorted(map(str, answers)) == [f"r{at}" for at in range(6)]
    for turns in conversations:
        assert {tuple(asked.candidates) for asked in turns} == {tuple(turns[0].candidates)}
        assert len(turns[0].candidates) == 5


def test_wordings_of_the_first_turn_and_of_further_ones(picture):
    prompts: dict[bool, set[str]] = {True: set(), False: set()}
    for number in range(100):
        screened = picture(FAR[:4], [(at, f"number {at}") for at in range(4)], image_id=str(number))
        for turns in dialogues(screened, how()):
            for turn, exchange in enumerate(turns):
                prompts[turn == 0].add(exchange.prompt)
    assert {prompt.split("/")[0] for prompt in prompts[True]} == {CHOICE.name}
    assert {prompt.split("/")[0] for prompt in prompts[False]} == {FURTHER_CHOICE.name}
    assert len(prompts[True]) == len(CHOICE.wordings)
    assert len(prompts[False]) == len(FURTHER_CHOICE.wordings)


def test_many_regions_make_several_conversations(picture, ask):
    screened = picture(FAR, [(at, f"number {at}") for at in range(25)])
    conversations = ask(screened, 0)
    assert [len(turns) for turns in conversations] == [10, 10, 5]
    assert [len(turns[0].candidates) for turns in conversations] == [MAX_CANDIDATES] * 3
    asked = [one.answer for turns in conversations for one in turns]
    assert sorted(asked) == sorted(f"r{at}" for at in range(25))
    fillers = set(conversations[2][0].candidates) - {one.answer for one in conversations[2]}
    assert len(fillers) == 5


def test_further_sentences_of_a_region_go_into_further_conversations(picture, ask):
    screened = picture(FAR[:4], [(0, "a"), (0, "b"), (0, "c"), (1, "d"), (1, "e"), (2, "f")])
    conversations = ask(screened, 0)
    assert [sorted(one.answer for one in turns) for turns in conversations] == [
        ["r0", "r1", "r2"],
        ["r0", "r1"],
        ["r0"],
    ]
    assert all(len(one.candidates) == 3 for turns in conversations for one in turns)


@pytest.mark.parametrize("text", ["red cup", "Red  CUP", " red cup"])
def test_regions_of_one_sentence_are_never_candidates_together(picture, ask, text):
    screened = picture(FAR[:4], [(0, "red cup"), (1, text), (2, "blue cup")])
    for rate in (0, 1):
        for conversation in ask(screened, rate):
            check(conversation, screened)
    for one in (one for turns in ask(screened, 0) for one in turns if one.answer == "r0"):
        assert set(one.candidates) == {"r0", "r2", "r3"}


@pytest.mark.parametrize(("shift", "together"), [(3.3, False), (3.4, True), (10.0, True)])
def test_one_object_marked_twice_is_never_two_candidates(picture, ask, shift, together):
    # Two boxes of 10 x 10, shifted by a third of that, overlap by half of what they cover.
    boxes = [(0.0, 0.0, 10.0, 10.0), (shift, 0.0, shift + 10, 10.0), *FAR[5:7]]
    listed: dict[float, set[str]] = {0: set(), 1: set()}
    for number in range(20):
        for rate, seen in listed.items():
            ((asked,),) = ask(picture(boxes, [(0, "pot")], image_id=str(number)), rate)
            seen.update(asked.candidates)
    assert listed == {
        0: {"r0", "r2", "r3"} | ({"r1"} if together else set()),
        1: {"r2", "r3"} | ({"r1"} if together else set()),
    }


def test_what_overlaps_a_region_of_the_same_sentence_is_no_candidate_either(picture, ask):
    boxes = [FAR[0], FAR[1], (21.0, 0.0, 30.0, 10.0), *FAR[3:5]]
    ((asked,), *_) = ask(picture(boxes, [(0, "pot"), (1, "pot")]), 0)
    assert set(asked.candidates) & {"r0", "r1", "r2"} == {asked.answer}


@pytest.mark.parametrize("rate", [0, 0.5, 1])
@pytest.mark.parametrize(
    ("boxes", "sentences"),
    [
        ([], []),
        (FAR[:3], []),
        (FAR[:1], [(0, "alone")]),
        (FAR[:2], [(0, "left"), (1, "right")]),
        (FAR[:3], [(0, "same"), (1, "same")]),
        ([FAR[0], *FAR[:2]], [(0, "one"), (1, "other")]),
    ],
)
def test_nothing_to_choose_from_gives_no_question(picture, ask, boxes, sentences, rate):
    assert ask(picture(boxes, sentences), rate) == []


def test_three_regions_are_enough(picture, ask):
    screened = picture(FAR[:3], [(0, "left"), (2, "right")])
    ((one, other),) = ask(screened, 0)
    assert {one.answer, other.answer} == {"r0", "r2"}
    assert sorted(sorted(one.candidates) for (one,) in ask(screened, 1)) == [
        ["r0", "r1"],
        ["r1", "r2"],
    ]


def test_what_is_not_said_of_one_region_is_passed_over(picture, ask):
    screened = picture(FAR[:3], [(0, "left")])
    others = (Relationship("x", "r0", "near", "r1"),)
    mixed = ScreenedImage(screened.image, screened.regions, screened.items + others)
    assert dialogues(mixed, how()) == dialogues(screened, how())


BOXES = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2).map(
    lambda box: (float(box[0]), float(box[1]), float(box[0] + box[2]), float(box[1] + box[3]))
)
TEXTS = st.sampled_from(["red cup", "Red  cup", "dog", "[2] left dog .", 'a "dog"', "(region1)"])


@given(st.data(), st.lists(BOXES, max_size=13), st.floats(0, 1), st.integers())
def test_any_regions_and_sentences_make_right_questions(picture, ask, data, boxes, rate, seed):
    numbers = st.integers(0, max(0, len(boxes) - 1))
    sentences = data.draw(st.lists(st.tuples(numbers, TEXTS), max_size=12 if boxes else 0))
    screened = picture(boxes, sentences)
    conversations = ask(screened, rate, seed)
    for conversation in conversations:
        check(conversation, screened)
    asked = [one.sentence.id for conversation in conversations for one in conversation]
    assert sorted(asked) == sorted(usable(screened))
    regions = tuple(data.draw(st.permutations(screened.regions)))
    items = tuple(data.draw(st.permutations(screened.items)))
    shuffled = ScreenedImage(screened.image, regions, items)
    assert dialogues(shuffled, how(rate, seed)) == dialogues(screened, how(rate, seed))


@pytest.mark.parametrize("name", ["refcoco_val", "refcoco+_val", "refcocog_val"])
def test_real_sentences(samples, picture, ask, name):
    text = (samples / "refcoco" / "minigpt4_eval" / f"{name}.json").read_text(encoding="utf-8")
    lines: dict[str, list[tuple[tuple[float, ...], str]]] = defaultdict(list)
    for line in json.loads(text):
        x, y, width, height = line["bbox"]
        image_id = line["img_id"].rpartition("_")[0]
        lines[image_id].append(((x, y, x + width, y + height), line["sents"]))
    answers: list[str | None] = []
    count = 0
    for image_id, sentences in lines.items():
        boxes = sorted({box for box, _ in sentences})
        numbered = [(boxes.index(box), sentence) for box, sentence in sentences]
        screened = picture(boxes, numbered, image_id=image_id)
        count += len(usable(screened))
        for conversation in ask(screened):
            check(conversation, screened)
            answers += [asked.answer for asked in conversation]
    assert len(answers) == count > 1000
    check_rate(answers, REC_NEGATIVES)


def test_the_other_style_has_no_such_task(picture):
    screened = picture(FAR[:2], [(0, "left")])
    other = Instruction(
        style=Style.GPT4ROI, mode=InstructionMode.MULTI_TURN_ALL, wordings=WORDING_SETS, seed=0
    )
    with pytest.raises(AssertionError, match="RegionGPT style only"):
        dialogues(screened, other)


@pytest.mark.parametrize(
    ("wordings", "placeholders"),
    [(CHOICE, ("<candidates>", "<description>")), (FURTHER_CHOICE, ("<description>",))],
)
def test_there_are_enough_wordings(wordings, placeholders):
    assert WORDING_SETS[wordings.name] is wordings
    assert wordings.placeholders == placeholders
    assert len(set(wordings.wordings)) == len(wordings.wordings) >= 15
    assert all('"<description>"' in wording for wording in wordings.wordings)
