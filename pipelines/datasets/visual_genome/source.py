"""Visual Genome in its owners' files: regions with phrases, and objects in relationships.

    image_data.json             sizes, and urls that end with the pictures' folder and name
    region_descriptions.json    boxes with a phrase each
    relationships.json          subjects, predicates and objects, with boxes and names; optional
    attributes.json             objects with boxes and attributes; for the task region_attribute
    predicate_alias.txt         predicates that mean the same; optional
    test_ids.txt                the images to test on; optional
    VG_100K/  VG_100K_2/        the pictures, some in the other folder than in the url; or all
                                in images/, or in the folder that is given

Versions 1.0, 1.2 and 1.4 are read, see `records`; 1.2 is the best. In 1.4 the owner has merged
objects that overlap, and of 158 relationships that we compared, 29 have another name there:
"calendar on wall" has become "computer on wall", "railing on balcony" is "railing on railing".

The files objects and scene graphs add nothing that a task uses and are not read, nor
are aliases of names: objects are distinguished by ids, boxes and names, as annotators wrote them.

The split train has all images. The split test (`test_split`), for evaluation, is read only where it
is named: its images with their phrases, and nothing of other images.
Format: https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    image_rejections,
    limited,
    rejection,
    rejections,
)
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.picture_names import visual_genome_name
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from pipelines.datasets.visual_genome import records as vg_json
from pipelines.datasets.visual_genome.aliases import Aliases, parse_aliases
from pipelines.datasets.visual_genome.attributes import ATTRIBUTES, FILE, add_attributes
from pipelines.datasets.visual_genome.image import ImageAnnotations, add_regions, add_relationships
from pipelines.datasets.visual_genome.pictures import (
    FOLDERS,
    file_name,
    file_names,
    list_pictures,
)
from pipelines.datasets.visual_genome.records import RecordKind, Records
from pipelines.datasets.visual_genome.test_split import TEST_IDS, TEST_LIST, test_ids
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume
from schemas.style import Style

_LICENCE = "CC BY 4.0"
_PAPERS = (
    "Ranjay Krishna, Yuke Zhu, Oliver Groth, Justin Johnson, Kenji Hata, Joshua Kravitz, Stephanie "
    "Chen, Yannis Kalantidis, Li-Jia Li, David A. Shamma, Michael S. Bernstein, Li Fei-Fei. Visual "
    "Genome: Connecting Language and Vision Using Crowdsourced Dense Image Annotations. "
    "International Journal of Computer Vision, 2017.",
)
_ATTRIBUTES = FILE.removesuffix(".json")  # the file's role
REQUIRED = ("image_data.json", "region_descriptions.json")
_OPTIONAL = {
    "train": ("relationships.json", "predicate_alias.txt"),
    "test": (TEST_LIST,),
}


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `images`, and the files' names without suffix."""

    def paths(names: Sequence[str]) -> dict[str, str]:
        roles = {name.partition(".")[0]: name for name in names}
        usual = {role: f"{root}/visual_genome/{name}" for role, name in roles.items()}
        return {role: request.paths.get(role, path) for role, path in usual.items()}

    splits = tuple(_OPTIONAL) if request.splits else SPEC.splits
    asked = (FILE,) if Task.REGION_ATTRIBUTE in (request.tasks or ()) else ()
    needed = (*REQUIRED, TEST_LIST) if TEST_IDS in request.paths else REQUIRED
    # A given list may be meant for the guard of the training split.
    named = {TEST_IDS: request.paths[TEST_IDS]} if TEST_IDS in request.paths else {}
    return [
        Located(
            split=split,
            files=paths(needed if split == "test" else (*REQUIRED, *asked)),
            optional=paths(_OPTIONAL[split]) | named,
            pictures=request.paths.get("images", f"{root}/visual_genome"),
            folder="" if "images" in request.paths else "visual_genome",
            licence=_LICENCE,
            picture_folders=() if "images" in request.paths else FOLDERS,
        )
        for split in splits
    ]


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of Visual Genome.

    Raises:
        InputFileError: the file about the images as a whole cannot be used.
    """
    items = _image_items(split, store)
    if split.split != "test":
        return Outline(items=items, names_of=_names_of)
    declared, _ = vg_json.index_items(items, vg_json.IMAGE, "image_data")
    members = _members(split, store, declared) or ()
    urls = [declared[image_id].url for image_id in members if image_id in declared]
    return Outline(items=urls, names_of=file_names)


def _image_items(split: SplitInput, store: Store) -> list[Raw]:
    path = split.files["image_data"]
    return vg_json.decode_list(read_text(store, path), path)


def _names_of(item: Raw) -> Sequence[str]:
    try:
        return file_names(decode_json(vg_json.IMAGE, item).url)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Images:
    """The usable images of a split, the chosen images, and the ids of unusable images as text."""

    usable: Mapping[ItemId, ImageInfo]
    chosen: Collection[ItemId]
    refused: Collection[str]
    picture_bytes: int  # the pictures of the chosen images
    members: Collection[ItemId] | None  # the split's images, with or without a picture; None: all


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of Visual Genome.

    Raises:
        InputFileError: a file as a whole cannot be used.
    """
    images, entries = _images(split, store)
    unwanted = images.usable.keys() - images.chosen
    regions = _records(
        split, store, "region_descriptions", vg_json.REGIONS, unwanted, images.members
    )
    related = _records(
        split, store, "relationships", vg_json.RELATIONSHIPS, unwanted, images.members
    )
    described = _records(split, store, _ATTRIBUTES, ATTRIBUTES, unwanted, images.members)
    aliases = _aliases(split, store)
    yield from entries  # only now: where a file cannot be used, nothing is counted
    items = regions.read + related.read + described.read
    shards = split.sizing.shards(_volume(images, items))
    if split.leads:
        yield SplitFacts(split.source, split.split, shards)
    for image_id in filter(lambda image_id: split.owns(str(image_id)), images.chosen):
        annotations = ImageAnnotations()
        add_regions(annotations, image_id, regions.take(image_id))
        add_relationships(annotations, image_id, related.take(image_id), aliases)
        add_attributes(annotations, image_id, described.take(image_id))
        yield Count(Kind.ANNOTATION, "read", annotations.objects)
        for kind, refusal in annotations.refused:
            yield rejection(split, kind, *refusal)
        image = replace(images.usable[image_id], shards=shards)
        yield SourceImage(image, tuple(annotations.regions), tuple(annotations.items))
    yield from _balance(split, regions, images.refused)
    yield from _balance(split, related, images.refused)
    if _ATTRIBUTES in split.files:
        yield from _balance(split, described, images.refused)


def _images(split: SplitInput, store: Store) -> tuple[_Images, list[Entry]]:
    """Return the images of a split, and the entries about those that are not read."""
    items = _image_items(split, store)
    declared, refused = vg_json.index_items(items, vg_json.IMAGE, "image_data")
    number, members = len(items), _members(split, store, declared)
    if members is not None:
        names = {str(image_id) for image_id in members}
        declared = {image_id: image for image_id, image in declared.items() if image_id in members}
        refused = [refusal for refusal in refused if refusal[0] in names]
        number = len(declared) + len(refused)
    listing = list_pictures(split, store)
    usable: dict[ItemId, ImageInfo] = {}
    for image_id, image in declared.items():
        name, size = file_name(image.url, listing), (image.width, image.height)
        try:
            usable[image_id] = image_info(split, str(image_id), name, size, listing, split.licence)
        except Rejected as cause:
            refused.append((str(image_id), cause))
    chosen = limited(split, usable)
    entries: list[Entry] = []
    if split.leads:
        entries.append(Count(Kind.IMAGE, "read", number))
        entries.append(Count(Kind.IMAGE, "sampled_out", len(usable) - len(chosen)))
    entries += image_rejections(split, refused)
    images = _Images(
        usable=usable,
        chosen=sorted(chosen, key=str),
        refused=dict(refused).keys(),
        picture_bytes=sum(usable[image_id].size_bytes for image_id in chosen),
        members=members,
    )
    return images, entries


def _members(
    split: SplitInput, store: Store, image_ids: Collection[ItemId]
) -> Collection[ItemId] | None:
    """Return the images of the test split; None for the training split, which has all images."""
    if split.split != "test":
        return None
    path = split.files.get(TEST_IDS, "")
    return test_ids(image_ids, read_text(store, path) if path else None, path)


def _records(
    split: SplitInput,
    store: Store,
    role: str,
    kind: RecordKind,
    unwanted: Collection[ItemId],
    members: Collection[ItemId] | None,
) -> Records:
    if role not in split.files:
        return Records(kind)
    path = split.files[role]
    return vg_json.read_records(read_text(store, path), path, kind, split, unwanted, members)


def _aliases(split: SplitInput, store: Store) -> Aliases:
    path = split.files.get("predicate_alias", "")
    return parse_aliases(read_text(store, path), path) if path else Aliases()


def _volume(images: _Images, items: int) -> Volume:
    """Return the volume of a split, with approximately one new region for each item."""
    taken = len(images.chosen)
    return Volume(
        images=taken,
        regions=items * taken // max(1, len(images.usable)),
        categories=0,
        picture_bytes=images.picture_bytes,
    )


def _balance(split: SplitInput, records: Records, refused: Collection[str]) -> Iterator[Entry]:
    """Yield the number of all items, and counts and rejections of items without a chosen image."""
    rejected = [image_id for image_id in records.items if str(image_id) in refused]
    with_image = sum(len(records.take(image_id)) for image_id in rejected)
    lost = list(_without_image(records))
    for kind in records.kind.counted:
        if split.leads:
            yield Count(kind, "read", records.read)
            yield from rejections(split, kind, records.refused)
        yield Count(kind, "sampled_out", records.left_out)
        yield Count(kind, "with_image", with_image)
        yield from rejections(split, kind, lost)


def _without_image(records: Records) -> Iterator[Refused]:
    for image_id in list(records.items):
        cause = Rejected(Reason.UNKNOWN_IMAGE, f"image {image_id} is not among the images")
        for name in records.kind.names(records.take(image_id), f"image {image_id}"):
            yield name, cause


def _picture_name(image: ImageInfo) -> str:
    return visual_genome_name(image.image_id)


SPEC = DatasetSpec(
    name="visual_genome",
    title="Visual Genome",
    licence=_LICENCE,
    obtain=(
        "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html: image meta data, region "
        "descriptions and relationships of version 1.2, and both parts of the images"
    ),
    splits=("train",),
    tasks={
        Style.REGIONGPT: (Task.REGION_CAPTION, Task.REGION_RELATIONSHIP),
        Style.GPT4ROI: (Task.REGION_CAPTION,),
    },
    boxes_per_image={Style.REGIONGPT: 10, Style.GPT4ROI: 15},
    evaluations=(Task.REGION_CAPTION,),
    questions=(Task.REGION_ATTRIBUTE,),
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=_picture_name,
    picture_owners=("visual_genome",),
    papers=_PAPERS,
    task_definition=None,
    version=2,
)
