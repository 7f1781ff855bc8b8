"""A picture of LLaVA's with its records and boxes: they are decoded by the worker that reads it."""

from collections.abc import Callable, Generator, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.llava import records as llava_json
from pipelines.datasets.llava.boxes import Find
from schemas.errors import InputFileError
from schemas.item import Dialogue
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceImage, SplitInput, Store


class Pictured(msgspec.Struct, frozen=True, gc=False):
    """A picture, or none, with its records and boxes, undecoded."""

    image: ImageInfo
    records: list[bytes]
    boxes: list[bytes]


def read_pictured(
    split: SplitInput,
    store: Store,
    pictured: Pictured,
    *,
    find: Find,
    read: Callable[[Raw], Dialogue],
) -> Iterator[Entry]:
    """Yield the entries of a picture; arguments as in `open_records` and `Boxes`."""
    image, raws = pictured.image, list(map(Raw, pictured.boxes))
    try:
        image = _framed(split, store, image) if raws else image
    except Rejected as cause:
        yield rejection(split, Kind.IMAGE, image.image_id, cause)
        yield Count(Kind.DIALOGUE, "with_image", len(pictured.records))
        return
    yield Count(Kind.ANNOTATION, "read", len(raws))
    regions = (yield from find(split, image, raws)) if raws else ()
    dialogues = yield from _dialogues(split, map(Raw, pictured.records), read)
    yield SourceImage(image, regions, dialogues)


def _framed(split: SplitInput, store: Store, image: ImageInfo) -> ImageInfo:
    """Return an image with a size: that of its picture, where no file states it.

    Raises:
        Rejected: the picture cannot be read.
    """
    if image.width is not None:
        return image
    try:
        content = store.read(f"{split.pictures}/{image.file_name}")
    except InputFileError as error:
        raise Rejected(Reason.IMAGE_UNREADABLE, str(error)) from None
    from transforms.picture import inspect  # imports PIL, which a list of sources does not need

    picture = inspect(content)
    return replace(image, width=picture.width, height=picture.height)


def _dialogues(
    split: SplitInput, raws: Iterable[Raw], read: Callable[[Raw], Dialogue]
) -> Generator[Entry, None, tuple[Dialogue, ...]]:
    by_id: dict[str, Dialogue] = {}
    for raw in raws:
        try:
            dialogue = read(raw)
            if dialogue.id in by_id:
                raise _REPEATED
            by_id[dialogue.id] = dialogue
        except Rejected as cause:
            yield rejection(split, Kind.DIALOGUE, llava_json.id_of(raw), cause)
    return tuple(by_id[item_id] for item_id in sorted(by_id))


_REPEATED = Rejected(Reason.DUPLICATE, "the same is said of the same picture under the same id")
