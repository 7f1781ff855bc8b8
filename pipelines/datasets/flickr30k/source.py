"""Flickr30k Entities in its owners' files: sentences whose phrases refer to boxes in the picture.

    train.txt, val.txt, test.txt      one id of a picture a line
    Annotations/<id>.xml              its boxes, see `boxes`
    Sentences/<id>.txt                its five sentences, see `sentences`

The pictures, `<id>.jpg`, are a separate download. Ids of chains are not unique over pictures,
so phrases and boxes are joined within one picture. Every `object` counts as an annotation; objects
without a box are rejected as `no_regions`. A picture in several lists belongs to a held-out
list: test before val before train. Files of pictures that `--limit` leaves out are not opened.
Format: https://github.com/BryanPlummer/flickr30k_entities
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import Refused, image_info, limited, rejection, rejections
from pipelines.datasets.common.picture_names import flickr_name
from pipelines.datasets.flickr30k.boxes import NO_ANNOTATION, checked_size, parse_annotation
from pipelines.datasets.flickr30k.sentences import parse_sentences
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.errors import InputFileError
from schemas.item import GroundedCaption
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume
from schemas.style import Style

_LICENCE = "Flickr terms; non-commercial research and education only"
_PAPERS = (
    "Bryan A. Plummer, Liwei Wang, Chris M. Cervantes, Juan C. Caicedo, Julia Hockenmaier, "
    "Svetlana Lazebnik. Flickr30k Entities: Collecting Region-to-Phrase Correspondences for Richer "
    "Image-to-Sentence Models. ICCV 2015.",
    "Peter Young, Alice Lai, Micah Hodosh, Julia Hockenmaier. From Image Descriptions to Visual "
    "Denotations: New Similarity Metrics for Semantic Inference over Event Descriptions. "
    "Transactions of the ACL, 2014.",
)
_FOLDER = "flickr30k_entities/flickr30k-images"
_REGIONS_PER_IMAGE = 9  # approximately, in all 31,783 pictures

_HELD_OUT_FIRST = ("test", "val", "train")
_IMAGE_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")


class _Listing(msgspec.Struct, frozen=True):
    """The sizes in bytes of the files in three folders."""

    pictures: Mapping[str, int]
    annotations: Mapping[str, int]
    sentences: Mapping[str, int]


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles are `<split>`, annotations, sentences, images."""
    below = f"{root}/flickr30k_entities"
    paths = request.paths
    lists = {split: paths.get(split, f"{below}/{split}.txt") for split in _HELD_OUT_FIRST}
    return [
        Located(
            split=split,
            files={
                split: lists[split],
                "annotations": paths.get("annotations", f"{below}/Annotations"),
                "sentences": paths.get("sentences", f"{below}/Sentences"),
            },
            optional={other: lists[other] for other in _held_out_from(split)},
            pictures=paths.get("images", f"{root}/{_FOLDER}"),
            folder="" if "images" in paths else _FOLDER,
            licence=_LICENCE,
        )
        for split in SPEC.splits
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of Flickr30k Entities.

    Raises:
        InputFileError: a list cannot be used.
    """
    image_ids, refused = _listed(split, store)
    listing = _Listing(
        store.sizes(split.pictures),
        store.sizes(split.files["annotations"]),
        store.sizes(split.files["sentences"]),
    )
    pictures = {image_id: _find(split, image_id, listing) for image_id in image_ids}
    usable = {key: image for key, image in pictures.items() if isinstance(image, ImageInfo)}
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume([usable[image_id] for image_id in chosen]))
    if split.leads:
        yield SplitFacts(split.source, split.split, shards)
        yield Count(Kind.IMAGE, "read", len(image_ids) + len(refused))
        yield from rejections(split, Kind.IMAGE, refused)
    for image_id in filter(split.owns, image_ids):
        if image_id in chosen:
            image = replace(usable[image_id], shards=shards)
            yield from _image(split, store, image, listing, image_id)
        elif image_id in usable:
            yield Count(Kind.IMAGE, "sampled_out", 1)
        else:
            yield from _image(split, store, pictures[image_id], listing, image_id)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of Flickr30k Entities.

    Raises:
        InputFileError: a list cannot be used.
    """
    image_ids, _ = _listed(split, store)
    return Outline(items=image_ids, names_of=lambda image_id: (f"{image_id}.jpg",))


def _volume(images: Sequence[ImageInfo]) -> Volume:
    return Volume(
        images=len(images),
        regions=_REGIONS_PER_IMAGE * len(images),  # an exact number would need every file
        categories=0,
        picture_bytes=sum(image.size_bytes for image in images),
    )


def _held_out_from(split: str) -> tuple[str, ...]:
    """Return the splits that take precedence over a split for pictures that several lists name."""
    return _HELD_OUT_FIRST[: _HELD_OUT_FIRST.index(split)]


def _listed(split: SplitInput, store: Store) -> tuple[list[str], list[Refused]]:
    """Return the ids of a split's pictures in order, and the refused lines of its list."""
    taken: dict[str, str] = {}  # id to the name of its list
    for other in _held_out_from(split.split):
        if path := split.files.get(other):
            taken.update(dict.fromkeys(read_list(store, path), f"{other}.txt"))
    name = f"{split.split}.txt"
    image_ids, refused = [], []
    for line in read_list(store, split.file):
        if not _IMAGE_ID.fullmatch(line):
            detail = f"a line of {name} is {line[:200]!r}, expected the id of a picture"
            refused.append((line[:200], Rejected(Reason.IMAGE_UNSAFE_PATH, detail)))
        elif line in taken:
            detail = f"{line} stands in {taken[line]} already, expected it in one list, once"
            refused.append((line, Rejected(Reason.DUPLICATE_ID, detail)))
        else:
            taken[line] = name
            image_ids.append(line)
    return sorted(image_ids), refused


def read_list(store: Store, path: str) -> list[str]:
    """Return the ids of the pictures in a list.

    Raises:
        InputFileError: the list cannot be read, or is empty.
    """
    try:
        text = store.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_list(path, f"is not text: {error}") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise _no_list(path, "is empty")
    return lines


def _no_list(path: str, problem: str) -> InputFileError:
    return InputFileError(
        f"{path} {problem}. Expected the ids of a split's pictures, one a line. "
        f"Get it from {SPEC.obtain}."
    )


def _find(split: SplitInput, image_id: str, listing: _Listing) -> ImageInfo | Rejected:
    """Return an image without a size, or the reason why the image's files cannot be used."""
    try:
        return _info(split, image_id, None, listing)
    except Rejected as cause:
        return cause


def _info(
    split: SplitInput, image_id: str, size: tuple[int, int] | None, listing: _Listing
) -> ImageInfo:
    image = image_info(split, image_id, f"{image_id}.jpg", size, listing.pictures, split.licence)
    for name, names in (
        (f"{image_id}.xml", listing.annotations),
        (f"{image_id}.txt", listing.sentences),
    ):
        if name not in names:
            raise Rejected(Reason.UNREADABLE_FILE, f"no file {name!r} beside those of the others")
    return image


def _image(
    split: SplitInput, store: Store, image: ImageInfo | Rejected, listing: _Listing, image_id: str
) -> Iterator[Entry]:
    """Yield an image with regions and sentences; or its rejection, and counts of what it has."""
    annotation = NO_ANNOTATION
    try:
        if f"{image_id}.xml" in listing.annotations:
            content = store.read(f"{split.files['annotations']}/{image_id}.xml")
            annotation = parse_annotation(content, image_id)
        if isinstance(image, ImageInfo):
            size = checked_size(annotation, image_id)
            image = replace(_info(split, image_id, size, listing), shards=image.shards)
    except Rejected as cause:
        image = image if isinstance(image, Rejected) else cause
    captions: list[GroundedCaption] = []
    refused: list[Refused] = []
    if f"{image_id}.txt" in listing.sentences:
        content = store.read(f"{split.files['sentences']}/{image_id}.txt")
        captions, refused = parse_sentences(content, image_id, annotation.chains)
    yield Count(Kind.ANNOTATION, "read", len(annotation.regions) + len(annotation.refused))
    yield Count(Kind.SENTENCE, "read", len(captions) + len(refused))
    yield from rejections(split, Kind.ANNOTATION, annotation.refused)
    yield from rejections(split, Kind.SENTENCE, refused)
    if isinstance(image, ImageInfo):
        yield SourceImage(image, annotation.regions, tuple(captions))
        return
    yield rejection(split, Kind.IMAGE, image_id, image)
    yield Count(Kind.ANNOTATION, "with_image", len(annotation.regions))
    yield Count(Kind.SENTENCE, "with_image", len(captions))


def _picture_name(image: ImageInfo) -> str:
    return flickr_name(image.image_id)


SPEC = DatasetSpec(
    name="flickr30k",
    title="Flickr30k Entities",
    licence=_LICENCE,
    obtain=(
        "https://github.com/BryanPlummer/flickr30k_entities (annotations.zip and the three lists); "
        "the pictures from https://shannon.cs.illinois.edu/DenotationGraph/"
    ),
    splits=("train", "val", "test"),
    tasks=dict.fromkeys(Style, (Task.MULTI_REGION_CAPTION,)),
    boxes_per_image={Style.GPT4ROI: 150},
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=_picture_name,
    picture_owners=("flickr",),
    papers=_PAPERS,
    task_definition=None,
)
