"""What tests of tasks share: from an image to records as they are read from a shard."""

import pytest

from prompts.instruction import Instruction
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.ledger import Stage
from schemas.sample import Draft, ScreenedImage, Task
from transforms.compose import compose_image
from transforms.ledger import StageLedger


@pytest.fixture(scope="session")
def compose():
    """Composes an image for one task; returns its draft, if any, and its records, all right."""
    stamp = BuildStamp(builder="regionforge", recipe="all", seed=0)

    def call(
        screened: ScreenedImage, task: Task, instruction: Instruction
    ) -> tuple[Draft | None, list[dict]]:
        draft = compose_image(screened, (task,), instruction, StageLedger(Stage.COMPOSE))
        if draft is None:
            return None, []
        image = draft.image
        size = image.width, image.height
        rows = [Row(image, image.file_name, talk, size) for talk in draft.conversations]
        records = to_batch(rows, stamp).to_pylist()
        assert [problem for record in records for problem in check_record(record)] == []
        return draft, records

    return call
