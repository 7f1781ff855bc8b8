"""The sample world in V3Det's own layout.

    v3det/annotations/v3det_2023_v1_{train,val}.json
    v3det/annotations/category_name_13204_v3det_2023_v1.txt      line n names category n
    v3det/images/n00000003/7_320_0003.jpg

A category is a colour and a shape ("red circle"), and `file_name` begins with "images". Annotations
have no id. Boxes are in the frame of the stored pixels.

Planted by position in a world with oddities (`ODDITIES`): a picture without boxes, a grayscale one,
one with an EXIF turn, crowds, and two without their file. There, the last category has the name of
the first; the fifth has different names in the list and in the JSON. Some `cat_info` are a str, not
a list.
"""

from pathlib import Path

import msgspec

from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.instances import Record
from pipelines.sample_world.look import HARD, Look
from pipelines.sample_world.scene import Progress, Thing, World
from pipelines.sample_world.words import a
from schemas.ids import rank

ODDITIES = {
    2: "empty", 4: "grey", 5: "crowd", 6: "turned", 7: "missing", 9: "crowd", 16: "missing"
}  # fmt: skip
_RENAMED = 5  # the category with another name in the list
_LIST = "category_name_13204_v3det_2023_v1.txt"  # the name of the owner's longer list


def write_v3det(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write two annotation files, the list of names and the pictures below `root/v3det`."""
    look, folder = world.look, root / "v3det"
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    images: dict[str, list[Record]] = {"train": [], "val": []}
    boxes: dict[str, list[Record]] = {"train": [], "val": []}
    for shot in album("v3det", world, ODDITIES):
        split = "val" if shot.position % 4 == 3 else "train"
        images[split].append(_image(shot, look))
        boxes[split] += _annotations(shot, look)
        path = folder / file_name(shot, look)
        path.parent.mkdir(parents=True, exist_ok=True)
        if shot.oddity != "missing":
            path.write_bytes(shot.jpeg())
        if on_progress:
            on_progress(shot.position + 1, world.album_size)
    for split in images:
        file = {
            "images": sorted(images[split], key=lambda record: rank("order", record["id"])),
            "annotations": boxes[split],
            "categories": categories(look),
        }
        path = folder / "annotations" / f"v3det_2023_v1_{split}.json"
        path.write_bytes(msgspec.json.encode(file))
    names = _all_names(look)
    if look.odd:
        names[_RENAMED - 1] += " figure"
    (folder / "annotations" / _LIST).write_text("\n".join(names) + "\n", encoding="utf-8")


def file_name(shot: Shot, look: Look = HARD) -> str:
    """Return a picture's path below `v3det`, in the folder of the last thing's category."""
    category = _category(shot.scene.things[-1], look) if shot.scene.things else 1
    return f"images/n{category:08d}/{shot.position}_{shot.scene.width}_{number(shot):04d}.jpg"


def number(shot: Shot) -> int:
    """Return the id of a picture by its position."""
    return 3 + 2 * shot.position


def categories(look: Look = HARD) -> list[Record]:
    """Return V3Det's category records; in a world with oddities the last repeats the first name."""
    return [
        {
            "id": category,
            "name": name,
            "name_zh": f"\u56fe\u5f62{category}",
            "cat_info": f"A figure: {name}." if category % 4 == 0 else [f"A figure: {name}."],
            "cat_info_gpt": [f"{a(name).capitalize()} is a figure of one color."],
            "cat_info_gpt4": [f"{a(name).capitalize()} is a flat figure of one color."],
            "cat_info_gpt4v": [f"{a(name).capitalize()} has one color and a sharp outline."],
            "novel": category % 2 == 0,
            "exemplar_image": f"exemplar_images/{category}.jpg",
        }
        for category, name in enumerate(_all_names(look), start=1)
    ]


def _all_names(look: Look) -> list[str]:
    return [*look.names, *look.names[: int(look.odd)]]


def _category(thing: Thing, look: Look) -> int:
    return look.names.index(f"{thing.colour} {thing.shape}") + 1


def _image(shot: Shot, look: Look) -> Record:
    width, height = shot.scene.width, shot.scene.height
    name = file_name(shot, look)
    return {"id": number(shot), "file_name": name, "height": height, "width": width}


def _annotations(shot: Shot, look: Look) -> list[Record]:
    annotations = []
    for thing in shot.scene.things:
        x0, y0, x1, y1 = thing.box
        width, height = round(x1 - x0, 2), round(y1 - y0, 2)
        annotations.append(
            {
                "image_id": number(shot),
                "category_id": _category(thing, look),
                "bbox": [x0, y0, width, height],
                "iscrowd": int(thing.crowd),
                "area": round(width * height, 2),
            }
        )
    return annotations
