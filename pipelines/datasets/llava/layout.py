"""The parser of LLaVA's records, for the instruction data and the pretraining captions.

The flow:
1. cut the file into undecoded records, and group the records by picture;
2. check each picture against the listing; keep the number to read, chosen by hash;
3. per picture, decode its records to dialogues and look up its regions.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejections,
)
from pipelines.datasets.common.packed import Opened, Opening
from pipelines.datasets.common.paths import check_file_name
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.llava import records as llava_json
from pipelines.datasets.llava.boxes import Boxes
from pipelines.datasets.llava.pictured import Pictured, read_pictured
from pipelines.datasets.llava.records import Group
from pipelines.datasets.spec import Outline
from schemas.errors import InputFileError
from schemas.item import Dialogue
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import ImageInfo
from schemas.source import (
    Count,
    Repaired,
    SplitFacts,
    SplitInput,
    Store,
    Volume,
)

LLAVA_PAPER = (
    "Haotian Liu, Chunyuan Li, Qingyang Wu, Yong Jae Lee. Visual Instruction Tuning. NeurIPS 2023."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of a file, by picture."""

    number: int
    size: int  # bytes of the file
    groups: dict[str, Group]  # by image id
    refused: list[Refused]  # records without an id or a picture's name


def read_records(split: SplitInput, store: Store, path_of: Callable[[str], str]) -> Records:
    """Return a file's records by picture.

    Args:
        split: the split, with the path of the file under the split's name.
        store: the store to read the file from.
        path_of: returns the path of a picture below the split's folder, which is also the id, from
            the owner's name of the picture.
    """
    path = split.file
    content = read_text(store, path)
    items = llava_json.decode_records(content, path)
    groups: dict[str, Group] = {}
    refused: list[Refused] = []
    for raw, link in llava_json.links(items):
        if isinstance(link, tuple):
            refused.append(link)
            continue
        text_only = link.picture is None
        name = llava_json.id_of(raw) if link.picture is None else link.picture
        image_id = name if text_only else path_of(name)
        group = groups.get(image_id)
        if group is None:
            group = groups[image_id] = Group(name, text_only)
        group.add(raw, text_only=text_only)
    return Records(number=len(items), size=len(content), groups=groups, refused=refused)


def _no_others(path: str) -> Sequence[str]:
    """Return no other paths of a picture: it has the one that its owner names."""
    del path
    return ()


def outline_records(
    split: SplitInput,
    store: Store,
    path_of: Callable[[str], str],
    others: Callable[[str], Sequence[str]] = _no_others,
) -> Outline:
    """Return the outline of a file, which has a record for each of its items.

    Args:
        split: the split, with the path of the file under the split's name.
        store: the store to read the file from.
        path_of: as in `read_records`.
        others: as in `open_records`.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    path = split.file

    def names_of(item: Raw) -> Sequence[str]:
        name = llava_json.picture_of(item)
        if name is None:
            return ()
        path = path_of(name)
        return (path, *others(path))

    return Outline(items=llava_json.decode_records(read_text(store, path), path), names_of=names_of)


def list_folders(store: Store, root: str, paths: Collection[str]) -> dict[str, int]:
    """Return the sizes in bytes of all files in the folders of some paths, by path below a root."""
    sizes: dict[str, int] = {}
    for folder in sorted({path.rpartition("/")[0] for path in paths}):
        try:
            files = store.sizes(f"{root}/{check_file_name(folder)}")
        except (InputFileError, Rejected):
            continue  # the pictures of a missing folder are missing
        sizes.update((f"{folder}/{name}", size) for name, size in files.items())
    return sizes


def open_records(
    split: SplitInput,
    records: Records,
    listing: Mapping[str, int],
    boxes: Boxes,
    read: Callable[[Raw], Dialogue] = llava_json.dialogue_of,
    others: Callable[[str], Sequence[str]] = _no_others,
) -> Opening[Pictured]:
    """Yield the entries of a file that are of no picture that is read; return those.

    Args:
        split: the split.
        records: the records of the file.
        listing: the sizes in bytes of the files below the split's folder of pictures.
        boxes: the boxes of the file's pictures.
        read: returns the dialogue of a record, or raises `Rejected`; a function of a module.
        others: returns the other paths that a picture may have, from its usual path.
    """
    groups = records.groups
    files = {path: _file_of(path, others(path), listing) for path in groups}
    usable, refused = _usable_images(split, groups, files, listing, boxes)
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume(usable, chosen, groups, boxes))
    yield Count(Kind.DIALOGUE, "read", records.number)
    yield Count(Kind.IMAGE, "read", len(groups))
    yield SplitFacts(split.source, split.split, shards)
    yield from rejections(split, Kind.DIALOGUE, records.refused)
    yield from boxes.grouped.refused_entries(split)
    yield from rejections(split, Kind.IMAGE, refused.items())
    matched = sum(usable[path].file_name not in (path, None) for path in chosen)
    yield Repaired(Kind.IMAGE, Repair.IMAGE_NAME_MATCHED, matched)
    yield Count(Kind.DIALOGUE, "with_image", sum(groups[path].number for path in refused))
    left_out = usable.keys() - chosen
    yield Count(Kind.IMAGE, "sampled_out", len(left_out))
    yield Count(Kind.DIALOGUE, "sampled_out", sum(groups[path].number for path in left_out))

    def pictured(image_id: str) -> Pictured:
        image = replace(usable[image_id], shards=shards)
        raws = groups[image_id].raws
        return Pictured(image, list(map(bytes, raws)), list(map(bytes, boxes.of(image_id))))

    taken = [image_id for image_id in usable if image_id in chosen]
    return Opened(
        image_ids=taken,
        kind=Pictured,
        picture_of=pictured,
        read=partial(read_pictured, find=boxes.find, read=read),
        size=records.size,
    )


def _file_of(path: str, others: Sequence[str], listing: Mapping[str, int]) -> str:
    """Return the path of a picture's file: the usual one, or another one that is there."""
    return next((name for name in (path, *others) if name in listing), path)


def _usable_images(
    split: SplitInput,
    groups: Mapping[str, Group],
    files: Mapping[str, str],
    listing: Mapping[str, int],
    boxes: Boxes,
) -> tuple[dict[str, ImageInfo], dict[str, Rejected]]:
    usable: dict[str, ImageInfo] = {}
    refused: dict[str, Rejected] = {}
    for image_id, group in groups.items():
        try:
            if group.mixed:
                detail = f"{image_id!r} names a picture and is the id of a record without one"
                raise Rejected(Reason.DUPLICATE_ID, detail)
            if group.text_only:
                usable[image_id] = _without_picture(split, image_id)
                continue
            check_file_name(group.name)
            size = boxes.size(image_id)
            usable[image_id] = image_info(
                split, image_id, files[image_id], size, listing, split.licence
            )
        except Rejected as cause:
            refused[image_id] = cause
    return usable, refused


def _without_picture(split: SplitInput, image_id: str) -> ImageInfo:
    return ImageInfo(
        source=split.source,
        split=split.split,
        image_id=image_id,
        file_name=None,
        folder="",
        width=None,
        height=None,
        size_bytes=0,
        licence=split.licence,
        shards=1,  # until the split's volume is known
    )


def _volume(
    usable: Mapping[str, ImageInfo],
    chosen: Collection[str],
    groups: Mapping[str, Group],
    boxes: Boxes,
) -> Volume:
    """Return the volume of the chosen images.

    Every dialogue becomes a record with its picture, and takes as many bytes as a region.
    """
    dialogues = sum(groups[image_id].number for image_id in chosen)
    regions = dialogues + sum(boxes.count(image_id) for image_id in chosen)
    return Volume(
        images=dialogues,
        regions=regions,
        categories=regions,  # a cap per category does not apply to dialogues
        picture_bytes=sum(
            usable[image_id].size_bytes * groups[image_id].number for image_id in chosen
        ),
    )
