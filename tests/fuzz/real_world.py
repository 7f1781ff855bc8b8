"""A data root with a little of the real samples, each data set as its owner lays it out.

Pictures are stand-ins of a few bytes: what is damaged here is read before any picture is opened.
"""

import json
import pickle
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.datasets.spec import SourceRequest
from tests.fuzz.targets import Target

_IMAGES = 8  # of data sets that have many


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _stand_ins(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")


def _few(document: Any) -> Any:
    """Return a file in COCO's format with its first images alone."""
    images = document["images"][:_IMAGES]
    numbers = {image["id"] for image in images}
    regions = [region for region in document["annotations"] if region["image_id"] in numbers]
    return document | {"images": images, "annotations": regions}


def write_real_world(samples: Path, root: Path) -> None:
    """Write the data root."""
    _write_coco(samples / "coco" / "tinycoco", root / "coco")
    _write_refcoco(samples, root)
    _write_visual_genome(samples / "visual_genome", root)
    _write_flickr(samples / "flickr30k_entities", root / "flickr30k_entities")
    _write_vcr(samples / "vcr", root / "vcr")
    _write_llava(samples, root)
    for name in ("dlc_bench", "gar_bench"):
        shutil.copytree(samples / "benchmarks" / name, root / name, copy_function=shutil.copyfile)


def _write_coco(real: Path, folder: Path) -> None:
    for split in ("train", "val"):
        document = _few(_json(real / "annotations" / f"instances_{split}2017.json"))
        _write(folder / "annotations" / f"instances_{split}2017.json", document)
        names = [image["file_name"] for image in document["images"]]
        _stand_ins(folder / f"{split}2017", names)
    shutil.copytree(real.parent / "mmpose_person", folder / "person", copy_function=shutil.copyfile)


def _write_refcoco(samples: Path, root: Path) -> None:
    real = _json(samples / "refcoco" / "tfds_ref_coco_subset.json")
    categories = _json(samples / "coco/tinycoco/annotations/instances_val2017.json")["categories"]
    described = list(real["coco_anns"].values())
    instances = {
        "info": {},
        "licenses": [],
        "images": [each["info"] for each in described],
        "annotations": [region for each in described for region in each["anns"]],
        "categories": categories,
    }
    _write(root / "refcoco" / "instances.json", instances)
    refs = [ref for ref in real["ref"] if ref["dataset"] == "refcoco"]
    (root / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=0))
    flat = _json(samples / "refcoco" / "minigpt4_eval" / "refcoco_val.json")[:60]
    _write(root / "flat" / "refcoco_val.json", flat)
    numbers = {int(record["img_id"].split("_")[2]) for record in flat}
    numbers |= {each["info"]["id"] for each in described}
    _stand_ins(root / "coco" / "train2014", [f"COCO_train2014_{n:012}.jpg" for n in numbers])


def _write_visual_genome(real: Path, root: Path) -> None:
    for name, version in (("visual_genome", "v1.2"), ("vg_1.0", "v1.0"), ("vg_1.4", "v1.4")):
        folder = root / name / "visual_genome" if name != "visual_genome" else root / name
        images = _json(real / "v1.2" / "image_data.json")
        _stand_ins(folder, ["/".join(image["url"].split("/")[-2:]) for image in images])
        _write(folder / "image_data.json", images)
        regions = _json(
            real / ("v1.0" if version == "v1.0" else "v1.2") / "region_descriptions.json"
        )
        for each in regions:
            each["regions"] = each["regions"][:20]
        _write(folder / "region_descriptions.json", regions)
        for each in (related := _json(real / version / "relationships.json")):
            each["relationships"] = each["relationships"][:15]
        _write(folder / "relationships.json", related)
        alias = "predicate_alias.txt"
        shutil.copyfile(real / "alias" / alias, folder / alias)


def _write_flickr(real: Path, folder: Path) -> None:
    names = sorted(path.stem for path in (real / "Annotations").glob("*.xml"))
    for kind in ("Annotations", "Sentences"):
        shutil.copytree(real / kind, folder / kind, copy_function=shutil.copyfile)
    _stand_ins(folder / "flickr30k-images", [f"{name}.jpg" for name in names])
    third = len(names) // 3
    for split, ids in (("train", names[third:]), ("val", names[1:third]), ("test", names[:1])):
        (folder / f"{split}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")


def _write_vcr(real: Path, folder: Path) -> None:
    lines = (real / "vcr1annots" / "train.jsonl").read_text("utf-8").splitlines()
    (folder / "vcr1images").mkdir(parents=True)
    for split, some in (("train", lines[2:]), ("val", lines[:2])):
        (folder / f"{split}.jsonl").write_text("\n".join(some) + "\n", encoding="utf-8")
    for line in lines:
        question = json.loads(line)
        _stand_ins(folder / "vcr1images", [question["img_fn"]])
        name = question["metadata_fn"]
        shutil.copyfile(real / "vcr1images" / name, folder / "vcr1images" / name)


def _write_llava(samples: Path, root: Path) -> None:
    records = _json(samples / "llava_instruct" / "mix665k_first_record.json")
    _write(root / "llava" / "llava_v1_5_mix665k.json", records)
    _stand_ins(root, [record["image"] for record in records])
    pretrain = _json(samples / "llava_pretrain" / "blip_laion_cc_sbu_subset.json")
    _write(root / "llava_pretrain" / "blip_laion_cc_sbu_558k.json", pretrain)
    _stand_ins(root / "llava_pretrain" / "images", [record["image"] for record in pretrain])


def real_targets(real: Path, folder: Path) -> list[Target]:
    """Return the sources among the real samples."""
    person = folder / "person" / "coco" / "person"
    requests = {
        "coco": SourceRequest(name="coco", year=2017),
        "person": SourceRequest(
            name="coco", annotations=f"{person}/test_coco.json", images=str(person)
        ),
        "refcoco": SourceRequest(name="refcoco"),
        "flat": SourceRequest(
            name="refcoco", paths={"val": f"{folder}/flat/flat/refcoco_val.json"}
        ),
        "visual_genome": SourceRequest(name="visual_genome"),
        "flickr30k": SourceRequest(name="flickr30k"),
        "vcr": SourceRequest(name="vcr"),
        "llava": SourceRequest(name="llava", edition="mix665k"),
        "llava_pretrain": SourceRequest(name="llava_pretrain"),
        "dlc_bench": SourceRequest(name="dlc_bench"),
        "gar_bench": SourceRequest(name="gar_bench"),
    }
    targets = [
        Target(name=f"real {name}", request=request, whole=real, folder=folder / name)
        for name, request in requests.items()
    ]
    for version in ("vg_1.0", "vg_1.4"):
        request = SourceRequest(name="visual_genome")
        whole, links = real / version, folder / version
        targets.append(Target(name=f"real {version}", request=request, whole=whole, folder=links))
    return targets
