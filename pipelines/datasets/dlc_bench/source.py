"""DLC-Bench: 100 regions to describe in detail, in pictures of Objects365; for evaluation only.

    dlc_bench/annotations.json     COCO's layout; masks are compressed run lengths
    dlc_bench/class_names.json     the name of each region, by the id of its annotation
    dlc_bench/images/objects365_v2_00000007.jpg

    {"images": [{"id": 7, "file_name": "objects365_v2_00000007.jpg", "width": 64, "height": 48}],
     "annotations": [{"id": 901, "image_id": 7, "category_id": 3, "bbox": [8, 10, 16, 10],
                      "area": 160.0, "iscrowd": 0,
                      "segmentation": {"size": [48, 64], "counts": "Z<:V10000..."}}],
     "categories": [{"id": 3, "name": "Teapot"}]}
    {"901": "kettle"}

A region has the name of `class_names.json`, by which the judge knows it, and not that of its
category, which is Objects365's. The judge's questions (`qa.json`, by the same ids) are no part of a
build: `regionforge judge` reads them.
Format: https://huggingface.co/datasets/nvidia/DLC-Bench
"""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from pipelines.datasets.coco.layout import parse_coco_layout
from pipelines.datasets.coco.outline import outline_coco_layout
from pipelines.datasets.common.entries import rejection
from pipelines.datasets.common.lenient_json import decode_whole
from pipelines.datasets.common.picture_names import OBJECTS365, objects365_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Task
from schemas.source import Entry, SourceImage, SourceRegion, SplitFacts, SplitInput, Store

OBJECTS365_PAPER = (
    "Shuai Shao, Zeming Li, Tianyuan Zhang, Chao Peng, Gang Yu, Xiangyu Zhang, Jing Li, Jian Sun. "
    "Objects365: A Large-Scale, High-Quality Dataset for Object Detection. ICCV 2019."
)
_LICENCE = "CC BY-NC-SA 4.0"
_PAPERS = (
    "Long Lian, Yifan Ding, Yunhao Ge, Sifei Liu, Hanzi Mao, Boyi Li, Marco Pavone, Ming-Yu Liu, "
    "Trevor Darrell, Adam Yala, Yin Cui. Describe Anything: Detailed Localized Image and Video "
    "Captioning. ICCV 2025.",
    OBJECTS365_PAPER,
)
_SPLIT, _NAMES = "test", "class_names"
_DECODER = msgspec.json.Decoder(dict[str, str])


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the location of the split; roles: `test` (annotations), `class_names`, `images`."""
    paths, folder = request.paths, "dlc_bench/images"
    return [
        Located(
            split=_SPLIT,
            files={
                _SPLIT: paths.get(_SPLIT, f"{root}/dlc_bench/annotations.json"),
                _NAMES: paths.get(_NAMES, f"{root}/dlc_bench/class_names.json"),
            },
            pictures=paths.get("images", f"{root}/{folder}"),
            folder="" if "images" in paths else folder,
            licence=_LICENCE,
        )
    ]


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of the benchmark.

    Raises:
        InputFileError: one of the files as a whole cannot be used.
    """
    names = _read_names(split, store)
    for entry in parse_coco_layout(split, store, lambda *_: ""):
        if isinstance(entry, SplitFacts):
            yield replace(entry, label_set=None)  # the regions' names are of no set
        elif isinstance(entry, SourceImage):
            yield from _named(split, entry, names)
        else:
            yield entry


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of the benchmark.

    Raises:
        InputFileError: one of the files as a whole cannot be used.
    """
    _read_names(split, store)
    return outline_coco_layout(split, store, lambda *_: "")


def _named(split: SplitInput, entry: SourceImage, names: Mapping[str, str]) -> Iterator[Entry]:
    """Yield an image with the names of its regions, and rejections of those without a name."""
    regions: list[SourceRegion] = []
    for region in entry.regions:
        if (name := names.get(region.region_id)) is not None:
            regions.append(replace(region, category=name))
            continue
        cause = Rejected(Reason.MALFORMED, f"no name of annotation {region.region_id} in {_NAMES}")
        yield rejection(split, Kind.ANNOTATION, region.region_id, cause)
    yield replace(entry, regions=tuple(regions), label_set=None)


def _read_names(split: SplitInput, store: Store) -> dict[str, str]:
    path = split.files[_NAMES]
    content = read_text(store, path)
    return decode_whole(
        _DECODER,
        content,
        path,
        "DLC-Bench's list of names",
        "Expected a JSON object of names by the ids of annotations: fetch class_names.json again.",
    )


SPEC = DatasetSpec(
    name="dlc_bench",
    title="DLC-Bench",
    licence=_LICENCE,
    obtain="https://huggingface.co/datasets/nvidia/DLC-Bench: the whole folder, as dlc_bench",
    splits=(_SPLIT,),
    tasks={},
    boxes_per_image={},
    evaluations=(Task.REGION_DETAILED_CAPTION,),
    locate=locate,
    parse=parse,
    outline=outline,
    picture_name=objects365_picture,
    picture_owners=(OBJECTS365,),
    papers=_PAPERS,
    task_definition=None,
)
