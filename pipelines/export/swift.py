"""ms-swift's format for grounding: a conversation a line, with boxes beside the text.

    {"id": "coco/train/9/region_caption/0",
     "messages": [{"role": "user", "content": "<image>\\nWhat is in <bbox>?"},
                  {"role": "assistant", "content": "a bowl of oranges"}],
     "images": ["images/coco/train/000000000009.jpg"],
     "objects": {"ref": [], "bbox": [[79.5, 92.25, 320.0, 372.5]], "bbox_type": "real"},
     "source": "coco", "licence": "CC BY 4.0"}

Each `<bbox>` stands for the next box of `objects`: x0, y0, x1, y1 in pixels of the stored picture
(`bbox_type` `real`). ms-swift writes them in the form of the model that it trains.
Paths of pictures begin at the folder of the export: start the trainer there, or name the folder in
its environment variable ROOT_IMAGE_DIR.

Source: https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html
"""

from collections.abc import Iterator
from functools import partial

from pipelines.export.boxes import in_stored_pixels
from pipelines.export.chat import LINES, Entry, origin, turns, write_file
from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.layout import exported_conversations


def write(part: Part, target: Target) -> None:
    """Write the conversations of a split."""
    name = exported_conversations(part.config, part.split, LINES.suffix)
    write_file(target, name, LINES, _entries(part, target))


def _entries(part: Part, target: Target) -> Iterator[Entry]:
    for record, content in target.pictured(part.records()):
        numbers: list[int] = []  # of regions, in the order in which the text names them
        messages = [
            {"role": role, "content": text}
            for role, text in turns(record, partial(_placeholder, numbers), target.lost)
        ]
        boxes = [in_stored_pixels(tuple(record["regions"][n - 1]["bbox"])) for n in numbers]
        yield {
            "id": record["id"],
            "messages": messages,
            "images": [target.picture(record, content, part.config)] if content else [],
            "objects": {"ref": [], "bbox": boxes, "bbox_type": "real"},
            **origin(record),
        }


def _placeholder(numbers: list[int], number: int) -> str:
    """Return the placeholder of a region, and note which region it stands for."""
    numbers.append(number)
    return "<bbox>"
