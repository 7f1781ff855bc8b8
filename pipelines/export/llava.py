"""LLaVA's format: a list of conversations as JSON, with boxes in the text.

    [{"id": "coco/train/9/region_caption/0", "image": "images/coco/train/000000000009.jpg",
      "conversations": [
        {"from": "human", "value": "<image>\\nWhat is in [0.124, 0.331, 0.5, 0.852]?"},
        {"from": "gpt", "value": "a bowl of oranges"}],
      "source": "coco", "licence": "CC BY 4.0"}, ...]

`image` is the path below `--image_folder`, which is the folder of the export. A conversation about
no picture has none. Boxes are x0, y0, x1, y1 in parts of the padded square picture that
`--image_aspect_ratio pad` makes, see `boxes.in_padded_square`.

Source: https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md
"""

from pipelines.export.boxes import in_padded_square
from pipelines.export.chat import LIST, share_gpt_entries, write_file
from pipelines.export.part import Part
from pipelines.export.target import Target
from schemas.layout import exported_conversations


def write(part: Part, target: Target) -> None:
    """Write the conversations of a split."""
    name = exported_conversations(part.config, part.split, LIST.suffix)
    write_file(target, name, LIST, share_gpt_entries(part, target, in_padded_square))
