"""What tests of tasks share: from an image to records as they are read from a shard."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest

from prompts.instruction import Instruction
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.ledger import Stage
from schemas.sample import Draft, ScreenedImage, Task
from transforms.compose import compose_image
from transforms.ledger import StageLedger

Composed = tuple[Draft | None, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def compose_all():
    """Composes images for one task; returns of each its draft, if any, and its records, all right.

    A batch holds the records of all images: many small ones take several times as long.
    """
    stamp = BuildStamp(builder="regionforge", recipe="all", seed=0)

    def call(
        images: Iterable[ScreenedImage], task: Task, instruction: Instruction
    ) -> list[Composed]:
        ledger = StageLedger(Stage.COMPOSE)
        drafts = [compose_image(screened, (task,), instruction, ledger) for screened in images]
        rows = [row for draft in drafts if draft is not None for row in _rows(draft)]
        records = to_batch(rows, stamp).to_pylist() if rows else []
        assert [problem for record in records for problem in check_record(record)] == []
        rest = iter(records)
        return [
            (draft, [*islice(rest, len(draft.conversations))] if draft else []) for draft in drafts
        ]

    return call


def _rows(draft: Draft) -> list[Row]:
    image = draft.image
    size = image.width, image.height
    return [Row(image, image.file_name, talk, size) for talk in draft.conversations]


@pytest.fixture(scope="session")
def compose(compose_all):
    """Composes an image for one task; returns its draft, if any, and its records, all right."""

    def call(screened: ScreenedImage, task: Task, instruction: Instruction) -> Composed:
        composed: list[Composed] = compose_all([screened], task, instruction)
        return composed[0]

    return call
