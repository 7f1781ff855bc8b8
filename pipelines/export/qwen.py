"""The format of Qwen-VL's own trainer: a conversation a line, with boxes in the text.

    {"id": "coco/train/9/region_caption/0", "image": "images/coco/train/000000000009.jpg",
     "conversations": [{"from": "human", "value": "<image>\\nWhat is in [124, 275, 500, 969]?"},
                       {"from": "gpt", "value": "a bowl of oranges"}],
     "source": "coco", "licence": "CC BY 4.0"}

`image` is the path below the trainer's `data_path`, which is the folder of the export. Boxes are
whole numbers x0, y0, x1, y1: by default on the grid from 0 to 1000 of Qwen2-VL and Qwen3-VL; with
`--coordinates pixels`, in the picture as Qwen2.5-VL's processor resizes it, see `boxes`.

Source: https://github.com/QwenLM/Qwen3-VL/blob/main/qwen-vl-finetune/README.md
"""

from collections.abc import Mapping

from pipelines.export.boxes import in_resized_pixels, in_thousandths
from pipelines.export.chat import LINES, BoxForm, share_gpt_entries, write_file
from pipelines.export.names import PIXELS, THOUSANDTHS
from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.layout import exported_conversations

# The forms of boxes, by the name that `--coordinates` has for them; the first one is usual.
COORDINATES: Mapping[str, BoxForm] = {THOUSANDTHS: in_thousandths, PIXELS: in_resized_pixels}


def write(part: Part, target: Target) -> None:
    """Write the conversations of a split."""
    name = exported_conversations(part.config, part.split, LINES.suffix)
    form = COORDINATES[target.coordinates]
    write_file(target, name, LINES, share_gpt_entries(part, target, form))
