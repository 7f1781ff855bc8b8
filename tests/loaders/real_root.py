"""A data root with the real samples, as the owners lay them out.

Pictures that are not among the samples are drawn in the size that their owners state.
"""

import json
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

# Sources, and the flags beside the data root that they need here.
SOURCES = "coco,flickr30k,llava,llava_pretrain,lvis,refcoco,refcoco_plus,refcocog,vcr,visual_genome"
FLAGS = ("--edition", "mix665k", "--path", "lvis.val={root}/lvis/lvis_val_100.json")

_LINKS = {
    "coco/annotations": "coco/tinycoco/annotations",
    "flickr30k_entities": "flickr30k_entities",
    "flickr30k-images": "flickr30k_entities/flickr30k-images",
    "gar_bench": "benchmarks/gar_bench",
    "llava_pretrain/images": "llava_pretrain/images",
    "llava_pretrain/blip_laion_cc_sbu_558k.json": "llava_pretrain/blip_laion_cc_sbu_subset.json",
    "lvis/lvis_val_100.json": "lvis/lvis_val_100.json",
}
_REFS = (
    ("refcoco", "refcoco", "unc"), ("refcoco+", "refcoco+", "unc"), ("refcocog", "refcocog", "umd"),
)  # fmt: skip
_GENOME = ("image_data", "region_descriptions", "relationships", "objects", "attributes")

Size = tuple[int, int]  # width and height, pixels


def write_real_root(samples: Path, root: Path) -> None:
    """Write the data root."""
    for name, target in _LINKS.items():
        _link(root / name, samples / target)
    for folder in ("coco/tinycoco/images", "lvis/images"):
        for picture in (samples / folder).glob("*/*.jpg"):
            _link(root / "coco" / picture.parent.name / picture.name, picture)
    lvis = _json(samples / "lvis" / "lvis_val_100.json")["images"]
    _draw(root / "coco" / "val2017", ((f"{each['id']:012}.jpg", _size(each)) for each in lvis))
    _write_refcoco(samples, root)
    genome = samples / "visual_genome" / "v1.2"
    for name in _GENOME:
        _link(root / "visual_genome" / f"{name}.json", genome / f"{name}.json")
    images = _json(genome / "image_data.json")
    named = (("/".join(each["url"].split("/")[-2:]), _size(each)) for each in images)
    _draw(root / "visual_genome", named)
    _write_vcr(samples / "vcr", root / "vcr")
    records = samples / "llava_instruct" / "mix665k_first_record.json"
    _link(root / "llava" / "llava_v1_5_mix665k.json", records)
    (record,) = _json(records)
    _draw(root, [(record["image"], (640, 480))])


def _write_refcoco(samples: Path, root: Path) -> None:
    real = _json(samples / "refcoco" / "tfds_ref_coco_subset.json")
    described = list(real["coco_anns"].values())
    categories = _json(samples / "coco/tinycoco/annotations/instances_val2017.json")["categories"]
    instances = {
        "info": {},
        "licenses": [],
        "images": [each["info"] for each in described],
        "annotations": [region for each in described for region in each["anns"]],
        "categories": categories,
    }
    for folder, name, by in _REFS:
        refs = [r for r in real["ref"] if (r["dataset"], r["dataset_partition"]) == (name, by)]
        (root / folder).mkdir()
        (root / folder / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
        (root / folder / f"refs({by}).p").write_bytes(pickle.dumps(refs, protocol=0))
    pictures = ((each["info"]["file_name"], _size(each["info"])) for each in described)
    _draw(root / "coco" / "train2014", pictures)


def _write_vcr(real: Path, folder: Path) -> None:
    content = (real / "vcr1annots" / "train.jsonl").read_text("utf-8")
    folder.mkdir()
    (folder / "train.jsonl").write_text(content, encoding="utf-8")
    for question in map(json.loads, content.splitlines()):
        facts = real / "vcr1images" / question["metadata_fn"]
        _link(folder / "vcr1images" / question["metadata_fn"], facts)
        _draw(folder / "vcr1images", [(question["img_fn"], _size(_json(facts)))])


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _size(facts: Any) -> Size:
    return facts["width"], facts["height"]


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def _draw(folder: Path, pictures: Iterable[tuple[str, Size]]) -> None:
    for name, size in pictures:
        path = folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, "#8090a0").save(path)
