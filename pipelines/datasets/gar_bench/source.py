"""GAR-Bench: questions about regions, and pairs of regions to describe; for evaluation only.

    gar_bench/GAR-Bench-VQA.json               split vqa: questions with lettered options
    gar_bench/GAR-Bench-Caption-Simple.json    split simple: questions with an answer
    gar_bench/GAR-Bench-Caption-Detailed.json  split detailed: a region's relation to another one
    gar_bench/images/vqa_0.png                 a picture per record; JPEG bytes, despite the names

    [{"image": "images/vqa_0.png", "image_path": "/x/000000000139.jpg",
      "mask_rles": [{"size": [48, 64], "counts": "Z<:V10000..."}],
      "question": "What colour is <Prompt0>?", "choices": ["A. Red.", "B. Green."],
      "answer": "B", "type": "color"}]
    [{"image": "images/caption_simple_0.png", "mask_rles": [2 of them],
      "question": "Where is <Prompt0> relative to <Prompt1>?",
      "answer": "<Prompt0> is on <Prompt1>."}]
    [{"image": "images/caption_detailed_0.png", "mask_rles": [2 of them],
      "subject_name": "cup", "predicate_name": "on", "object_name": "table"}]

`<Prompt0>` is the region of the first mask, and `<region1>` of the record; a region has no box, so
it gets its mask's. A record's id is the name of its picture: `vqa_0`. Questions of vqa are grouped
by `type`, the others by their split. `detailed` does not say which pictures it has; as those of
`simple`, they are of COCO's val2017.
Format: https://github.com/Haochen-Wang409/Grasp-Any-Region
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco.pictures import COCO_PAPER
from pipelines.datasets.common.entries import (
    Refused,
    image_info,
    limited,
    rejection,
    rejections,
)
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.gar_bench.records import DETAILED, SIMPLE, VQA, Record, read_records
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.item import Item
from schemas.mask import Mask, parse_segmentation
from schemas.rejection import Kind, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import (
    Count,
    Entry,
    SourceImage,
    SourceRegion,
    SplitFacts,
    SplitInput,
    Store,
    Volume,
)

_LICENCE = "Apache-2.0; images: their owners' terms"
_PAPERS = (
    "Haochen Wang, Yuhao Wang, Tao Zhang, Yikang Zhou, Yanwei Li, Jiacong Wang, Ye Tian, "
    "Jiahao Meng, Zilong Huang, Guangcan Mai, Anran Wang, Yunhai Tong, Zhuochen Wang, Xiangtai Li, "
    "Zhaoxiang Zhang. Grasp Any Region: Towards Precise, Contextual Pixel Understanding for "
    "Multimodal LLMs. ICLR 2026.",
    COCO_PAPER,
)
_FOLDER = "gar_bench/images"
_FILES = {VQA: "VQA", SIMPLE: "Caption-Simple", DETAILED: "Caption-Detailed"}
_KINDS = {VQA: Kind.QUESTION, SIMPLE: Kind.QUESTION, DETAILED: Kind.RELATIONSHIP}

Records = Mapping[str, tuple[Record, Item]]


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `images`, and each split's name for its file."""
    paths = request.paths
    return [
        Located(
            split=split,
            files={split: paths.get(split, f"{root}/gar_bench/GAR-Bench-{name}.json")},
            pictures=paths.get("images", f"{root}/{_FOLDER}"),
            folder="" if "images" in paths else _FOLDER,
            licence=_LICENCE,
        )
        for split, name in _FILES.items()
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of GAR-Bench.

    Raises:
        InputFileError: the file cannot be used, or the pictures cannot be listed.
    """
    kind = _KINDS[split.split]
    records, refused = read_records(read_text(store, split.file), split.file, split.split)
    usable, unusable = _images(split, store.sizes(split.pictures), records)
    chosen = limited(split, usable)
    shards = split.sizing.shards(_volume(usable, chosen))
    yield SplitFacts(split.source, split.split, shards)
    yield Count(kind, "read", len(records) + len(refused))
    yield Count(Kind.IMAGE, "read", len(records))
    masks = sum(len(record.mask_rles) for record, _ in records.values())
    yield Count(Kind.ANNOTATION, "read", masks)
    yield from rejections(split, kind, refused)
    yield from rejections(split, Kind.IMAGE, unusable)
    for name, (record, item) in records.items():
        if name in chosen:
            regions: list[SourceRegion] = []
            for region in _regions(split, record):
                if isinstance(region, SourceRegion):
                    regions.append(region)
                else:
                    yield region
            image = replace(usable[name], shards=shards)
            yield SourceImage(image, tuple(regions), (item,))
        else:
            yield from _left_out(record, kind, sampled_out=name in usable)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of GAR-Bench, whose records have a picture each.

    Raises:
        InputFileError: the file cannot be used.
    """
    records, _ = read_records(read_text(store, split.file), split.file, split.split)
    items = [record for record, _ in records.values()]
    return Outline(items=items, names_of=lambda record: (record.file_name,))


def _left_out(record: Record, kind: Kind, *, sampled_out: bool) -> Iterator[Entry]:
    """Yield the counts of a record whose image is sampled out, or else unusable."""
    if sampled_out:
        yield Count(Kind.IMAGE, "sampled_out", 1)
    for of_record, number in ((kind, 1), (Kind.ANNOTATION, len(record.mask_rles))):
        yield Count(of_record, "sampled_out" if sampled_out else "with_image", number)


def _regions(split: SplitInput, record: Record) -> Iterator[SourceRegion | Entry]:
    """Yield the regions of a record, in order of their masks, or rejections of unusable masks."""
    width, height = record.size
    for number, (rle, name) in enumerate(zip(record.mask_rles, record.categories, strict=True)):
        region_id, raw = record.region_id(number), msgspec.json.encode(rle)
        try:
            mask = parse_segmentation(raw, height, width)
        except Rejected as cause:
            yield rejection(split, Kind.ANNOTATION, region_id, cause)
            continue
        assert isinstance(mask, Mask), "run lengths make a mask"
        yield SourceRegion(region_id, mask.box(), name, segmentation=raw)


def _images(
    split: SplitInput, listing: Mapping[str, int], records: Records
) -> tuple[dict[str, ImageInfo], list[Refused]]:
    """Return the usable images by id, and the reasons why others are unusable."""
    usable: dict[str, ImageInfo] = {}
    refused: list[Refused] = []
    for name, (record, _) in records.items():
        try:
            usable[name] = image_info(
                split, name, record.file_name, record.size, listing, split.licence
            )
        except Rejected as cause:
            refused.append((name, cause))
    return usable, refused


def _volume(usable: Mapping[str, ImageInfo], chosen: set[str]) -> Volume:
    return Volume(
        images=len(chosen),
        regions=len(chosen),  # a record each
        categories=0,
        picture_bytes=sum(usable[name].size_bytes for name in chosen),
    )


SPEC = DatasetSpec(
    name="gar_bench",
    title="GAR-Bench",
    licence=_LICENCE,
    obtain=(
        "https://github.com/Haochen-Wang409/Grasp-Any-Region, folder "
        "evaluation/GAR-Bench/annotations, as gar_bench"
    ),
    splits=tuple(_FILES),
    tasks={},
    boxes_per_image={},
    evaluations=(Task.REGION_REASONING, Task.REGION_RELATIONSHIP),
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=unshared_picture,
    picture_owners=(),
    papers=_PAPERS,
    task_definition=None,
)
