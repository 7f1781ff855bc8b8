"""Choosing a region by its description: one right option or none, and no way to guess which.

Length: a second reader of the questions, by their text alone, serves all tests.
"""

import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.detokenise import detokenised
from prompts.dialogue import Exchange
from prompts.instruction import REC_NEGATIVES, Instruction, InstructionMode
from prompts.referring_expression_comprehension import CHOICE, MAX_CANDIDATES, dialogues
from schemas.geometry import Box
from schemas.item import AbsentExpression, Expression, Relationship
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION
NO_OPTION = "No corresponding options found."
SUFFIX = " Answer the question using the template Region [x]."
LISTING = re.compile(r"\[\d+\] <region\d+>(?:(?:, | and )\[\d+\] <region\d+>)*")
FAR = [(20.0 * number, 0.0, 20.0 * number + 10, 10.0) for number in range(40)]  # without overlap


def instruction(rate: float = REC_NEGATIVES, seed: int = 0) -> Instruction:
    return Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        rec_negatives=rate,
    )


class Asked(NamedTuple):
    """A question as it is read from a record, and facts that no record states."""

    description: str
    candidates: list[str]  # ids of regions, in the order listed
    answer: str | None  # id of the region chosen; None: no option
    items: tuple[str, ...]  # ids of the sentences that it was made from
    apart: tuple[str, ...]
    alone: bool
    prompt: str

    @property
    def number(self) -> int:
        """The position of the right option in the list, from 0."""
        assert self.answer is not None
        return self.candidates.index(self.answer)


@pytest.fixture(scope="session")
def picture(make_image):
    """Makes an image with regions of such boxes and sentences, given as (region, text)."""

    def make(boxes, sentences, image_id: str = "7", absent: int | None = None) -> ScreenedImage:
        image = make_image(source="refcoco", image_id=image_id, width=1000, height=1000)
        regions = tuple(Region(f"r{number}", box) for number, box in enumerate(boxes))
        items = tuple(
            Expression(f"s{number}", f"r{region}", text)
            for number, (region, text) in enumerate(sentences)
        )
        others = range(len(items) if absent is None else absent)
        strangers = tuple(AbsentExpression(f"a{number}", f"stranger {number}") for number in others)
        return ScreenedImage(image, regions, items, absent=strangers)

    return make


@pytest.fixture(scope="session")
def ask_all(compose_all):
    """Asks about images; returns the questions about each, read from records: one of each."""

    def call(
        images: Sequence[ScreenedImage], rate: float = REC_NEGATIVES, seed: int = 0
    ) -> list[list[Asked]]:
        talks: dict[str, list[list[Exchange]]] = {}  # of each image, as they are composed

        def noted(screened: ScreenedImage, asking: Instruction) -> list[list[Exchange]]:
            return talks.setdefault(screened.image.image_id, dialogues(screened, asking))

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(DIALOGUES, TASK, noted)
            composed = compose_all(images, TASK, instruction(rate, seed))
        return [
            [
                read(record, turn)
                for record, (turn,) in zip(
                    records, talks.get(screened.image.image_id, ()), strict=True
                )
            ]
            for screened, (_, records) in zip(images, composed, strict=True)
        ]

    return call


@pytest.fixture(scope="session")
def ask(ask_all):
    """Asks about an image; returns its questions."""

    def call(screened: ScreenedImage, rate: float = REC_NEGATIVES, seed: int = 0) -> list[Asked]:
        asked: list[list[Asked]] = ask_all([screened], rate, seed)
        return asked[0]

    return call


def read(record: dict, turn) -> Asked:
    """Read a question by its text alone; of the exchange only what no record states."""
    request, answer = (message["content"] for message in record["messages"])
    (listing,) = LISTING.findall(request.removeprefix("<image>\n"))
    numbers = re.findall(r"\[(\d+)\] <region(\d+)>", listing)
    candidates = [region["region_id"] for region in record["regions"]]
    assert numbers == [(str(number), str(number)) for number in range(1, len(candidates) + 1)]
    assert request.endswith(SUFFIX)
    (description,) = re.findall(r'"(.*)"', request)
    chosen = None
    if answer != NO_OPTION:
        (number,) = re.findall(r"^Region \[(\d+)\]\.\Z", answer)
        chosen = candidates[int(number) - 1]
    return Asked(description, candidates, chosen, turn.items, turn.apart, turn.alone, turn.prompt)


def expressions(screened: ScreenedImage) -> list[Expression]:
    return [item for item in screened.items if isinstance(item, Expression)]


def same_object(box: Box, other: Box) -> bool:
    """The boxes overlap by half of what they cover together, or more."""
    width = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    both = width * height
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (box, other))
    return both >= 0.5 * (area - both)


@cache
def words(text: str) -> list[str]:
    return detokenised(text).lower().split()


def fitting(sentence: Expression, screened: ScreenedImage) -> set[str]:
    """The regions that a sentence may be true of: those it describes, and the same objects."""
    boxes = {region.region_id: region.bbox for region in screened.regions}
    meant = words(sentence.text)
    described = {item.region_id for item in expressions(screened) if words(item.text) == meant}
    return {
        name
        for name, box in boxes.items()
        if any(name == other or same_object(box, boxes[other]) for other in described)
    }


def usable(screened: ScreenedImage) -> list[str]:
    """The ids of the sentences that leave another region to choose from, each once."""
    count = len(screened.regions)
    return [item.id for item in expressions(screened) if len(fitting(item, screened)) < count]


def check(questions: Sequence[Asked], screened: ScreenedImage) -> None:
    """Check what must hold for the questions about every image."""
    sentences = {item.id: item for item in expressions(screened)}
    strangers = [item.text for item in screened.absent]
    right = [asked for asked in questions if asked.answer is not None]
    assert Counter(item for asked in right for item in asked.items) == Counter(usable(screened))
    none = [asked.description for asked in questions if asked.answer is None]
    assert none == strangers[: len(none)]
    for asked in questions:
        assert 2 <= len(asked.candidates) <= MAX_CANDIDATES
        assert len(set(asked.candidates)) == len(asked.candidates)
        if asked.answer is None:
            assert not asked.items
            continue
        (item,) = asked.items
        assert asked.description == detokenised(sentences[item].text)
        fits = fitting(sentences[item], screened)
        assert fits & set(asked.candidates) == {asked.answer} == {sentences[item].region_id}
        assert set(asked.apart) == fits


def world(picture, images: int) -> list[ScreenedImage]:
    """Images with few and many regions, the same object twice, and repeated sentences."""
    chance = random.Random(5)
    pictures = []
    for number in range(images):
        boxes = []
        for _ in range(chance.choice([1, 2, 2, 2, 3, 3, 4, 5, 6, 8, 10, 14])):
            x, y = chance.uniform(0, 900), chance.uniform(0, 900)
            boxes.append((x, y, x + chance.uniform(10, 100), y + chance.uniform(10, 100)))
            if chance.random() < 0.1:
                boxes.append((boxes[-1][0] + 1, *boxes[-1][1:]))
        sentences = [
            (region, f"{chance.choice(['Red', 'red', 'left'])} {chance.choice('abcdefghijkl')}")
            for region in range(len(boxes))
            for _ in range(chance.randrange(4))
        ]
        pictures.append(picture(boxes, sentences, image_id=str(number)))
    return pictures


@pytest.fixture(scope="module")
def images(picture):
    return world(picture, 1800)


@pytest.fixture(scope="module")
def questions(images, ask_all, made_once):
    """For each rate of negatives, all questions of each image."""
    rates = (0, 0.2, 0.5)

    def write(folder: Path) -> None:
        asked = [ask_all(images, rate) for rate in rates]
        (folder / "asked.json").write_bytes(msgspec.json.encode(asked))

    content = (made_once("referring_questions", write) / "asked.json").read_bytes()
    asked = msgspec.json.decode(content, type=list[list[list[Asked]]])
    return dict(zip(rates, asked, strict=True))


def critical(freedom: int) -> float:
    """What chi squared exceeds once in a thousand times (Wilson and Hilferty's formula)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + 3.09 * math.sqrt(part)) ** 3


def check_uniform(frequencies: Counter, count: int) -> None:
    """Check that each of so many positions is as likely (Pearson's chi-squared test)."""
    expected = frequencies.total() / count
    assert expected > 5
    spread = sum((frequencies[number] - expected) ** 2 / expected for number in range(count))
    assert count == 1 or spread < critical(count - 1), (count, frequencies)


def check_alike(answered: Counter, unanswered: Counter) -> None:
    """Check that two samples are from one distribution (Pearson's test of homogeneity)."""
    total = answered.total() + unanswered.total()
    values, spread = (answered + unanswered).items(), 0.0
    for value, both in values:
        for sample in (answered, unanswered):
            expected = both * sample.total() / total
            spread += (sample[value] - expected) ** 2 / expected
    assert spread < critical(len(values) - 1), (answered, unanswered)


@pytest.mark.parametrize("rate", [0, 0.2, 0.5])
def test_every_sentence_has_one_question_with_an_answer_at_any_rate(images, questions, rate):
    for screened, asked in zip(images, questions[rate], strict=True):
        check(asked, screened)


@pytest.mark.parametrize("rate", [0, 0.2, 0.5])
def test_negatives_come_at_the_asked_rate(questions, rate):
    answers = [asked.answer for image in questions[rate] for asked in image]
    assert len(answers) > 9_000
    error = math.sqrt(len(answers) * rate * (1 - 2 * rate))
    assert abs(answers.count(None) - rate * len(answers)) <= 3 * error


@pytest.mark.parametrize("rate", [0, 0.2, 0.5])
def test_the_position_of_the_right_option_says_nothing(questions, rate):
    positions: dict[int, Counter] = defaultdict(Counter)
    for asked in (asked for image in questions[rate] for asked in image):
        if asked.answer is not None:
            positions[len(asked.candidates)][asked.number] += 1
    assert set(positions) == set(range(2, MAX_CANDIDATES + 1))
    for count, frequencies in positions.items():
        check_uniform(frequencies, count)


@pytest.mark.parametrize(
    "statistic",
    [
        lambda asked: len(asked.candidates),
        lambda asked: asked.prompt,
        lambda asked: asked.alone,
        lambda asked: len(asked.apart),
        lambda asked: tuple(sorted(asked.candidates).index(name) for name in asked.candidates[:2]),
    ],
    ids=["length", "wording", "alone", "apart", "order"],
)
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_nothing_but_the_description_tells_whether_there_is_an_answer(questions, rate, statistic):
    counts: dict[bool, Counter] = {True: Counter(), False: Counter()}
    for asked in (asked for image in questions[rate] for asked in image):
        counts[asked.answer is None][statistic(asked)] += 1
    check_alike(counts[False], counts[True])


@pytest.mark.parametrize("count", [2, 3, 5, 9, 10, 11, 30])
def test_lengths_of_lists_are_equally_likely(picture, ask_all, count):
    lengths: dict[bool, Counter] = {True: Counter(), False: Counter()}
    images = [picture(FAR[:count], [(0, "left")], image_id=str(number)) for number in range(400)]
    for asked in chain.from_iterable(ask_all(images, 0.5)):
        lengths[asked.answer is None][len(asked.candidates) - 2] += 1
    for frequencies in lengths.values():
        check_uniform(frequencies, min(count, MAX_CANDIDATES) - 1)


def test_a_list_without_an_answer_is_chosen_as_for_the_sentence(picture, ask):
    boxes = [FAR[0], (1.0, 0.0, 10.0, 10.0), *FAR[2:5]]  # the first two mark one object
    for number in range(50):
        positive, negative = ask(picture(boxes, [(0, "pot")], image_id=str(number)), 0.5)
        assert (positive.answer, negative.answer) == ("r0", None)
        assert {"r0", "r1"} & set(positive.candidates) == {"r0", "r1"} & set(negative.candidates)
        assert positive.apart == negative.apart == ("r0", "r1")
        assert positive.alone != negative.alone


def test_without_expressions_of_other_images_every_question_has_an_answer(picture, ask):
    sentences = [(region, f"number {region}") for region in range(6)]
    without, some, enough = (ask(picture(FAR[:6], sentences, absent=n), 0.5) for n in (0, 2, 6))
    assert [asked.answer for asked in without].count(None) == 0
    assert [asked.answer for asked in some].count(None) == 2
    assert [asked.answer for asked in enough].count(None) == 6
    described = [asked._replace(alone=False) for asked in enough if asked.answer]
    assert [asked._replace(alone=False) for asked in without] == described


def test_descriptions_without_an_answer_are_as_long_as_the_sentences(picture, ask):
    texts = ["a b c", "a b c d e f", "a b c d"]
    screened = picture(FAR[:3], list(enumerate(texts)))
    others = ("u v w x y z", "u v w x", "u v w", "z")
    absent = tuple(AbsentExpression(f"a{len(text)}", text) for text in others)
    for seed in range(20):
        asked = ask(replace(screened, absent=absent), 0.5, seed)
        pairs = list(zip(asked[::2], asked[1::2], strict=True))
        assert len(pairs) == 3
        assert all(
            len(one.description.split()) == len(two.description.split()) for one, two in pairs
        )


def test_all_wordings_are_used(questions):
    prompts = {asked.prompt for image in questions[0.2] for asked in image}
    assert {prompt.split("/")[0] for prompt in prompts} == {CHOICE.name}
    assert len(prompts) == len(CHOICE.wordings)


@pytest.mark.parametrize("text", ["red cup", "Red  CUP", " red cup"])
def test_regions_of_one_sentence_are_never_candidates_together(picture, ask, text):
    screened = picture(FAR[:4], [(0, "red cup"), (1, text), (2, "blue cup")])
    for seed in range(30):
        asked = ask(screened, 0.5, seed)
        assert [one.apart for one in asked if one.answer in ("r0", "r1")] == [("r0", "r1")] * 2
        assert not [one for one in asked if one.answer == "r0" and "r1" in one.candidates]


@pytest.mark.parametrize(("shift", "together"), [(3.3, False), (3.4, True), (10.0, True)])
def test_one_object_marked_twice_is_never_two_candidates(picture, ask, shift, together):
    # Two boxes of 10 x 10, shifted by a third of that, overlap by half of what they cover.
    boxes = [(0.0, 0.0, 10.0, 10.0), (shift, 0.0, shift + 10, 10.0), *FAR[5:7]]
    listed: set[str] = set()
    for number in range(20):
        for asked in ask(picture(boxes, [(0, "pot")], image_id=str(number)), 0.5):
            listed.update(asked.candidates)
    assert listed == {"r0", "r2", "r3"} | ({"r1"} if together else set())


def test_what_overlaps_a_region_of_the_same_sentence_is_no_candidate_either(picture, ask):
    boxes = [FAR[0], FAR[1], (21.0, 0.0, 30.0, 10.0), *FAR[3:5]]
    for asked in ask(picture(boxes, [(0, "pot"), (1, "pot")]), 0):
        assert set(asked.candidates) & {"r0", "r1", "r2"} == {asked.answer}


@pytest.mark.parametrize("rate", [0, 0.5])
@pytest.mark.parametrize(
    ("boxes", "sentences"),
    [
        ([], []),
        (FAR[:3], []),
        (FAR[:1], [(0, "alone")]),
        (FAR[:2], [(0, "same"), (1, "same")]),
        ([FAR[0], FAR[0]], [(0, "one"), (1, "other")]),
    ],
)
def test_nothing_to_choose_from_gives_no_question(picture, ask, boxes, sentences, rate):
    assert ask(picture(boxes, sentences), rate) == []


def test_two_regions_are_enough(picture, ask):
    asked = ask(picture(FAR[:2], [(0, "left"), (1, "right")]), 0.5)
    assert Counter(one.answer for one in asked) == {"r0": 1, "r1": 1, None: 2}
    assert all(set(one.candidates) == {"r0", "r1"} for one in asked)


def test_what_is_not_about_one_region_is_passed_over(picture):
    screened = picture(FAR[:3], [(0, "left")])
    others = (Relationship("x", "r0", "near", "r1"),)
    mixed = ScreenedImage(
        screened.image, screened.regions, screened.items + others, absent=screened.absent
    )
    assert dialogues(mixed, instruction()) == dialogues(screened, instruction())


BOXES = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(1, 6)] * 2).map(
    lambda box: (float(box[0]), float(box[1]), float(box[0] + box[2]), float(box[1] + box[3]))
)
TEXTS = st.sampled_from(["red cup", "Red  cup", "dog", "[2] left dog .", 'a "dog"', "(region1)"])


@given(st.data(), st.lists(BOXES, max_size=13), st.floats(0, 0.5), st.integers())
def test_any_regions_and_sentences_make_right_questions(picture, ask, data, boxes, rate, seed):
    numbers = st.integers(0, max(0, len(boxes) - 1))
    sentences = data.draw(st.lists(st.tuples(numbers, TEXTS), max_size=12 if boxes else 0))
    screened = picture(boxes, sentences)
    check(ask(screened, rate, seed), screened)
    regions = tuple(data.draw(st.permutations(screened.regions)))
    items = tuple(data.draw(st.permutations(screened.items)))
    shuffled = ScreenedImage(screened.image, regions, items, absent=screened.absent)
    expected = dialogues(screened, instruction(rate, seed))
    assert dialogues(shuffled, instruction(rate, seed)) == expected


@pytest.mark.parametrize(
    ("name", "number"), [("refcoco_val", 10_000), ("refcoco+_val", 10_000), ("refcocog_val", 4_000)]
)
def test_real_sentences(samples, picture, ask_all, name, number):
    text = (samples / "refcoco" / "minigpt4_eval" / f"{name}.json").read_text(encoding="utf-8")
    lines: dict[str, list[tuple[tuple[float, ...], str]]] = defaultdict(list)
    for line in json.loads(text):
        x, y, width, height = line["bbox"]
        lines[line["img_id"].rpartition("_")[0]].append(
            ((x, y, x + width, y + height), line["sents"])
        )
    images = []
    for image_id, sentences in lines.items():
        boxes = sorted({box for box, _ in sentences})
        numbered = [(boxes.index(box), sentence) for box, sentence in sentences]
        images.append(picture(boxes, numbered, image_id=image_id))
    answers = []
    for screened, asked in zip(images, ask_all(images), strict=True):
        check(asked, screened)
        answers += [one.answer for one in asked]
    assert len(answers) > number
    assert 0.18 < answers.count(None) / len(answers) < 0.22
