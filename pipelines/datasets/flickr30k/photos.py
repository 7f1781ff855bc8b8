"""The photos of a split of Flickr30k Entities: each has files of its own, read with it.

The files of a photo that is refused are read, too: what they have is counted with the photo.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejection,
    rejections,
    sized_image,
)
from pipelines.datasets.common.packed import Opened, Opening
from pipelines.datasets.flickr30k.boxes import NO_ANNOTATION, checked_size, parse_annotation
from pipelines.datasets.flickr30k.sentences import parse_sentences
from schemas.item import GroundedCaption
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume

_REGIONS_PER_IMAGE = 9  # approximately, in all 31,783 pictures


class Photo(msgspec.Struct, frozen=True, gc=False):
    """A photo, still without a size, or the refusal of one; and which of its files are there."""

    image_id: str
    image: ImageInfo | None
    refusal: tuple[Reason, str] | None
    annotated: bool
    described: bool


def open_photos(
    split: SplitInput, store: Store, image_ids: Sequence[str], refused: Sequence[Refused]
) -> Opening[Photo]:
    """Yield the entries of a split that are of no photo; return the photos.

    Args:
        split: the split; the roles `annotations` and `sentences` are folders.
        store: the store of its files.
        image_ids: the ids of its photos.
        refused: the refused lines of its list.
    """
    pictures, annotations, sentences = (
        store.sizes(folder)
        for folder in (split.pictures, split.files["annotations"], split.files["sentences"])
    )

    def photo_of(image_id: str) -> Photo:
        annotation, sentence = f"{image_id}.xml", f"{image_id}.txt"
        image: ImageInfo | None = None
        refusal: tuple[Reason, str] | None = None
        try:
            image = image_info(split, image_id, f"{image_id}.jpg", None, pictures, split.licence)
            _check_file(annotation, annotations)
            _check_file(sentence, sentences)
        except Rejected as cause:
            image, refusal = None, (cause.reason, cause.detail)
        return Photo(image_id, image, refusal, annotation in annotations, sentence in sentences)

    photos = {image_id: photo_of(image_id) for image_id in image_ids}
    usable = {name: photo.image for name, photo in photos.items() if photo.image is not None}
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume([usable[image_id] for image_id in chosen]))
    yield SplitFacts(split.source, split.split, shards)
    yield Count(Kind.IMAGE, "read", len(image_ids) + len(refused))
    yield from rejections(split, Kind.IMAGE, refused)
    yield Count(Kind.IMAGE, "sampled_out", len(usable) - len(chosen))

    def sharded(image_id: str) -> Photo:
        photo = photos[image_id]
        return replace(photo, image=photo.image and replace(photo.image, shards=shards))

    read = [image_id for image_id in image_ids if image_id in chosen or image_id not in usable]
    size = sum(annotations.get(f"{name}.xml", 0) + sentences.get(f"{name}.txt", 0) for name in read)
    return Opened(image_ids=read, kind=Photo, picture_of=sharded, read=read_photo, size=size)


def read_photo(split: SplitInput, store: Store, photo: Photo) -> Iterator[Entry]:
    """Yield a photo with regions and sentences; or its rejection, and counts of what it has.

    Raises:
        InputFileError: a file of the photo cannot be read.
    """
    image_id, image = photo.image_id, photo.image
    refusal = Rejected(*photo.refusal) if photo.refusal else None
    annotation = NO_ANNOTATION
    try:
        if photo.annotated:
            content = store.read(f"{split.files['annotations']}/{image_id}.xml")
            annotation = parse_annotation(content, image_id)
        if image is not None:
            image = sized_image(split, image, checked_size(annotation, image_id))
    except Rejected as cause:
        refusal = refusal or cause
    captions: list[GroundedCaption] = []
    refused: list[Refused] = []
    if photo.described:
        content = store.read(f"{split.files['sentences']}/{image_id}.txt")
        captions, refused = parse_sentences(content, image_id, annotation.chains)
    yield Count(Kind.ANNOTATION, "read", len(annotation.regions) + len(annotation.refused))
    yield Count(Kind.SENTENCE, "read", len(captions) + len(refused))
    yield from rejections(split, Kind.ANNOTATION, annotation.refused)
    yield from rejections(split, Kind.SENTENCE, refused)
    if refusal is None:
        assert image is not None, "a photo is refused, or an image"
        yield SourceImage(image, annotation.regions, tuple(captions))
        return
    yield rejection(split, Kind.IMAGE, image_id, refusal)
    yield Count(Kind.ANNOTATION, "with_image", len(annotation.regions))
    yield Count(Kind.SENTENCE, "with_image", len(captions))


def _check_file(name: str, listing: Mapping[str, int]) -> None:
    if name not in listing:
        raise Rejected(Reason.UNREADABLE_FILE, f"no file {name!r} beside those of the others")


def _volume(images: Sequence[ImageInfo]) -> Volume:
    return Volume(
        images=len(images),
        regions=_REGIONS_PER_IMAGE * len(images),  # an exact number would need every file
        categories=0,
        picture_bytes=sum(image.size_bytes for image in images),
    )
