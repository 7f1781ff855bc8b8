"""The classes of which every object of an image is known, as far as its regions can be used."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from schemas.classes import KnownClasses, StatedClasses
from schemas.geometry import Box
from schemas.rejection import Rejected
from schemas.sample import Region
from schemas.source import SourceRegion
from schemas.text import shown_name, storable


def known_classes(
    stated: StatedClasses, annotated: Sequence[SourceRegion], usable: Mapping[str, Region]
) -> KnownClasses:
    """Return the classes of an image of which every object is a usable region.

    A class is left out with a region that cannot be used (a crowd, a box without an area), or where
    two of its regions have the same box. So are classes that read the same, and one that its owner
    annotates although it states it to be absent.

    Args:
        stated: what the owner states about the image.
        annotated: the image's regions as the owner annotated them.
        usable: the regions of these that can be used, by id.
    """
    absent, doubtful = _by_reading(stated.absent), set(_by_reading(stated.partial))
    boxes: dict[str, list[Box]] = {}
    for region in annotated:
        kept = usable.get(region.region_id)
        if kept is not None and kept.category is not None:
            boxes.setdefault(kept.category, []).append(kept.bbox)
        elif region.category is not None:
            doubtful.update(_by_reading([region.category]))
    readings = Counter(map(_reading, boxes))
    doubtful.update(reading for reading, number in readings.items() if number > 1)
    doubtful.update(absent.keys() & readings.keys())
    doubtful.update(_reading(name) for name, each in boxes.items() if len(set(each)) < len(each))
    return KnownClasses(
        {
            name: tuple(each)
            for name, each in sorted(boxes.items())
            if _reading(name) not in doubtful
        },
        tuple(sorted(name for reading, name in absent.items() if reading not in doubtful)),
    )


def _reading(category: str) -> str:
    """Return the words of a class by which a reader tells it from others."""
    return shown_name(category).casefold()


def _by_reading(categories: Iterable[str]) -> dict[str, str]:
    """Return classes by their reading, without names that cannot be shown."""
    readings = {}
    for category in map(storable, categories):
        with suppress(Rejected):
            readings[_reading(category)] = category
    return readings
