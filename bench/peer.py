"""The named peer: what a user would write with `datasets` for the same conversion.

    python bench/peer.py ANNOTATIONS IMAGES OUTPUT {embed,reference}

Embedding, it stores image bytes and masks as run lengths; referring, paths and COCO's polygons.
Two processes each take every other image. It checks nothing, and computes no check sums.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, List, Value
from pycocotools import mask as coco_mask

QUESTION = "What category name best describes the region represented by <region{}>?"


def records(
    part: list[int], annotations: str, images: str, embed: bool
) -> Iterator[dict[str, Any]]:
    """Yield the records of one process's part of the images."""
    coco = json.loads(Path(annotations).read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in coco["categories"]}
    by_image = defaultdict(list)
    for annotation in coco["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    for image in coco["images"][part[0] :: 2]:
        found = [item for item in by_image[image["id"]] if not item["iscrowd"]]
        if found:
            path = Path(images) / image["file_name"]
            yield {
                "id": str(image["id"]),
                "image": {"bytes": path.read_bytes() if embed else None, "path": path.name},
                "width": image["width"],
                "height": image["height"],
                "regions": [_region(item, names, image, embed) for item in found],
                "messages": list(_messages(found, names)),
            }


def _region(
    item: dict[str, Any], names: dict[int, str], image: dict[str, Any], embed: bool
) -> dict[str, Any]:
    x, y, w, h = item["bbox"]
    region: dict[str, Any] = {"bbox": [x, y, x + w, y + h], "category": names[item["category_id"]]}
    if not embed:
        return region | {"segmentation": item["segmentation"]}
    runs = coco_mask.frPyObjects(item["segmentation"], image["height"], image["width"])
    return region | {"mask": coco_mask.merge(runs)["counts"].decode()}


def _messages(found: list[dict[str, Any]], names: dict[int, str]) -> Iterator[dict[str, str]]:
    for number, item in enumerate(found, start=1):
        image = "<image>\n" if number == 1 else ""
        yield {"role": "user", "content": image + QUESTION.format(number)}
        yield {"role": "assistant", "content": names[item["category_id"]]}


def _features(embed: bool) -> Features:
    text = Value("string")
    mask = {"mask": text} if embed else {"segmentation": List(List(Value("float32")))}
    region = {"bbox": List(Value("float32"), length=4), "category": text} | mask
    return Features(
        {
            "id": text,
            "image": Image(),
            "width": Value("int32"),
            "height": Value("int32"),
            "regions": List(region),
            "messages": List({"role": text, "content": text}),
        }
    )


def main() -> None:
    """Convert one annotation file."""
    annotations, images, output, mode = sys.argv[1:]
    embed = mode == "embed"
    Dataset.from_generator(
        records,
        features=_features(embed),
        cache_dir=output,
        gen_kwargs={"part": [0, 1], "annotations": annotations, "images": images, "embed": embed},
        num_proc=2,
    )


if __name__ == "__main__":
    main()
