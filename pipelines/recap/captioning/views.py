"""The pictures for captioners and scorers: whole images and crops, upright and of limited size."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256

from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.captioner import AnnotatedRegion, CaptionTarget, PromptImage
from pipelines.recap.captioning.given import given_images
from pipelines.recap.captioning.marked import MarkedRegion, MarkOptions, marked_pictures
from pipelines.recap.captioning.region_colours import colours_of
from pipelines.recap.clip.crops import alpha_crop, clip_crop
from pipelines.recipes.recap import RecapRecipe
from pipelines.recipes.recap_judge import CONTEXT
from pipelines.recipes.recap_presets import Views
from pipelines.storage import files
from schemas.geometry import Box, swaps_sides, turn_box
from schemas.ledger import Stage
from schemas.mask import Mask
from schemas.rejection import Reason, Rejected
from schemas.sample import ImageInfo, ScreenedImage
from schemas.text import shown_name
from transforms.crop import SHOWN_SIDE, crop, encode_jpeg, enlarged
from transforms.ledger import StageLedger
from transforms.masks import add_masks
from transforms.orientation import annotated_as_stored
from transforms.picture import Picture, inspect, pixels


class PictureRefused(Exception):
    """A picture and all its regions cannot be used; `cause` states the reason."""

    def __init__(self, cause: Rejected) -> None:
        super().__init__(str(cause))
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CropOptions:
    """The folder of a run's pictures, and what captioner and scorer get of them."""

    folder: str  # folder of the pictures
    context: float  # margin on each side of a region's box, as a share of that side
    max_pixels: int  # width times height of a picture for the captioner
    scored: bool  # whether a scorer also needs crops
    mask_blur: bool = False  # whether the scorer's crops are blurred outside masks
    mask_alpha: bool = False  # whether they have the region as an alpha channel
    views: Views = "crop"
    judged: bool = False  # whether a judge gets pictures of marked regions
    measured: bool = False  # whether the colours of regions are measured
    whole: bool = True  # whether the whole picture is sent by itself

    @staticmethod
    def of(recipe: RecapRecipe, folder: str, *, scored: bool) -> "CropOptions":
        """Return the options of a recipe for the pictures in a folder."""
        captioning = recipe.captioning
        return CropOptions(
            folder=folder,
            context=captioning.context,
            max_pixels=captioning.max_pixels,
            scored=scored,
            mask_blur=recipe.filter.mask_blur,
            mask_alpha=recipe.filter.mask_alpha,
            views=captioning.views,
            judged=bool(recipe.filter.judge_model),
            measured=recipe.filter.measured_checks,
            whole=captioning.global_caption,
        )

    @property
    def of_captioner(self) -> MarkOptions:
        """What a captioner gets of a marked region."""
        return MarkOptions(self.views, self.context, self.max_pixels)

    @property
    def of_judge(self) -> MarkOptions:
        """What a judge gets of a region."""
        return MarkOptions("both", CONTEXT, self.max_pixels)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """The crops of one region."""

    prompt_image: PromptImage  # a crop with context around the box, or the region marked
    clip_crop: bytes  # the region for the scorer, as JPEG or PNG; empty without a scorer
    judged_image: PromptImage | None = None  # the region marked, for a judge; None without one
    colours: Mapping[str, float] = field(default_factory=dict)  # shares of pixels, where measured


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """A whole picture and the crops of its regions."""

    prompt_image: PromptImage
    regions: dict[str, RegionView]  # by region id

    def prompt_image_of(self, region_id: str | None) -> PromptImage:
        """Return the crop of a region, or the whole picture for None."""
        return self.prompt_image if region_id is None else self.regions[region_id].prompt_image

    def judged_image_of(self, region_id: str) -> PromptImage:
        """Return the pictures of a region for a judge."""
        image = self.regions[region_id].judged_image
        assert image is not None, "made for a judge"
        return image


class LazyImageView:
    """The pictures of an image, which are read and cropped once, on first use."""

    def __init__(
        self,
        screened: ScreenedImage,
        options: CropOptions,
        turn: AbstractAsyncContextManager[object] | None = None,  # held while it is cut up
    ) -> None:
        self._screened = screened
        self._options = options
        self._turn = turn or nullcontext()
        self._data: asyncio.Task[bytes] | None = None
        self._view: asyncio.Task[ImageView] | None = None

    async def digest(self) -> str:
        """Return a digest of the picture's bytes, or raise `PictureRefused` if it is unreadable."""
        return sha256(await self._read()).hexdigest()[:16]

    async def target(self) -> CaptionTarget:
        """Return the size of the upright picture and the annotations of all regions in it.

        Raises:
            PictureRefused: the picture cannot be used.
        """
        picture = _inspected(self._screened.image, await self._read())
        size = picture.width, picture.height
        width, height = size[::-1] if swaps_sides(picture.orientation) else size
        return CaptionTarget(width, height, _annotated_regions(self._screened, picture))

    async def upright_boxes(self) -> dict[str, Box]:
        """Return the boxes of all regions in the upright picture, by region id.

        Raises:
            PictureRefused: the picture cannot be used.
        """
        annotated = (await self.target()).regions
        regions = self._screened.regions
        return {
            region.region_id: each.bbox for region, each in zip(regions, annotated, strict=True)
        }

    async def get(self) -> ImageView:
        """Return the image's pictures, or raise `PictureRefused` if its file cannot be used."""
        if self._view is None:
            self._view = asyncio.create_task(self._cut_up())
        return await self._view

    async def _read(self) -> bytes:
        if self._data is None:
            work = asyncio.to_thread(read_picture, self._screened.image, self._options.folder)
            self._data = asyncio.create_task(work)
        return await self._data

    async def _cut_up(self) -> ImageView:
        data = await self._read()
        async with self._turn:
            return await asyncio.to_thread(view_image, self._screened, self._options, data)


def read_picture(image: ImageInfo, folder: str) -> bytes:
    """Return the bytes of a picture, at most one more than its listed size, to notice growth.

    Raises:
        PictureRefused: the picture cannot be read.
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


def view_image(screened: ScreenedImage, options: CropOptions, data: bytes) -> ImageView:
    """Return the pictures for captioner and scorer, made from the bytes of an image file.

    Args:
        screened: the image and its regions.
        options: the size of the crops.
        data: the bytes of the picture's file.

    Raises:
        PictureRefused: the image file cannot be used.
    """
    picture = _inspected(screened.image, data)
    whole = pixels(data, picture.orientation)
    annotated = _annotated_regions(screened, picture)
    target = CaptionTarget(*whole.size, annotated)
    seen = options.scored and (options.mask_blur or options.mask_alpha)
    marks = options.judged or options.measured or options.views != "crop"
    masks = _masks(screened, picture) if seen or marks else {}
    ids = [region.region_id for region in screened.regions]
    marked = [
        MarkedRegion(each.bbox, masks.get(key)) for key, each in zip(ids, annotated, strict=True)
    ]
    images = _prompt_images(whole, target, marked, options)
    of_judge: Sequence[PromptImage | None] = [None] * len(ids)
    if options.judged:
        alike = options.of_judge == options.of_captioner
        of_judge = images if alike else _marked_images(whole, target, marked, options.of_judge)
    jpeg = encode_jpeg(whole, options.max_pixels) if options.whole else None
    return ImageView(
        prompt_image=PromptImage(jpeg, target),
        regions={
            key: RegionView(
                prompt_image=image,
                clip_crop=_clip_crop(whole, each, options),
                judged_image=judged,
                colours=colours_of(whole, each, marked) if options.measured else {},
            )
            for key, image, judged, each in zip(ids, images, of_judge, marked, strict=True)
        },
    )


def _clip_crop(whole: Image.Image, region: MarkedRegion, options: CropOptions) -> bytes:
    """Return what the scorer gets of a region; empty without a scorer."""
    if not options.scored:
        return b""
    if options.mask_alpha:
        return alpha_crop(whole, region.box, region.mask)
    return clip_crop(whole, region.box, mask=region.mask if options.mask_blur else None)


def _prompt_images(
    whole: Image.Image,
    target: CaptionTarget,
    regions: Sequence[MarkedRegion],
    options: CropOptions,
) -> list[PromptImage]:
    """Return what is sent about each region, in order."""
    if options.views == "region":
        return given_images(whole, target, regions, options.max_pixels)
    if options.views != "crop":
        return _marked_images(whole, target, regions, options.of_captioner)
    targets = [replace(target, region=each) for each in target.regions]
    cut_out = (crop(whole, region.box, options.context, SHOWN_SIDE) for region in regions)
    jpegs = (
        encode_jpeg(enlarged(each, options.max_pixels), options.max_pixels) for each in cut_out
    )
    return [PromptImage(*each) for each in zip(jpegs, targets, strict=True)]


def _marked_images(
    whole: Image.Image,
    target: CaptionTarget,
    regions: Sequence[MarkedRegion],
    sent: MarkOptions,
) -> list[PromptImage]:
    targets = [replace(target, region=each) for each in target.regions]
    pictures = marked_pictures(whole, regions, sent)
    return [PromptImage(None, *each) for each in zip(targets, pictures, strict=True)]


def _masks(screened: ScreenedImage, picture: Picture) -> dict[str, Mask]:
    """Return the masks of the regions that have one, by region id, in the upright image."""
    turns = picture.orientation != 1 and annotated_as_stored(screened.image, picture)
    uncounted = StageLedger(Stage.SCREEN)  # what a mask lacks is counted when a shard is written
    return {
        region.region_id: region.mask.turned(picture.orientation) if turns else region.mask
        for region in add_masks(screened, uncounted).regions
        if region.mask is not None
    }


def _annotated_regions(screened: ScreenedImage, picture: Picture) -> tuple[AnnotatedRegion, ...]:
    """Return the annotations of the regions in order, with boxes in the upright image."""
    turns = picture.orientation != 1 and annotated_as_stored(screened.image, picture)
    turn = (picture.orientation, picture.width, picture.height)
    boxes = [turn_box(each.bbox, *turn) if turns else each.bbox for each in screened.regions]
    names = [shown_name(each.category or "thing") for each in screened.regions]
    return tuple(map(AnnotatedRegion, boxes, names))


def _inspected(image: ImageInfo, data: bytes) -> Picture:
    try:
        picture = inspect(data)
        annotated_as_stored(image, picture)
    except Rejected as cause:
        raise PictureRefused(cause) from None
    return picture
