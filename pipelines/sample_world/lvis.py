"""The sample world in LVIS' own layout, version 1: other annotations of COCO's pictures.

    lvis/lvis_v1_{train,val}.json

As in LVIS, val has pictures of both train2017 and val2017; an image has no `file_name` but a
`coco_url`, `neg_category_ids` (verified absent) and `not_exhaustive_category_ids` (present, not
all boxed: the class of a crowd, which is not boxed at all). Some pictures have no box. Boxes and
polygons are in the frame of the stored pixels.
"""

from collections import Counter, defaultdict
from pathlib import Path

from pipelines.sample_world import coco
from pipelines.sample_world.coco import Picture, scattered
from pipelines.sample_world.instances import Instances, Record, write_instances
from pipelines.sample_world.scene import Progress, World
from schemas.ids import rank

NAMES = {
    "arrow": "arrow_(symbol)",
    "circle": "circle",
    "crescent": "crescent_(moon)",
    "cross": "cross_(symbol)",
    "diamond": "diamond_(shape)",
    "equals sign": "equals_sign",
    "half circle": "half_circle",
    "heart": "heart",
    "hexagon": "hexagon",
    "lightning bolt": "lightning_bolt_(symbol)",
    "oval": "oval",
    "pentagon": "pentagon",
    "square": "square_(shape)",
    "star": "star_(shape)",
    "triangle": "triangle_(shape)",
}
_IDS = {shape: number for number, shape in enumerate(sorted(NAMES), start=1)}  # ids without gaps
NEGATIVES = 4  # per image
_RARE, _COMMON = 10, 100  # images, at most


def write_lvis(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write two annotation files below `root/lvis`."""
    images: dict[str, list[Record]] = defaultdict(list)
    boxes: dict[str, list[Record]] = defaultdict(list)
    for position, picture in enumerate(coco.pictures(world)):
        split = "val" if picture.splits[2017] == "val" or position % 8 == 6 else "train"
        images[split].append(_image(picture))
        boxes[split] += _annotations(picture, first=position * 10 + 1)
        if on_progress:
            on_progress(position + 1, world.pictures)
    for split in images:
        file = Instances(
            year=2020,
            images=sorted(images[split], key=scattered),
            annotations=sorted(boxes[split], key=scattered),
            categories=categories(boxes["train"]),
        )
        write_instances(root / "lvis" / f"lvis_v1_{split}.json", file)


def categories(annotations: list[Record]) -> list[Record]:
    """Return LVIS' category records, with the counts of images and annotations."""
    instances = Counter(record["category_id"] for record in annotations)
    pairs = {(record["category_id"], record["image_id"]) for record in annotations}
    pictures = Counter(category for category, _ in pairs)
    return [
        {
            "name": NAMES[shape],
            "instance_count": instances[number],
            "def": f"a plane figure called {shape}",
            "synonyms": [NAMES[shape], f"{shape.replace(' ', '_')}_figure"],
            "image_count": pictures[number],
            "id": number,
            "frequency": _frequency(pictures[number]),
            "synset": f"{shape.replace(' ', '_')}.n.01",
        }
        for shape, number in _IDS.items()
    ]


def _frequency(pictures: int) -> str:
    if pictures <= _RARE:
        return "r"
    return "c" if pictures <= _COMMON else "f"


def _image(picture: Picture) -> Record:
    record = coco.image(picture, 2017)
    del record["file_name"]
    crowds = {_IDS[thing.shape] for thing in picture.scene.things if thing.crowd}
    absent = set(_IDS.values()) - {_IDS[thing.shape] for thing in picture.scene.things}
    negatives = sorted(absent, key=lambda number: rank("negative", picture.number, number))
    return record | {
        "neg_category_ids": negatives[:NEGATIVES],
        "not_exhaustive_category_ids": sorted(crowds),
    }


def _annotations(picture: Picture, first: int) -> list[Record]:
    """Return LVIS' annotation records of the single things, with ids other than COCO's."""
    singles = [thing for thing in picture.scene.things if not thing.crowd]
    records = [record for record in coco.things(picture) if not record.pop("iscrowd")]
    return [
        record | {"id": first + k, "category_id": _IDS[thing.shape]}
        for k, (record, thing) in enumerate(zip(records, singles, strict=True))
    ]
