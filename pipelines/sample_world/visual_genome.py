"""The sample world in Visual Genome's own layout, version 1.2.

    visual_genome/{image_data,region_descriptions,objects,attributes,relationships}.json
    visual_genome/VG_100K/4.jpg    visual_genome/VG_100K_2/1.jpg

Boxes are whole pixels, x y w h from 0, "width" and "height" in regions and "w" and "h" elsewhere.
The url of a picture ends with its folder and name. In a world with oddities, every third picture
is one of COCO's, and has a `coco_id`. Regions describe one thing, or the relation of two; all
phrases are true.

Planted by position (`ODDITIES`): a picture without anything, a grayscale one, a file of
no bytes, one with a wrong stated size, one whose name is not its id. Planted by ids: phrases
with white space at an end, with a line break inside, or twice for the same box; a region that
begins left of the picture and one that ends a pixel below it; things without attributes;
predicates in capitals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.sample_world import coco
from pipelines.sample_world.album import Shot, album, lay_out, picture_bytes
from pipelines.sample_world.instances import HOST, Record
from pipelines.sample_world.scene import Progress, Scene, World
from pipelines.sample_world.words import Words, a
from schemas.geometry import Box
from schemas.ids import rank

ODDITIES = {2: "empty", 4: "grey", 7: "no bytes", 10: "resized", 13: "renamed", 14: "crowd"}
FILES = ("image_data", "region_descriptions", "objects", "attributes", "relationships")
_RELATIONS = 4  # per picture, at most
_LARGER = 2.0  # ratio of areas from which a thing is called larger than another
_IDS_PER_PICTURE = 100


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A picture of Visual Genome: its id, its scene, and its COCO number if it has one."""

    image_id: int
    scene: Scene
    oddity: str
    number: int | None

    @property
    def path(self) -> str:
        """The path of the picture; pictures with odd ids are in the second folder."""
        name = self.image_id + 900_000 if self.oddity == "renamed" else self.image_id
        return f"VG_100K{'_2' if self.image_id % 2 else ''}/{name}.jpg"


def write_visual_genome(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write five annotation files and two picture folders below `root/visual_genome`."""
    folder = root / "visual_genome"
    for name in ("VG_100K", "VG_100K_2"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    contents: dict[str, list[Record]] = {name: [] for name in FILES}
    for entry in entries(world):
        (folder / entry.path).write_bytes(_picture(entry))
        for name, record in records_of(entry).items():
            contents[name].append(record)
        if on_progress:
            on_progress(entry.image_id, world.album_size)
    for name, records in contents.items():
        records.sort(key=lambda record: rank("order", record.get("image_id") or record["id"]))
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(records))


def entries(world: World) -> Iterator[Entry]:
    """Yield all pictures in order of their ids, from 1."""
    shots: Iterator[Shot] = album("visual genome", world, ODDITIES)
    for shot, picture in zip(shots, coco.pictures(world), strict=False):
        shared = world.look.odd and shot.position % 3 == 0 and not shot.oddity
        shared = shared and picture.oddity != "turned"
        yield Entry(
            image_id=shot.position + 1,
            scene=picture.scene if shared else shot.scene,
            oddity=picture.oddity if shared else shot.oddity,
            number=picture.number if shared else None,
        )


def _picture(entry: Entry) -> bytes:
    if entry.oddity == "no bytes":
        return b""
    if entry.oddity == "resized":
        return picture_bytes(lay_out(f"{entry.scene.key}/resized", "", [(200, 120)]))
    return picture_bytes(entry.scene, entry.oddity)


def records_of(entry: Entry) -> dict[str, Record]:
    """Return a picture's records in each of the five files, by the file's name."""
    objects = [_object(entry, index) for index in range(len(entry.scene.things))]
    return {
        "image_data": {
            "width": entry.scene.width,
            "url": f"{HOST}/people/{entry.path}",
            "height": entry.scene.height,
            "image_id": entry.image_id,
            "coco_id": entry.number,
            "flickr_id": None,
        },
        "region_descriptions": {"regions": _regions(entry), "id": entry.image_id},
        "objects": {"image_id": entry.image_id, "objects": objects},
        "attributes": {
            "image_id": entry.image_id,
            "attributes": [_attributes(entry, k, record) for k, record in enumerate(objects)],
        },
        "relationships": {"relationships": _relationships(entry), "image_id": entry.image_id},
    }


def _whole(box: Box) -> tuple[int, int, int, int]:
    """Return the whole pixels that contain a box: x, y, width, height."""
    x0, y0, x1, y1 = int(box[0]), int(box[1]), -int(-box[2] // 1), -int(-box[3] // 1)
    return x0, y0, x1 - x0, y1 - y0


def _object(entry: Entry, index: int) -> Record:
    x, y, w, h = _whole(entry.scene.things[index].box)
    shape = entry.scene.things[index].shape
    return {
        "synsets": [_synset(shape)],
        "h": h,
        "object_id": entry.image_id * _IDS_PER_PICTURE + index,
        "names": [shape],
        "w": w,
        "y": y,
        "x": x,
    }


def _attributes(entry: Entry, index: int, record: Record) -> Record:
    thing = entry.scene.things[index]
    if record["object_id"] % 7 == 0:
        return record
    size = [] if thing.crowd else [thing.size]
    return record | {"attributes": [thing.colour, *size]}


def _end(record: Record) -> Record:
    """Return an object in the form of relationships, with one name."""
    (name,) = record["names"]
    return {"name": name} | {key: value for key, value in record.items() if key != "names"}


def _relationships(entry: Entry) -> list[Record]:
    return [
        {
            "predicate": predicate.upper() if k % 3 == 2 else predicate,
            "object": _end(_object(entry, second)),
            "relationship_id": entry.image_id * _IDS_PER_PICTURE + k,
            "synsets": [],
            "subject": _end(_object(entry, first)),
        }
        for k, (first, predicate, second) in enumerate(relations(entry.scene))
    ]


def relations(scene: Scene) -> list[tuple[int, str, int]]:
    """Return relationships of some pairs of things: subject, predicate, object."""
    lies: dict[tuple[int, int], str] = dict(Words(scene=scene).relations)
    chosen = sorted(lies, key=lambda pair: rank("relation", scene.key, *pair))[:_RELATIONS]
    triples = [(first, lies[first, second], second) for first, second in chosen]
    areas = [thing.area for thing in scene.things]
    triples += [(m, "larger than", n) for m, n in chosen[:1] if areas[m] >= _LARGER * areas[n]]
    return triples


def _regions(entry: Entry) -> list[Record]:
    """Return the described regions: each single thing, then each related pair."""
    scene, words = entry.scene, Words(scene=entry.scene)
    singles = [k for k, thing in enumerate(scene.things) if not thing.crowd]
    described = [(scene.things[k].box, a(words.noun(k))) for k in singles]
    described += [
        (_around(scene, first, second), f"{a(words.noun(first))} {lies} {a(words.noun(second))}")
        for first, lies, second in relations(scene)
    ]
    described += described[:1] if entry.image_id % 5 == 0 else []
    regions = [_region(entry, k, box, phrase) for k, (box, phrase) in enumerate(described)]
    return [_odd(region, scene) for region in regions]


def _region(entry: Entry, index: int, box: Box, phrase: str) -> Record:
    x, y, width, height = _whole(box)
    return {
        "region_id": entry.image_id * _IDS_PER_PICTURE + index,
        "width": width,
        "height": height,
        "image_id": entry.image_id,
        "phrase": phrase,
        "y": y,
        "x": x,
    }


def _odd(region: Record, scene: Scene) -> Record:
    """Return a region, changed in some pictures; a widened box still contains the things."""
    match region["region_id"] % 31:
        case 5:
            return region | {"phrase": region["phrase"] + "  "}
        case 9:
            return region | {"phrase": region["phrase"].replace(" ", "\n", 1)}
        case 14:
            return region | {"x": -3, "width": region["x"] + region["width"] + 3}
        case 21:
            return region | {"height": scene.height - region["y"] + 1}
    return region


def _around(scene: Scene, first: int, second: int) -> Box:
    """Return the box around two things."""
    boxes = scene.things[first].box, scene.things[second].box
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _synset(shape: str) -> str:
    return f"{shape.replace(' ', '_')}.n.01"
