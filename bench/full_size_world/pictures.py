"""Picture files in large numbers, made as hard links to a few plain JPEGs."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from pipelines.sample_world.draw import jpeg_bytes

FRAMES = ((640, 480), (480, 640), (640, 427), (500, 375), (640, 640))  # width, height in pixels
COMMON_FRAME = (480, 375)  # fits into all frames
_LINKS_PER_FILE = 60_000  # ext4 allows 65,000 links to a file


def link_pictures(
    plain: Path, folder: Path, pictures: Iterable[tuple[str, tuple[int, int]]]
) -> None:
    """Make every picture a hard link to a plain JPEG of the picture's width and height.

    Args:
        plain: the folder of the plain JPEGs.
        folder: the folder to which the pictures' names are relative.
        pictures: name, and (width, height) in pixels, of each picture.
    """
    plain.mkdir(parents=True, exist_ok=True)
    made: set[Path] = set()
    for number, (name, sides) in enumerate(pictures):
        link = folder / name
        if link.parent not in made:
            link.parent.mkdir(parents=True, exist_ok=True)
            made.add(link.parent)
        link_one(_plain(plain, sides, number // _LINKS_PER_FILE), link)


def link_one(target: Path, link: Path) -> None:
    """Make a hard link, and replace an existing file of the link's name."""
    link.unlink(missing_ok=True)
    link.hardlink_to(target)


def _plain(folder: Path, sides: tuple[int, int], number: int) -> Path:
    width, height = sides
    path = folder / f"plain_{width}_{height}_{number}.jpg"
    if not path.exists():
        path.write_bytes(jpeg_bytes(Image.new("RGB", sides, "grey"), quality=20))
    return path
