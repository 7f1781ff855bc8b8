"""The sample world's Visual Genome, Flickr30k Entities and VCR beside real files."""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter

from PIL import Image


def read(path):
    return json.loads(path.read_bytes())


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def keys_of(records) -> set[tuple[str, ...]]:
    return {tuple(sorted(record)) for record in records}


def types_of(record) -> dict[str, type]:
    return {key: type(value) for key, value in record.items()}


def sizes(folder) -> dict[str, tuple[int, int]]:
    """Width and height of every picture below a folder that can be opened."""
    sizes_by_name = {}
    for path in sorted(folder.rglob("*.jpg")):
        if path.stat().st_size:
            with Image.open(path) as picture:
                sizes_by_name[str(path.relative_to(folder))] = picture.size
    return sizes_by_name


def test_visual_genome_has_the_keys_of_real_files(sample_world, samples):
    for name in ("image_data", "region_descriptions", "objects", "attributes", "relationships"):
        ours, real = (
            read(folder / f"{name}.json")
            for folder in (sample_world / "visual_genome", samples / "visual_genome" / "v1.2")
        )
        assert keys_of(ours) == keys_of(real)
        if name != "image_data":
            inner = "regions" if name == "region_descriptions" else name
            mine, theirs = ([x for e in entries for x in e[inner]] for entries in (ours, real))
            assert keys_of(mine) == keys_of(theirs)
            assert types_of(mine[0]) == types_of(theirs[0])
            if name == "relationships":
                assert keys_of(x["subject"] for x in mine) == keys_of(x["subject"] for x in theirs)


def test_visual_genome(sample_world):
    folder = sample_world / "visual_genome"
    data = {entry["image_id"]: entry for entry in read(folder / "image_data.json")}
    sizes_by_name = sizes(folder)
    paths = {number: "/".join(e["url"].split("/")[-2:]) for number, e in data.items()}
    empty = [path for path in paths.values() if not (folder / path).stat().st_size]
    wrong = [
        p
        for n, p in paths.items()
        if p in sizes_by_name and sizes_by_name[p] != (data[n]["width"], data[n]["height"])
    ]
    assert (len(empty), len(wrong)) == (1, 1)
    assert {path.split("/")[0] for path in paths.values()} == {"VG_100K", "VG_100K_2"}
    assert sum(not path.endswith(f"/{number}.jpg") for number, path in paths.items()) == 1
    coco = {
        i["id"] for i in read(sample_world / "coco/annotations/instances_train2017.json")["images"]
    }
    shared = {n: e["coco_id"] for n, e in data.items() if e["coco_id"] in coco}
    assert shared
    for number, coco_id in shared.items():
        copy = sample_world / "coco" / "train2017" / f"{coco_id:012d}.jpg"
        assert copy.read_bytes() == (folder / paths[number]).read_bytes()
    regions = [r for e in read(folder / "region_descriptions.json") for r in e["regions"]]
    assert len({region["region_id"] for region in regions}) == len(regions)
    beyond = [r for r in regions if r["y"] + r["height"] > data[r["image_id"]]["height"]]
    assert beyond
    assert any(region["x"] < 0 for region in regions)
    assert any(region["phrase"] != region["phrase"].strip() for region in regions)
    assert any("\n" in region["phrase"] for region in regions)
    said = Counter((r["image_id"], r["phrase"], r["x"], r["y"]) for r in regions)
    assert max(said.values()) == 2
    predicates = {
        r["predicate"] for e in read(folder / "relationships.json") for r in e["relationships"]
    }
    assert any(predicate.isupper() for predicate in predicates)
    assert "larger than" in {predicate.lower() for predicate in predicates}


def test_flickr30k(sample_world):
    folder = sample_world / "flickr30k_entities"
    ids = {name: (folder / f"{name}.txt").read_text().split() for name in ("train", "val", "test")}
    assert all(ids.values())
    pictures = sizes(folder / "flickr30k-images")
    assert sorted(f"{stem}.jpg" for stems in ids.values() for stem in stems) == sorted(pictures)
    unmentioned, repeated = 0, 0
    where: dict[str, list[str]] = {}
    names: Counter[int] = Counter()
    for name, (width, height) in pictures.items():
        root = ET.parse(folder / "Annotations" / f"{name[:-4]}.xml").getroot()
        assert (root.findtext("filename"), root.findtext("size/width")) == (name, str(width))
        text = (folder / "Sentences" / f"{name[:-4]}.txt").read_text(encoding="utf-8")
        assert text.endswith("\n")
        assert len(text.splitlines()) == 5
        chains = set(re.findall(r"/EN#(\d+)/", text)) - {"0"}
        annotated = {element.text for element in root.iter("name")}
        assert chains <= annotated
        unmentioned += bool(annotated - chains)
        for chain in annotated:
            where.setdefault(str(chain), []).append(name)
        boxes = []
        for element in root.iter("object"):
            names[len(element.findall("name"))] += 1
            assert (element.find("bndbox") is None) == (element.find("nobndbox") is not None)
            for corners in element.iter("bndbox"):
                assert [side.tag for side in corners] == ["xmin", "ymin", "xmax", "ymax"]
                box = [int(side.text or "") for side in corners]
                assert 1 <= box[0] < box[2] <= width
                assert 1 <= box[1] < box[3] <= height
                boxes.append(box)
        repeated += len(boxes) != len(set(map(tuple, boxes)))
    assert (unmentioned, repeated) == (1, 2)
    assert names[2] > names[1] > 0
    assert any(len(annotated) == 2 for annotated in where.values())
    unrelated = (folder / "UNRELATED_CAPTIONS").read_text().splitlines()[1:]
    for line in unrelated:
        stem, number = line.split()
        caption = (folder / "Sentences" / f"{stem}.txt").read_text(encoding="utf-8").splitlines()
        assert "[" not in caption[int(number) - 1]
    assert len(unrelated) == 1


def test_vcr_has_the_keys_of_real_files(sample_world, samples):
    theirs = lines(samples / "vcr" / "vcr1annots" / "train.jsonl")[0]
    metadata = read(next((samples / "vcr" / "vcr1images").rglob("*.json")))
    for split in ("train", "val"):
        for mine in lines(sample_world / "vcr" / f"{split}.jsonl"):
            assert list(mine) == list(theirs)
            assert types_of(mine) == types_of(theirs)
    for path in (sample_world / "vcr" / "vcr1images").rglob("*.json"):
        assert types_of(read(path)) == types_of(metadata)


def test_vcr(sample_world):
    folder, numbers, empty = sample_world / "vcr", 0, 0
    pictures = sizes(folder / "vcr1images")
    for path in (folder / "vcr1images").rglob("*.json"):
        contents = read(path)
        name = str(path.relative_to(folder / "vcr1images").with_suffix(".jpg"))
        assert pictures[name] == (contents["width"], contents["height"])
        assert len(contents["boxes"]) == len(contents["segms"]) == len(contents["names"])
        empty += [] in contents["segms"]
        for x0, y0, x1, y1, score in contents["boxes"]:
            assert 0 <= x0 < x1 <= contents["width"]
            assert 0 <= y0 < y1 <= contents["height"]
            assert 0.7 <= score <= 1
    assert empty >= 4
    assert {name.split("_")[0] for name in pictures} == {"lsmdc", "movieclips"}
    for split in ("train", "val"):
        contents = lines(folder / f"{split}.jsonl")
        assert [line["match_index"] for line in contents] == list(range(len(contents)))
        assert len({line["annot_id"] for line in contents}) == len(contents)
        for line in contents:
            metadata = read(folder / "vcr1images" / line["metadata_fn"])
            assert line["img_fn"] in pictures
            assert line["objects"] == metadata["names"]
            for kind in ("answer", "rationale"):
                label, choices = line[f"{kind}_label"], line[f"{kind}_choices"]
                assert len(choices) == 4
                assert line[f"{kind}_match_iter"][label] == 0
                assert line[f"{kind}_sources"][label] == line["match_index"]
                assert typed(choices[label]) == line[f"{kind}_orig"]
                for token in [t for choice in choices for t in choice if isinstance(t, list)]:
                    assert set(token) <= set(range(len(metadata["names"])))
            assert typed(line["question"]) == line["question_orig"]
            numbers += any(t.isdigit() for t in line["answer_choices"][0] if isinstance(t, str))
    assert numbers > 5


def typed(tokens) -> str:
    """Return tokens as their owner prints them: objects from 1, punctuation closed up."""
    words = []
    for token in tokens:
        if isinstance(token, str):
            words.append(token)
        else:
            *first, last = [str(number + 1) for number in token]
            words.append(f"{', '.join(first)} and {last}" if first else last)
    return re.sub(r" ([.?])", r"\1", " ".join(words))
