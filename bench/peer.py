"""The peers of the benchmark: two programs with `datasets` that make the same conversion.

    python -m bench.peer {plain,tuned} ANNOTATIONS IMAGES OUTPUT {embed,reference}

Both peers load the annotation file with pycocotools, run `Dataset.from_generator` with two
processes, and then `save_to_disk` with two processes, since a build also ends with shards in a
folder. The plain peer loads the file once and passes the loaded file to the generator, with the
image ids to divide between the processes; `datasets` then computes a fingerprint of the file, which
is slow. In the tuned peer, each process loads the file itself and takes every second image.

With `embed`, the peers store image bytes and masks as run lengths, and compute the SHA-256 of each
shard. With `reference`, they store file names (as strings, since `save_to_disk` would embed images)
and COCO's polygons. The peers check nothing. They print the seconds from the start to the end of
`from_generator`.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, List, Value
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

_PROCESSES = 2
QUESTION = "What category name best describes the region represented by <region{}>?"


def records(
    share: list[int], coco: COCO | str, images: str, embed: bool
) -> Iterator[dict[str, Any]]:
    """Yield the records of one process; `share` is image ids or, if tuned, the process number."""
    if isinstance(coco, str):
        coco = COCO(coco)
        share = coco.getImgIds()[share[0] :: _PROCESSES]
    names = {category["id"]: category["name"] for category in coco.dataset["categories"]}
    for image in coco.loadImgs(share):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], iscrowd=False))
        if annotations:
            path = Path(images) / image["file_name"]
            yield {
                "id": str(image["id"]),
                "image": {"bytes": path.read_bytes(), "path": path.name} if embed else path.name,
                "width": image["width"],
                "height": image["height"],
                "regions": [_region(item, names, image, embed) for item in annotations],
                "messages": list(_messages(annotations, names)),
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


def _messages(annotations: list[dict[str, Any]], names: dict[int, str]) -> Iterator[dict[str, str]]:
    for number, item in enumerate(annotations, start=1):
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
            "image": Image() if embed else text,
            "width": Value("int32"),
            "height": Value("int32"),
            "regions": List(region),
            "messages": List({"role": text, "content": text}),
        }
    )


def main() -> None:
    """Convert an annotation file into a data set of `datasets`."""
    kind, annotations, images, output, mode = sys.argv[1:]
    embed = mode == "embed"
    coco = COCO(annotations) if kind == "plain" else annotations
    data = Dataset.from_generator(
        records,
        features=_features(embed),
        cache_dir=f"{output}/cache",
        gen_kwargs={
            "share": list(range(_PROCESSES)) if isinstance(coco, str) else coco.getImgIds(),
            "coco": coco,
            "images": images,
            "embed": embed,
        },
        num_proc=_PROCESSES,
    )
    generated = time.time() - float(os.environ["BENCH_STARTED"])
    data.save_to_disk(f"{output}/shards", num_proc=_PROCESSES)
    if embed:
        for shard in sorted(Path(f"{output}/shards").glob("*.arrow")):
            with shard.open("rb") as file:
                print(shard.name, hashlib.file_digest(file, "sha256").hexdigest())
    print(f"from_generator {generated}", file=sys.stderr)


if __name__ == "__main__":
    main()
