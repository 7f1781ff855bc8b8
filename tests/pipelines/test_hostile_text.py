"""Whatever a data set's text holds, a record has the placeholders its builder wrote and no others.

Every source's images, as read from the sample world, have all their text replaced by hostile
text: names, phrases, predicates, captions, questions, conversations.
"""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.files import FileStore
from pipelines.plan import make_plan
from pipelines.recipe import Recipe
from prompts.instruction import Instruction
from prompts.style import Style
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.item import (
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    Relationship,
    Round,
)
from schemas.ledger import Stage, ledger_of
from schemas.sample import Task
from schemas.source import SourceImage
from transforms.accounting import Book
from transforms.compose import compose_image
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
TEXT = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.text(max_size=20),
    st.just(""),
)


@pytest.fixture(scope="module", params=sorted(CATALOG))
def read(request, sample_world) -> list[SourceImage]:
    """Some images of a source, of which enough is said."""
    found = SourceRequest(name=request.param, label_set="Shapes-15")
    plan = make_plan(Recipe(sources=(found,)), str(sample_world), "unused")
    parse = CATALOG[request.param].parse
    entries = [entry for split in plan.splits for entry in parse(split, FileStore())]
    images = [entry for entry in entries if isinstance(entry, SourceImage)]
    return sorted(images, key=lambda image: abs(len(image.items) + len(image.regions) - 8))[:IMAGES]


def passage(found: Passage, draw) -> Passage:
    return tuple(
        replace(piece, text=draw(TEXT)) if isinstance(piece, Mention) else draw(TEXT)
        for piece in found
    )


def hostile_item(item: Item, draw) -> Item:
    match item:
        case Expression():
            return replace(item, text=draw(TEXT))
        case Relationship():
            return replace(item, predicate=draw(TEXT))
        case GroundedCaption():
            return replace(item, caption=passage(item.caption, draw))
        case Question():
            parts = (item.question, item.answer, item.rationale)
            question, answer, rationale = (passage(part, draw) for part in parts)
            return replace(item, question=question, answer=answer, rationale=rationale)
        case Dialogue():
            return replace(item, rounds=tuple(Round(draw(TEXT), draw(TEXT)) for _ in item.rounds))


def hostile(image: SourceImage, draw) -> SourceImage:
    """The image with some of its text replaced, each piece by something else."""
    return replace(
        image,
        regions=tuple(
            replace(region, category=draw(TEXT)) if region.category and draw(CHOSEN) else region
            for region in image.regions
        ),
        items=tuple(hostile_item(item, draw) if draw(CHOSEN) else item for item in image.items),
    )


class Always:
    """Stands in for hypothesis: draws one text for all."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, strategy):
        return True if strategy is CHOSEN else self._text


@pytest.mark.parametrize("style", list(Style))
@settings(max_examples=12)
@given(data=st.data())
def test_placeholders_are_the_builders_alone(read, style, data):
    check_records(read, instruction(read[0].image.source, style), data.draw)


@pytest.mark.parametrize("style", list(Style))
def test_texts_of_a_megabyte_change_nothing(read, style):
    check_records(read, instruction(read[0].image.source, style), Always(LONG))


@cache
def instruction(source: str, style: Style) -> tuple[tuple[Task, ...], Instruction]:
    recipe = Recipe(sources=(SourceRequest(name=source),), style=style, without_boxes=0)
    return recipe.tasks()[source], recipe.instruction()


def check_records(
    images: list[SourceImage], how: tuple[tuple[Task, ...], Instruction], draw
) -> None:
    tasks, wordings = how
    screen, compose = Book(Stage.SCREEN), Book(Stage.COMPOSE)
    for image in images:
        found = screen_image(hostile(image, draw), screen)
        draft = compose_image(found, tasks, wordings, compose)
        if draft is None:
            continue
        at = draft.image
        if at.file_name and at.width is None:  # the writer takes it from the picture
            at = replace(at, width=640, height=480)
        rows = [Row(at, at.file_name, talk) for talk in draft.conversations]
        for row in to_batch(rows, STAMP).to_pylist():
            assert check_record(row) == []
            contents = [message["content"] for message in row["messages"]]
            assert not any(re.search(r"###|</?s>|\b(USER|ASSISTANT):", text) for text in contents)
            assert not any(re.search(r"<(region[^<>]*|image)>", text) for text in contents[1::2])
    problems = ledger_of(screen.tally + compose.tally).problems()
    assert [line for line in problems if "no later stage" not in line] == []
