"""LLaMA-Factory's format: ShareGPT's conversations with OpenAI's keys, and `dataset_info.json`.

    [{"id": "coco/train/9/region_caption/0",
      "messages": [{"role": "user", "content": "<image>\\nWhat is in [124, 275, 500, 969]?"},
                   {"role": "assistant", "content": "a bowl of oranges"}],
      "images": ["images/coco/train/000000000009.jpg"],
      "source": "coco", "licence": "CC BY 4.0"}, ...]

The folder of the export is the trainer's `dataset_dir`, where it also looks for pictures;
`dataset_info.json` names each split, e.g. `coco_train`. LLaMA-Factory has no boxes of its own and
leaves them as they are, so they are written as for Qwen-VL, see `qwen`.

Source: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md
"""

import json
from collections.abc import Iterator, Sequence

from pipelines.export.chat import LIST, Entry, origin, turns_with_boxes, write_file
from pipelines.export.part import Part
from pipelines.export.qwen import COORDINATES
from pipelines.export.target import Target
from schemas.layout import DATASET_INFO, exported_conversations

_DESCRIPTION = {
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


def write(part: Part, target: Target) -> None:
    """Write the conversations of a split."""
    write_file(target, _file_name(part), LIST, _entries(part, target))


def finish(parts: Sequence[Part], target: Target) -> None:
    """Write the description of all splits."""
    described = {
        f"{part.config}_{part.split}": {"file_name": _file_name(part), **_DESCRIPTION}
        for part in parts
    }
    target.write(DATASET_INFO, json.dumps(described, indent=2).encode() + b"\n")


def _file_name(part: Part) -> str:
    return exported_conversations(part.config, part.split, LIST.suffix)


def _entries(part: Part, target: Target) -> Iterator[Entry]:
    form = COORDINATES[target.coordinates]
    for record, content in target.pictured(part.records()):
        yield {
            "id": record["id"],
            "messages": [
                {"role": role, "content": text}
                for role, text in turns_with_boxes(record, form, target.lost)
            ],
            "images": [target.picture(record, content, part.config)] if content else [],
            **origin(record),
        }
