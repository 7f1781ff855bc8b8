"""The captions of a run that repeat others of their class, or begin as too many of it do.

Each shard gives a sketch of each caption that passed all other checks. The captions of a class and
split are compared in the order of a hash of their regions, so that the same ones stay whatever the
order and the number of runs in which they were made. No text is held: a caption takes some 400
bytes until its class was compared, and one that is left out as much until its shard is written.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import numpy as np

from pipelines.recipes.recap import Filter
from schemas.ids import Hasher
from schemas.rejection import Reason, Rejected
from schemas.sample import ScreenedImage
from transforms.repeats import FEW, find_repeats, find_stock_openings
from transforms.sketch import SIZE, opening_of, sketch
from transforms.subsample import CategoryKey


class _Sketched(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The sketch of a caption; they are ordered by rank."""

    rank: int  # of its region, by hash
    image_id: str
    region_id: str
    shard: str  # path of the shard
    sketch: bytes
    opening: str


class LeftOut(msgspec.Struct, frozen=True, array_like=True):
    """A caption that is left out for what others of its class say."""

    image_id: str
    region_id: str
    reason: Reason
    detail: str

    def rejected(self, text: str) -> Rejected:
        """Return the refusal of the caption, whose text it quotes."""
        return Rejected(self.reason, f"{self.detail}; caption: {text}")


def sketch_captions(
    images: Iterable[ScreenedImage], shard: str, seed: int
) -> Iterator[tuple[CategoryKey, bytes]]:
    """Yield for each class of a shard the sketches of its captions, packed.

    Args:
        images: the images of the shard, with the regions whose captions passed all other checks.
        shard: the path of the shard.
        seed: varies which of several captions stays.
    """
    by_category: dict[CategoryKey, list[_Sketched]] = defaultdict(list)
    for screened in images:
        image = screened.image
        hasher = Hasher(seed, "repeats", image.source, image.split, image.image_id)
        for region in screened.regions:
            text = region.caption or ""
            made = _Sketched(
                hasher.rank(region.region_id),
                image.image_id,
                region.region_id,
                shard,
                sketch(text),
                opening_of(text),
            )
            by_category[image.source, image.split, region.category or ""].append(made)
    for key, sketches in by_category.items():
        yield key, _ENCODER.encode(sketches)


def leave_out(
    category: tuple[CategoryKey, Iterable[bytes]], limits: Filter
) -> Iterator[tuple[str, bytes]]:
    """Yield the captions of a class that are left out, packed, by the path of their shard.

    Args:
        category: the class, and the sketches of its captions as `sketch_captions` packs them.
        limits: the largest shares of what captions may have in common.
    """
    _, packed = category
    captions = sorted(each for part in packed for each in _DECODER.decode(part))
    alike = _alike(captions, limits.max_alike) if limits.max_alike is not None else {}
    others = [each for number, each in enumerate(captions) if number not in alike]
    left_out: dict[str, list[LeftOut]] = defaultdict(list)
    for number, detail in alike.items():
        _add(left_out, captions[number], Reason.CAPTION_ALIKE, detail)
    if limits.max_opening is not None:
        for number in find_stock_openings([each.opening for each in others], limits.max_opening):
            detail = (
                f"begins with {others[number].opening!r}, as more than {FEW} captions and "
                f"{limits.max_opening:.0%} of its class do"
            )
            _add(left_out, others[number], Reason.CAPTION_STOCK_OPENING, detail)
    for shard, left in left_out.items():
        yield shard, _ENCODER.encode(left)


def unpack_left_out(packed: Iterable[bytes]) -> Mapping[tuple[str, str], LeftOut]:
    """Return the captions of a shard that are left out, by the ids of image and region."""
    left_out = (each for part in packed for each in _LEFT_OUT.decode(part))
    return {(each.image_id, each.region_id): each for each in left_out}


def _alike(captions: list[_Sketched], most: float) -> dict[int, str]:
    """Return the numbers of the captions that repeat others, each with the detail."""
    sketches = np.frombuffer(b"".join(each.sketch for each in captions), np.uint8)
    details = {}
    for repeat in find_repeats(sketches.reshape(-1, SIZE), most):
        other = captions[repeat.of]
        details[repeat.text] = (
            f"has {repeat.share:.0%} of its runs of five words in common with the caption of "
            f"region {other.region_id} of image {other.image_id}, expected at most {most:.0%}"
        )
    return details


def _add(
    left_out: dict[str, list[LeftOut]], caption: _Sketched, reason: Reason, detail: str
) -> None:
    left = LeftOut(caption.image_id, caption.region_id, reason, detail)
    left_out[caption.shard].append(left)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_Sketched])
_LEFT_OUT = msgspec.msgpack.Decoder(list[LeftOut])
