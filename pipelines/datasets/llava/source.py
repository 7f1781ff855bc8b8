"""LLaVA's instruction data: conversations about whole pictures, and text-only conversations.

The data has two files of one format (`records`); a build reads one of them:

    llava/llava_instruct_150k.json     the default; pictures are bare names of COCO's train2017
    llava/llava_v1_5_mix665k.json      the edition mix665k; pictures have their folder:
                                       coco/train2017/, gqa/images/, ocr_vqa/images/,
                                       textvqa/train_images/, vg/VG_100K/, vg/VG_100K_2/

All folders lie below the data root, `vg` as `visual_genome`. Pictures of Visual Genome may lie in
its other folder, or all in `images`; those of OCR-VQA, which are all named .jpg, under the ending
that their download gave them (.gif, .png). A text-only record is kept, with no image. The owner
states no sizes and no boxes. Sizes come from COCO's annotation file if it exists; boxes come from a
detector (`detections`), or else from COCO's annotation file.
"""

import re
from collections.abc import Sequence

from pipelines.datasets.coco.detections import detection_files, read_names
from pipelines.datasets.coco.pictures import COCO_PAPER
from pipelines.datasets.common.packed import Opening, readers
from pipelines.datasets.common.picture_names import coco_name, visual_genome_name
from pipelines.datasets.llava.boxes import read_boxes
from pipelines.datasets.llava.layout import (
    LLAVA_PAPER,
    list_folders,
    open_records,
    outline_records,
    read_records,
)
from pipelines.datasets.llava.pictured import Pictured
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.sample import ImageInfo, Task
from schemas.source import SplitInput, Store
from schemas.style import Style

_LICENCE = "CC BY 4.0, and the terms of the model that wrote it"
_PAPERS = (
    LLAVA_PAPER,
    "Haotian Liu, Chunyuan Li, Yuheng Li, Yong Jae Lee. Improved Baselines with Visual Instruction "
    "Tuning. CVPR 2024.",
    COCO_PAPER,
)

_FILES = {"instruct_150k": "llava_instruct_150k.json", "mix665k": "llava_v1_5_mix665k.json"}

_COCO = "coco/train2017"
_LAST_NUMBER = re.compile(r"\d+$", re.ASCII)
_OCR_VQA, _OCR_VQA_ENDINGS = "ocr_vqa/images", (".gif", ".png")
_VG_FOLDERS = ("VG_100K", "VG_100K_2", "images")
_VISUAL_GENOME = ("vg/", "visual_genome/")  # the owner's folder, and the folder below the data root


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the location of the only split; roles: `train`, `images`, and the roles of boxes."""
    paths, edition = request.paths, request.edition or SPEC.editions[0]
    instances = f"{root}/coco/annotations/instances_train2017.json"
    instances_file = {role: paths[role] for role in ("instances",) if role in paths}
    return [
        Located(
            split="train",
            files={
                "train": paths.get("train", f"{root}/llava/{_FILES[edition]}"),
                **detection_files(root, request),
                **instances_file,
            },
            optional={} if instances_file else {"instances": instances},
            pictures=paths.get("images", root),
            folder="",
            licence=_LICENCE,
        )
    ]


def _open(split: SplitInput, store: Store) -> Opening[Pictured]:
    records = read_records(split, store, _path_of)
    boxes = read_boxes(split, store, records.groups)
    with_picture = [image_id for image_id, group in records.groups.items() if not group.text_only]
    paths = [path for usual in with_picture for path in (usual, *_other_paths(usual))]
    listing = list_folders(store, split.pictures, paths)
    return (yield from open_records(split, records, listing, boxes, others=_other_paths))


parse, divide = readers(_open)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of the only split of the instruction data.

    Raises:
        InputFileError: the file of records, or of the names of detections, cannot be used.
    """
    if "detections" in split.files:
        read_names(split, store)
    return outline_records(split, store, _path_of, _other_paths)


def _path_of(name: str) -> str:
    """Return the path of a picture below the data root, from the owner's name."""
    if "/" not in name:
        return f"{_COCO}/{name}"
    theirs, ours = _VISUAL_GENOME
    return f"{ours}{name.removeprefix(theirs)}" if name.startswith(theirs) else name


def _other_paths(path: str) -> Sequence[str]:
    """Return the other paths that a picture may have below the data root, from its usual path."""
    folder, _, name = path.rpartition("/")
    if folder == _OCR_VQA:
        stem = name.rpartition(".")[0]
        return [f"{folder}/{stem}{ending}" for ending in _OCR_VQA_ENDINGS]
    owner, _, part = folder.partition("/")
    if owner == _VISUAL_GENOME[1].rstrip("/") and part in _VG_FOLDERS:
        return [f"{owner}/{other}/{name}" for other in _VG_FOLDERS if other != part]
    return ()


def _picture_name(image: ImageInfo) -> str | None:
    """Return the name of a picture from its path: COCO's number, or Visual Genome's id or file."""
    folder, _, path = (image.file_name or "").partition("/")
    file = path.rpartition("/")[2]
    stem = file.rpartition(".")[0]
    if folder == "coco" and (number := _LAST_NUMBER.search(stem)):
        return coco_name(int(number[0]))
    if folder == "visual_genome":
        return visual_genome_name(file)
    if folder == "gqa" and stem.isdecimal():
        return visual_genome_name(stem)
    return None


SPEC = DatasetSpec(
    name="llava",
    title="LLaVA-Instruct-150K, LLaVA-1.5 mix665k",
    licence=_LICENCE,
    obtain=(
        "https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K: the file; the images from "
        "their owners, https://github.com/haotian-liu/LLaVA#visual-instruction-tuning"
    ),
    splits=("train",),
    tasks=dict.fromkeys(Style, (Task.IMAGE_CONVERSATION,)),
    boxes_per_image={},
    editions=tuple(_FILES),
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=_picture_name,
    picture_owners=("coco", "visual_genome"),
    papers=_PAPERS,
    task_definition=None,
)
