"""Answers and figures for tests of metrics, and a text encoder that needs no weights."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from schemas.ledger import Stage
from schemas.sample import ScreenedImage, Task
from schemas.style import Style
from train.evaluation.answers import Answer, AskedRegion
from train.evaluation.figure import Figure
from transforms.compose import compose_image
from transforms.ledger import StageLedger


def make_answer(number: int = 0, **fields: Any) -> Answer:
    """Return the answer to an entry of a record of its own, with some fields as given."""
    usual: dict[str, Any] = {
        "record": f"world/val/{number}/task/0",
        "number": number,
        "source": "world",
        "split": "val",
        "turn": 0,
        "position": 0,
        "item_id": str(number),
        "group": "1",
        "references": (),
        "choices": (),
        "label": None,
        "regions": (),
        "text": None,
    }
    return Answer(**(usual | fields))


def region(name: str, *box: float, area: float | None = None) -> AskedRegion:
    """Return a region with an id and a box, xyxy."""
    x0, y0, x1, y1 = box
    return AskedRegion(region_id=name, bbox=(x0, y0, x1, y1), area=area, category=None)


def values(figures: Iterable[Figure], note: str = "") -> dict[str, float]:
    """Return the values over all by name, of figures whose note begins so."""
    return {
        figure.name: figure.value
        for figure in figures
        if not figure.group and figure.note.startswith(note)
    }


class WordVectors:
    """An encoder of some texts, whose vectors are given."""

    name = "word vectors"

    def __init__(self, **vectors: Sequence[float]) -> None:
        self._vectors = vectors

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of texts; blanks at both ends have no part in them."""
        rows = np.array([self._vectors[text.strip() or "nothing"] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def built(screened: ScreenedImage, task: Task) -> list[Answer]:
    """Return the entries about an image as an evaluation build holds them, unanswered."""
    instruction = Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.ONE_TURN_ONE,
        wordings=WORDING_SETS,
        seed=0,
        evaluation=True,
    )
    draft = compose_image(screened, (task,), instruction, StageLedger(Stage.COMPOSE))
    assert draft is not None
    image = draft.image
    return [
        Answer(
            record=talk.id,
            number=number,
            source=image.source,
            split=image.split,
            turn=entry.turn,
            position=entry.position,
            item_id=entry.item_id,
            group=entry.group,
            references=entry.references,
            choices=entry.choices,
            label=entry.label,
            regions=tuple(region(each.region_id, *each.bbox) for each in talk.regions),
            text=None,
        )
        for number, talk in enumerate(draft.conversations)
        for entry in talk.evaluation
    ]
