"""The shares of tasks in a build, as the card and the end of a build show them."""

import io

import pytest
from rich.text import Text

from pipelines.card.mix import mix_section, print_mix, task_shares
from schemas.console import Console
from schemas.manifest import BuildIdentity, Manifest, Shard, TurnCount


def manifest(*counts: tuple[str, str, int, int]) -> Manifest:
    """A manifest of a shard for each source, task, number of turns and number of words."""
    shards = [
        Shard(
            config=source,
            split="train",
            index=index,
            of=len(counts),
            path=f"{source}/train-{index}.arrow",
            rows=1,
            bytes=1,
            sha256="",
            turns={task: TurnCount(turns=turns, words=words)},
        )
        for index, (source, task, turns, words) in enumerate(counts)
    ]
    identity = BuildIdentity(schema_version="2", builder="", recipe={}, sources={})
    return Manifest(identity=identity, shards=shards, rejected={})


MIXED = manifest(
    ("lvis", "region_caption", 1000, 2000),
    ("coco", "region_caption", 3000, 3000),
    ("lvis", "region_caption", 500, 1000),
    ("lvis", "region_detailed_caption", 1500, 14_000),
)
ROWS = [
    ["coco", "region_caption", "3,000", "50.0%", "3,000", "15.0%"],
    ["lvis", "region_caption", "1,500", "25.0%", "3,000", "15.0%"],
    ["lvis", "region_detailed_caption", "1,500", "25.0%", "14,000", "70.0%"],
]


def test_shares_are_of_all_turns_and_words():
    assert [share.cells() for share in task_shares(MIXED)] == ROWS


def test_the_card_has_a_row_for_each_task():
    lines = mix_section(MIXED).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "%" in line]
    assert rows == ROWS
    assert lines[0] == "## Mix"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(("mixed", "shown"), [(MIXED, ROWS), (manifest(), [])])
def test_the_table_has_whole_numbers_and_names(mixed, shown, width):
    stream = Terminal()
    print_mix(Console(file=stream, width=width), mixed)
    lines = Text.from_ansi(stream.getvalue()).plain.splitlines()
    assert [line.split() for line in lines if "%" in line] == shown


def test_nothing_is_shown_where_no_turn_was_counted():
    assert mix_section(manifest()) == ""
