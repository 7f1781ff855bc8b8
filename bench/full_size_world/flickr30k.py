"""Data like Flickr30k Entities in full size: 31,783 pictures, each with an XML and a text file."""

from pathlib import Path

import numpy as np

from bench.full_size_world import prose
from bench.full_size_world.counts import scaled, shared_out, starts_of, write_lines
from bench.full_size_world.pictures import link_pictures
from pipelines.sample_world.scene import generator

SPLITS = {"train": 29_783, "val": 1_000, "test": 1_000}
BOXES = 275_775
_CHAINS = 6  # chains with boxes of a picture; two more have no boxes
SENTENCES = 5
FRAME = (500, 375)  # width and height of the pictures in pixels
_TYPES = (b"people", b"other", b"scene", b"clothing", b"other/scene")
_TEXTS = 60_000
_HEAD = (
    b"<annotation>\n\t<filename>%d.jpg</filename>\n\t<size>\n\t\t<width>%d</width>\n"
    b"\t\t<height>%d</height>\n\t\t<depth>3</depth>\n\t</size>\n"
)
_BOXED = (
    b"\t<object>\n\t\t<name>%d</name>\n\t\t<bndbox>\n\t\t\t<xmin>%d</xmin>\n\t\t\t<ymin>%d</ymin>\n"
    b"\t\t\t<xmax>%d</xmax>\n\t\t\t<ymax>%d</ymax>\n\t\t</bndbox>\n\t</object>\n"
)
_BOXLESS = (
    b"\t<object>\n\t\t<name>%d</name>\n\t\t<scene>1</scene>\n\t\t<nobndbox>0</nobndbox>\n"
    b"\t</object>\n"
)


def write_flickr30k(root: Path, scale: float) -> None:
    """Write three split lists, and each picture's files, below `root/flickr30k_entities`."""
    folder = root / "flickr30k_entities"
    number = 1_000_000
    for split, of in SPLITS.items():
        count = scaled(of, scale)
        write_lines(folder / f"{split}.txt", (b"%d" % (number + k) for k in range(count)))
        _write_split(folder, number, count)
        number += count


def _write_split(folder: Path, first: int, count: int) -> None:
    names = ((f"{first + k}.jpg", FRAME) for k in range(count))
    link_pictures(folder / "plain" / str(first), folder / "flickr30k-images", names)
    for name in ("Annotations", "Sentences"):
        (folder / name).mkdir(exist_ok=True)
    rng = generator("flickr30k", first, count)
    counts = shared_out(rng, round(BOXES * count / sum(SPLITS.values())), count)
    boxes = _boxes(rng, int(counts.sum()))
    chains = rng.integers(_CHAINS, size=len(boxes)).tolist()
    texts = [text.encode() for text in prose.phrases("flickr30k", _TEXTS, 2.6)]
    said = prose.zipf(f"flickr30k {first}", count * SENTENCES * 7, len(texts)).tolist()
    each = zip(starts_of(counts).tolist(), counts.tolist(), strict=True)
    for k, (start, number) in enumerate(each):
        image_id, chain = first + k, (first + k) * 10
        objects = [
            _BOXED % (chain + chains[place], *boxes[place])
            for place in range(start, start + number)
        ]
        lists = [_BOXLESS % (chain + _CHAINS), _BOXLESS % (chain + _CHAINS + 1)]
        xml = _HEAD % (image_id, *FRAME) + b"".join([*objects, *lists, b"</annotation>\n"])
        (folder / "Annotations" / f"{image_id}.xml").write_bytes(xml)
        places = said[k * SENTENCES * 7 : (k + 1) * SENTENCES * 7]
        lines = _sentences(chain, [texts[place] for place in places])
        (folder / "Sentences" / f"{image_id}.txt").write_bytes(lines)


def _boxes(rng: np.random.Generator, count: int) -> list[list[int]]:
    """Return random boxes as xmin, ymin, xmax, ymax in whole pixels, counted from 1."""
    sides = np.array(FRAME)
    sizes = 8 + rng.random((count, 2)) ** 2 * (sides - 20)
    corners = 1 + rng.random((count, 2)) * (sides - sizes - 2)
    return np.hstack([corners, corners + sizes]).astype(int).tolist()


def _sentences(chain: int, texts: list[bytes]) -> bytes:
    """Return five annotated sentences, each with four phrases and words between the phrases."""
    lines = []
    for number in range(SENTENCES):
        one, verb, two, link, three, end, four = texts[number * 7 : number * 7 + 7]
        phrases = [
            b"[/EN#%d/%b %b]" % (chain + (number * 3 + k) % (_CHAINS + 2), _TYPES[k], text)
            for k, text in enumerate((one, two, three, four))
        ]
        pieces = (phrases[0], verb, phrases[1], link, phrases[2], end, phrases[3])
        lines.append(b" ".join(pieces) + b" .\n")
    return b"".join(lines)
