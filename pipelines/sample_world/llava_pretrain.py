"""The sample world in the layout of LLaVA's pretraining data: pictures with one caption each.

    llava_pretrain/blip_laion_cc_sbu_558k.json    llava_pretrain/images/00001/000010000.jpg

The folder is the first five digits of the name. The shorter side of a picture has 336 pixels. A
caption is true, in lower case and no full sentence. `<image>` is first or last in the request.

Planted, by position in the album: an empty picture, a grayscale one, and one with an EXIF turn, of
which captions mention no sides.
"""

from pathlib import Path

import msgspec

from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.instances import Record
from pipelines.sample_world.llava import record
from pipelines.sample_world.scene import Progress, World
from pipelines.sample_world.words import Words, a, counted
from schemas.ids import bucket, rank

FRAMES = ((336, 336), (448, 336), (336, 420), (720, 336))  # width, height; pixels
ODDITIES = {2: "empty", 4: "grey", 6: "turned"}
REQUESTS = (
    "Say in few words what is to be seen.",
    "What does the picture show, in short?",
    "Caption this picture.",
)


def write_llava_pretrain(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write one file of captions and the pictures below `root/llava_pretrain`."""
    folder = root / "llava_pretrain"
    records: list[Record] = []
    for shot in album("llava_pretrain", world, ODDITIES, FRAMES):
        stem = f"{10_000 + 731 * shot.position:09d}"
        path = folder / "images" / stem[:5] / f"{stem}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shot.jpeg())
        request = REQUESTS[bucket(len(REQUESTS), "request", shot.scene.key)]
        rounds = [(request, caption(shot))]
        last = bool(rank("last", shot.scene.key) % 2)
        records.append(record(stem, f"{stem[:5]}/{stem}.jpg", rounds, last=last))
        if on_progress:
            on_progress(shot.position + 1, world.album_size)
    records.sort(key=lambda record: rank("order", record["id"]))
    text = msgspec.json.format(msgspec.json.encode(records), indent=4)
    (folder / "blip_laion_cc_sbu_558k.json").write_bytes(text)


def caption(shot: Shot) -> str:
    """Return a short caption: the number of things, and one thing or the relation of two."""
    things = shot.scene.things
    words = Words(scene=shot.scene, sides=shot.oddity != "turned")
    if not things:
        return f"nothing but {shot.scene.ground}"
    relations = sorted(words.relations.items())
    if relations and shot.position % 2:
        (first, second), lies = relations[-1]
        return f"{a(words.noun(first))} {lies} {a(words.noun(second))}"
    return f"{counted(len(things), 'shape')} on {shot.scene.ground}, one of them {a(words.noun(0))}"
