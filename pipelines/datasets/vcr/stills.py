"""The film stills of a split of VCR: opened from the file of questions, read with their metadata.

A still is what a question is about. Its metadata, a small file of its own, is opened only by the
worker that reads the still.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco.categories import COCO_NAMES
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejection,
    rejections,
    sized_image,
)
from pipelines.datasets.common.packed import Opened, Opening
from pipelines.datasets.common.paths import check_file_name
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.vcr.metadata import Metadata, read_metadata, regions
from pipelines.datasets.vcr.questions import Asked, Files, Picture, QuestionFile, read_question
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume


class Still(msgspec.Struct, frozen=True, gc=False):
    """A picture with its questions, undecoded."""

    image: ImageInfo  # still without a size
    files: Files
    objects: int
    questions: list[Asked]


def open_stills(split: SplitInput, store: Store) -> Opening[Still]:
    """Yield the entries of a split that are of no still that is read; return those.

    Raises:
        InputFileError: the file of questions cannot be used.
    """
    content = read_text(store, split.file)
    file = QuestionFile(content, split.file)
    usable, refused = _usable(split, store, file.pictures)
    chosen = limited(split, usable)
    shards = _shards(split, file.pictures, {img_id: usable[img_id] for img_id in chosen})
    yield SplitFacts(split.source, split.split, shards)
    yield Count(Kind.QUESTION, "read", len(file.malformed))
    yield from rejections(split, Kind.QUESTION, file.malformed)
    yield from _repeats(split, file)
    yield from _totals(file.pictures)
    for img_id, cause in refused.items():
        picture = file.pictures[img_id]
        yield from _without_image(split, img_id, picture.first.objects, len(picture.lines), cause)
    yield from _sampled_out([file.pictures[img_id] for img_id in usable.keys() - chosen])

    def still_of(img_id: str) -> Still:
        picture = file.pictures[img_id]
        first, image = picture.first, replace(usable[img_id], shards=shards)
        return Still(image, first.files, first.objects, file.asked(picture))

    img_ids = [img_id for img_id in usable if img_id in chosen]
    return Opened(
        image_ids=img_ids, kind=Still, picture_of=still_of, read=read_still, size=len(content)
    )


def read_still(split: SplitInput, store: Store, still: Still) -> Iterator[Entry]:
    """Yield the entries of a still.

    Raises:
        InputFileError: its metadata cannot be read.
    """
    name = still.files[1]
    try:
        metadata = _metadata(split, store, name)
        image = sized_image(split, still.image, (metadata.width, metadata.height))
    except Rejected as cause:
        img_id, number = still.image.image_id, len(still.questions)
        yield from _without_image(split, img_id, still.objects, number, cause)
        return
    objects, refused_regions = regions(metadata)
    questions = []
    refused: list[Refused] = []
    read = partial(
        read_question,
        files=still.files,
        categories=metadata.names,
        evaluation=split.evaluation,
    )
    for asked in still.questions:
        try:
            questions.append(read(asked))
        except Rejected as cause:
            refused.append((asked.annot_id, cause))
    yield Count(Kind.ANNOTATION, "read", len(metadata.names))
    yield from rejections(split, Kind.ANNOTATION, refused_regions)
    yield from rejections(split, Kind.QUESTION, refused)
    yield SourceImage(image, tuple(objects), tuple(questions))


def _usable(
    split: SplitInput, store: Store, pictures: Mapping[str, Picture]
) -> tuple[dict[str, ImageInfo], dict[str, Rejected]]:
    """Return the images whose files exist, still without a size, and the refused images."""
    listing = store.sizes(split.pictures)
    metadata = split.files["metadata"]
    described = listing if metadata == split.pictures else store.sizes(metadata)
    usable: dict[str, ImageInfo] = {}
    refused: dict[str, Rejected] = {}
    for img_id, picture in pictures.items():
        img_fn, metadata_fn = picture.first.files
        try:
            image = image_info(split, img_id, img_fn, None, listing, split.licence)
            _check_metadata(metadata_fn, described)
            usable[img_id] = image
        except Rejected as cause:
            refused[img_id] = cause
    return usable, refused


def _repeats(split: SplitInput, file: QuestionFile) -> Iterator[Entry]:
    yield Count(Kind.QUESTION, "read", len(file.repeats))
    for line in file.repeats:
        cause = Rejected(Reason.DUPLICATE_ID, f"several lines have the annot_id {line.annot_id}")
        yield rejection(split, Kind.QUESTION, line.annot_id, cause)


def _totals(pictures: Mapping[str, Picture]) -> Iterator[Entry]:
    yield Count(Kind.IMAGE, "read", len(pictures))
    yield Count(Kind.QUESTION, "read", _questions(pictures.values()))


def _questions(pictures: Collection[Picture]) -> int:
    return sum(len(picture.lines) for picture in pictures)


def _without_image(
    split: SplitInput, img_id: str, objects: int, questions: int, cause: Rejected
) -> Iterator[Entry]:
    yield rejection(split, Kind.IMAGE, img_id, cause)
    yield Count(Kind.ANNOTATION, "read", objects)
    yield Count(Kind.ANNOTATION, "with_image", objects)
    yield Count(Kind.QUESTION, "with_image", questions)


def _sampled_out(pictures: Collection[Picture]) -> Iterator[Entry]:
    objects = sum(picture.first.objects for picture in pictures)
    yield Count(Kind.IMAGE, "sampled_out", len(pictures))
    yield Count(Kind.QUESTION, "sampled_out", _questions(pictures))
    yield Count(Kind.ANNOTATION, "read", objects)
    yield Count(Kind.ANNOTATION, "sampled_out", objects)


def _metadata(split: SplitInput, store: Store, metadata_fn: str) -> Metadata:
    name = check_file_name(metadata_fn)
    return read_metadata(store.read(f"{split.files['metadata']}/{name}"), name)


def _check_metadata(metadata_fn: str, listing: Mapping[str, int]) -> None:
    if check_file_name(metadata_fn) not in listing:
        raise Rejected(Reason.UNREADABLE_FILE, f"no file {metadata_fn!r} among the metadata")


def _shards(
    split: SplitInput, pictures: Mapping[str, Picture], chosen: Mapping[str, ImageInfo]
) -> int:
    """Return the number of shards of a split; a question makes a record, in an evaluation two."""
    each = 2 if split.evaluation else 1
    records = {img_id: each * len(pictures[img_id].lines) for img_id in chosen}
    volume = Volume(
        images=sum(records.values()),
        regions=sum(pictures[img_id].first.objects * count for img_id, count in records.items()),
        categories=len(COCO_NAMES),
        picture_bytes=sum(chosen[img_id].size_bytes * count for img_id, count in records.items()),
    )
    return replace(split.sizing, record_per_region=False).shards(volume)
