"""What a captioner is shown: the whole picture and crops of it, upright and small enough."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256

from PIL import Image

from pipelines.recap.captioning.captioner import Neighbour, Subject
from pipelines.storage import files
from schemas.geometry import Box, turn_box
from schemas.rejection import Reason, Rejected
from schemas.sample import ImageInfo, ScreenedImage
from schemas.text import shown_name
from transforms.crop import crop, encode_jpeg
from transforms.orientation import annotated_as_stored
from transforms.picture import Picture, inspect, pixels

SCORED_PIXELS = 336 * 336  # of a crop that CLIP will see; no model in use takes more


class PictureRefused(Exception):
    """Says why a picture cannot be used: not one region's fault, but all of theirs."""

    def __init__(self, cause: Rejected) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """How pictures are shown."""

    folder: str  # of the pictures
    context: float  # around crops, as a share of their sides
    max_pixels: int
    scored: bool  # crops are also wanted for a scorer


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """One region as it is shown."""

    subject: Subject
    jpeg: bytes  # with context around it, for the captioner
    tight: bytes  # a JPEG without, for the scorer; empty where nobody scores


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """A whole picture and its regions as they are shown."""

    subject: Subject
    jpeg: bytes
    regions: dict[str, RegionView]  # by id


class LazyView:
    """A picture that is read when it is first asked about, and cut up if it ever need be."""

    def __init__(self, screened: ScreenedImage, sights: Sights) -> None:
        self._found = screened
        self._sights = sights
        self._data: asyncio.Task[bytes] | None = None
        self._view: asyncio.Task[ImageView] | None = None

    async def digest(self) -> str:
        """Return a digest of the picture's bytes, or raise `PictureRefused` if there are none."""
        return sha256(await self._read()).hexdigest()[:16]

    async def get(self) -> ImageView:
        """Return the view, or raise `PictureRefused` where the picture cannot be used."""
        if self._view is None:
            self._view = asyncio.create_task(self._cut_up())
        return await self._view

    async def _read(self) -> bytes:
        if self._data is None:
            work = asyncio.to_thread(read_picture, self._found.image, self._sights.folder)
            self._data = asyncio.create_task(work)
        return await self._data

    async def _cut_up(self) -> ImageView:
        return await asyncio.to_thread(view_image, self._found, self._sights, await self._read())


def read_picture(image: ImageInfo, folder: str) -> bytes:
    """Return the bytes of a picture, of one that has grown only a byte more than were listed.

    Raises:
        PictureRefused: it cannot be read.
    """
    assert image.file_name is not None, "regions need an image"
    try:
        with files.open_read(files.join(folder, image.file_name)) as file:
            return file.read(image.size_bytes + 1)
    except FileNotFoundError:
        gone = Rejected(Reason.IMAGE_MISSING, "was listed, but is gone")
        raise PictureRefused(gone) from None
    except OSError as error:
        unreadable = Rejected(Reason.IMAGE_UNREADABLE, f"{error.strerror}")
        raise PictureRefused(unreadable) from None


def view_image(screened: ScreenedImage, sights: Sights, data: bytes) -> ImageView:
    """Cut up a picture that was read.

    Raises:
        PictureRefused: it cannot be used.
    """
    image, regions = screened.image, screened.regions
    picture = _inspected(image, data)
    whole = pixels(data, picture.orientation)
    width, height = whole.size
    turns = picture.orientation != 1 and annotated_as_stored(image, picture)
    boxes = [_upright_box(region.bbox, picture) if turns else region.bbox for region in regions]
    neighbours = tuple(
        Neighbour(box, shown_name(region.category or "thing"))
        for box, region in zip(boxes, regions, strict=True)
    )
    return ImageView(
        subject=Subject(width, height, neighbours),
        jpeg=encode_jpeg(whole, sights.max_pixels),
        regions={
            region.region_id: RegionView(
                subject=Subject(width, height, neighbours, neighbour),
                jpeg=encode_jpeg(crop(whole, neighbour.bbox, sights.context), sights.max_pixels),
                tight=_tight(whole, neighbour.bbox) if sights.scored else b"",
            )
            for region, neighbour in zip(regions, neighbours, strict=True)
        },
    )


def _tight(whole: Image.Image, box: Box) -> bytes:
    return encode_jpeg(crop(whole, box, 0.0), SCORED_PIXELS)


def _inspected(image: ImageInfo, data: bytes) -> Picture:
    try:
        picture = inspect(data)
        annotated_as_stored(image, picture)
    except Rejected as cause:
        raise PictureRefused(cause) from None
    return picture


def _upright_box(box: Box, picture: Picture) -> Box:
    return turn_box(box, picture.orientation, picture.width, picture.height)
