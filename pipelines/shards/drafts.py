"""The writing of one draft: its picture is read, checked and turned, and its rows are added."""

from collections.abc import Callable, Mapping

from xxhash import xxh3_128_hexdigest

from pipelines.shards.options import WriteOptions
from pipelines.shards.writer import ShardFile
from pipelines.storage import files
from schemas.columns import Row
from schemas.manifest import ImagesMode
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Draft, ImageInfo
from transforms.ledger import StageLedger
from transforms.orientation import annotated_as_stored, turn_regions, upright_size
from transforms.picture import Picture, inspect, upright


def write_draft(draft: Draft, out: ShardFile, options: WriteOptions, ledger: StageLedger) -> None:
    """Add the rows of a draft to a shard, or reject the draft for its picture.

    Args:
        draft: the conversations of an image.
        out: the open shard.
        options: the options of the shard writer.
        ledger: the ledger of the stage.
    """
    image, talks = draft.image, draft.conversations
    numbers = _numbers(draft)
    ledger.read(image, Kind.IMAGE)
    _count(ledger.read, image, numbers)
    try:
        picture, image_hash = _embed(image, out, options)
    except Rejected as cause:
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        _count(ledger.with_image, image, numbers)
        return
    embeds = options.images == "embed"
    size = upright_size(picture) if picture else (image.width, image.height)
    if picture and picture.orientation != 1 and embeds:
        ledger.repaired(image, Kind.IMAGE, Repair.IMAGE_TURNED)
    if picture and _regions_turn(image, picture):
        talks = turn_regions(talks, picture)
    path = _stored_path(image, options.images)
    for number, talk in enumerate(talks):
        if embeds and image.file_name is None:
            out.images.skip()
        elif embeds and number:
            out.repeat_image()
        out.add(Row(image, path, talk, size, image_hash))
    ledger.kept(image, Kind.IMAGE)
    _count(ledger.kept, image, numbers)


def _stored_path(image: ImageInfo, images: ImagesMode) -> str | None:
    """Return the image path of a record: the owner's file name, or the path below the data root."""
    if image.file_name is None or images == "embed":
        return image.file_name
    return "/".join(filter(None, [image.folder, image.file_name]))


def _regions_turn(image: ImageInfo, picture: Picture) -> bool:
    if picture.orientation == 1 or image.width is None:
        return False
    return annotated_as_stored(image, picture)


def _numbers(draft: Draft) -> dict[Kind, int]:
    """Return how many of each kind were made of the image of a draft."""
    numbers = {
        Kind.ANNOTATION: len(draft.region_ids()),
        Kind.CONVERSATION: len(draft.conversations),
    }
    for kind, _ in draft.items:
        numbers[kind] = numbers.get(kind, 0) + 1
    return numbers


def _count(
    count: Callable[[ImageInfo, Kind, int], None], image: ImageInfo, numbers: Mapping[Kind, int]
) -> None:
    for kind, number in numbers.items():
        count(image, kind, number)


def _embed(
    image: ImageInfo, out: ShardFile, options: WriteOptions
) -> tuple[Picture, str] | tuple[None, None]:
    """Read a picture, and add its bytes to the column of images where shards hold pictures.

    The bytes are read into free space of the column; they become part of the column only when they
    are committed, so a picture that is rejected leaves nothing behind.

    Returns:
        The picture and the hash of the stored bytes, or of the file where none are stored; None and
        None where the picture need not be read.
    """
    if image.file_name is None or (options.images == "reference" and image.width is not None):
        return None, None
    path = files.join(options.pictures[image.source, image.split], image.file_name)
    room = out.images.room(image.size_bytes + 1)
    size = _read(path, room)
    if size != image.size_bytes:
        raise Rejected(
            Reason.IMAGE_UNREADABLE,
            f"{size} bytes were read where {image.size_bytes} were listed: the file changed "
            "during the build",
        )
    picture = inspect(room[:size])
    if image.width is not None:
        annotated_as_stored(image, picture)
    if options.images == "reference" or picture.untouched:
        image_hash = _hash(room[:size])
        if options.images == "embed":
            out.images.commit(size)
        return picture, image_hash
    turned = upright(room[:size].tobytes(), picture.orientation)
    out.images.room(len(turned))[:] = turned
    out.images.commit(len(turned))
    return picture, _hash(turned)


def _hash(data: bytes | memoryview) -> str:
    return f"xxh128:{xxh3_128_hexdigest(data)}"


def _read(path: str, room: memoryview) -> int:
    try:
        return files.read_into(path, room)
    except FileNotFoundError:
        raise Rejected(Reason.IMAGE_MISSING, "was listed, but is gone") from None
    except OSError as error:
        raise Rejected(Reason.IMAGE_UNREADABLE, f"{error.strerror}") from None
