"""Whatever a data set's text holds, a record has the placeholders its builder wrote and no others.

Every source's images, as read from the sample world to train or to evaluate, have all their text
replaced by hostile text: names, phrases, predicates, captions, questions, choices, conversations.
"""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.sample_world import SOURCES
from pipelines.storage.files import FileStore
from prompts.instruction import Instruction
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.item import (
    CaptionRef,
    Choices,
    DetailedCaption,
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    RegionAttributes,
    RegionQuestion,
    Relationship,
    Round,
    YesNoQuestion,
)
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Rejected
from schemas.sample import LabelSet, Task
from schemas.source import SourceImage
from schemas.style import Style
from schemas.text import shown_name
from transforms.compose import compose_image
from transforms.ledger import StageLedger
from transforms.screen import screen_image

STAMP = BuildStamp(builder="regionforge 1", recipe="all", seed=0)
IMAGES = 2  # of each source and example
LONG = "a <region1> " * 90_000  # about a megabyte

HOSTILE = [
    "<image>",
    "<region1>",
    "<region",
    "1>",
    "</s>",
    "<s>",
    "###",
    "##",
    "#",
    "USER:",
    "ASSISTANT:",
    "<|im_start|>",
    "<",
    ">",
    "＜image＞",
    "a_cup",
    "region1",
    "[1]",
]
BLANKS = [" ", "\n", "\r\n", "\x00", "\x1b[2J", "\u202e", "\u200b", "\ud800"]
PIECES = st.sampled_from([*HOSTILE, *BLANKS, "### Human:", "No corresponding options found."])
CHOSEN = st.booleans()
STOPS = re.compile(r"###|</?s>|\b(USER|ASSISTANT):")
NEEDS_DETECTIONS = Task.REFERRING_EXPRESSION_COMPREHENSION
PLACEHOLDER = re.compile(r"<(region[^<>]*|image)>")
TEXT = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.text(max_size=20),
    st.just(""),
)


@pytest.fixture(scope="session")
def read(sample_world):
    """Reads some images of a recipe's source, of which enough is said."""

    @cache
    def images(name: str, evaluation: bool) -> list[SourceImage]:
        recipe = recipe_of(name, Style.REGIONGPT, evaluation)
        plan = make_plan(recipe, str(sample_world), "unused")
        entries = [e for split in plan.splits for e in dataset(name).parse(split, FileStore())]
        usable = [entry for entry in entries if isinstance(entry, SourceImage)]
        by_amount = sorted(usable, key=lambda each: abs(len(each.items) + len(each.regions) - 8))
        return by_amount[:IMAGES]

    return images


def passage(pieces: Passage, draw) -> Passage:
    return tuple(
        replace(piece, text=draw(TEXT)) if isinstance(piece, Mention) else draw(TEXT)
        for piece in pieces
    )


def hostile_item(item: Item, draw) -> Item:
    match item:
        case Expression() | DetailedCaption() | YesNoQuestion():
            return replace(item, text=draw(TEXT))
        case Relationship():
            return replace(item, predicate=draw(TEXT))
        case CaptionRef():
            return item
        case RegionAttributes():
            return replace(
                item, attributes=tuple(replace(each, value=draw(TEXT)) for each in item.attributes)
            )
        case GroundedCaption():
            return replace(item, caption=passage(item.caption, draw))
        case Question():
            answer, answers = hostile_choices(item.answer, item.answers, draw)
            rationale, rationales = hostile_choices(item.rationale, item.rationales, draw)
            question = passage(item.question, draw)
            return Question(item.id, question, answer, rationale, answers, rationales)
        case RegionQuestion():
            answer, options = hostile_choices(item.answer, item.options, draw)
            return RegionQuestion(
                item.id, item.group, passage(item.question, draw), answer, options
            )
        case Dialogue():
            return replace(item, rounds=tuple(Round(draw(TEXT), draw(TEXT)) for _ in item.rounds))


def hostile_choices(
    right: Passage, choices: Choices | None, draw
) -> tuple[Passage, Choices | None]:
    """What is right, and the choices that hold it if there are some."""
    if choices is None:
        return passage(right, draw), None
    passages = tuple(passage(part, draw) for part in choices.passages)
    return passages[choices.label], replace(choices, passages=passages)


def hostile(image: SourceImage, draw) -> SourceImage:
    """The image with some of its text replaced, each piece by something else."""
    regions = tuple(
        replace(region, category=draw(TEXT)) if region.category and draw(CHOSEN) else region
        for region in image.regions
    )
    items = tuple(hostile_item(item, draw) if draw(CHOSEN) else item for item in image.items)
    label_set = image.label_set
    if label_set and label_set.categories:
        known = [name for region in regions if is_showable(name := region.category or "")]
        label_set = LabelSet.of(label_set.name, (*label_set.categories, *known))
    return replace(image, regions=regions, items=items, label_set=label_set)


def is_showable(category: str) -> bool:
    """Whether a source lets a name into its label set."""
    try:
        return bool(shown_name(category))
    except Rejected:
        return False


class Always:
    """Stands in for hypothesis: draws one text for all."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, strategy):
        return True if strategy is CHOSEN else self._text


# Which source is read, in which style it is asked about, and whether that is an evaluation.
USES = [
    *((name, style, False) for name in SOURCES for style in Style if dataset(name).tasks),
    *((name, Style.REGIONGPT, True) for name in SOURCES if dataset(name).evaluations),
]


@pytest.mark.parametrize(("source", "style", "evaluation"), USES)
@settings(max_examples=12)
@given(data=st.data())
def test_placeholders_are_the_builders_alone(read, source, style, evaluation, data):
    images, tasks_and_instruction = read(source, evaluation), instruction(source, style, evaluation)
    check_records(images, tasks_and_instruction, data.draw)


@pytest.mark.parametrize(("source", "style", "evaluation"), USES)
def test_texts_of_a_megabyte_change_nothing(read, source, style, evaluation):
    images, tasks_and_instruction = read(source, evaluation), instruction(source, style, evaluation)
    check_records(images, tasks_and_instruction, Always(LONG))


@cache
def instruction(
    source: str, style: Style, evaluation: bool
) -> tuple[tuple[Task, ...], Instruction]:
    recipe = recipe_of(source, style, evaluation)
    resolved = resolve(recipe)
    return resolved.tasks[source], resolved.instruction


def recipe_of(source: str, style: Style, evaluation: bool) -> Recipe:
    """All that a source is used for; of evaluations, what needs no file of a detector's."""
    tasks = dataset(source).evaluations if evaluation else dataset(source).tasks[style]
    wanted = [task for task in tasks if not evaluation or task != NEEDS_DETECTIONS]
    labels = "Shapes-15" if Task.REGION_CLASSIFICATION in tasks else None
    request = SourceRequest(name=source, tasks=tuple(wanted), label_set=labels)
    return Recipe(sources=(request,), style=style, evaluation=evaluation, no_box_share=0)


def check_records(
    images: list[SourceImage], tasks_and_instruction: tuple[tuple[Task, ...], Instruction], draw
) -> None:
    tasks, wordings = tasks_and_instruction
    screen, compose = StageLedger(Stage.SCREEN), StageLedger(Stage.COMPOSE)
    for image in images:
        screened = screen_image(hostile(image, draw), screen)
        draft = compose_image(screened, tasks, wordings, compose)
        if draft is None:
            continue
        stored = draft.image
        if stored.file_name and stored.width is None:  # the writer takes it from the picture
            stored = replace(stored, width=640, height=480)
        rows = [
            Row(stored, stored.file_name, talk, (stored.width, stored.height))
            for talk in draft.conversations
        ]
        for row in to_batch(rows, STAMP).to_pylist():
            assert check_record(row) == []
            contents = [message["content"] for message in row["messages"]]
            offered = [
                text
                for entry in row["evaluation"]
                for text in (*entry["references"], *entry["choices"])
            ]
            assert not any(STOPS.search(text) for text in contents + offered)
            assert not any(PLACEHOLDER.search(text) for text in contents[1::2] + offered)
    problems = ledger_of(screen.tally + compose.tally).problems()
    assert [line for line in problems if "no later stage" not in line] == []
