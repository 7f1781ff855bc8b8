"""RefCOCO's own files: pickles written from real refs, beside a second reader of them.

The real refs are about two images, whose pictures are not to be had: one is drawn in its stated
size, the other one is missing.
"""

import json
import pickle
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.sample_world.python2 import pickled
from pipelines.verify import verify

PIXELS = 0.01
OURS = ("dataset", "dataset_partition", "ann")  # keys of the sample that the pickles do not have
WRITERS = {
    "Python 2": pickled,
    "protocol 0": lambda refs: pickle.dumps(refs, 0),
    "protocol 2": lambda refs: pickle.dumps(refs, 2),
    "pandas": lambda refs: pickle.dumps([with_numpy(ref) for ref in refs], 5),
    "JSON": lambda refs: json.dumps(refs).encode(),
    "JSON with a mark": lambda refs: json.dumps(refs).encode("utf-8-sig"),
}
CASES = [  # source, its folder, who split it
    ("refcoco", "refcoco", "unc"),
    ("refcoco", "refcoco", "google"),
    ("refcoco_plus", "refcoco+", "unc"),
    ("refcocog", "refcocog", "umd"),
    ("refcocog", "refcocog", "google"),
]


def with_numpy(value):
    """Return a value with NumPy's integers instead of Python's, as pandas hands them out."""
    if isinstance(value, dict):
        return {key: with_numpy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_numpy(item) for item in value]
    return np.int64(value) if type(value) is int else value


class SecondReader:
    """The files of one folder, and what ought to become of the sentences of each split."""

    def __init__(self, folder: Path, owner: str, there: set[int]) -> None:
        content = (folder / f"refs({owner}).p").read_bytes()
        self.refs = pickle.loads(content, encoding="utf-8")  # written by this test
        instances = json.loads((folder / "instances.json").read_bytes())
        self.images = {image["id"]: image for image in instances["images"]}
        self.names = {category["id"]: category["name"] for category in instances["categories"]}
        self.boxes = {annotation["id"]: annotation for annotation in instances["annotations"]}
        self.told: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.rejected: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.with_image: dict[str, Counter[str]] = defaultdict(Counter)
        self.read: Counter[tuple[str, str]] = Counter()
        self.missing: dict[str, set[int]] = defaultdict(set)
        for ref in self.refs:
            split, told = ref["split"], set()
            self.read[split, "sentence"] += len(ref["sentences"])
            for sentence in ref["sentences"]:
                if ref["image_id"] not in there:
                    self.with_image[split]["sentence"] += 1
                    self.missing[split].add(ref["image_id"])
                elif sentence["sent"] in told:
                    self.rejected[split]["sentence", "duplicate"] += 1
                else:
                    self.told[split].append((str(ref["ann_id"]), sentence["sent"]))
                    told.add(sentence["sent"])
        for split in {ref["split"] for ref in self.refs}:
            wanted = {ref["image_id"] for ref in self.refs if ref["split"] == split}
            boxes = [one for one in self.boxes.values() if one["image_id"] in wanted]
            lost = wanted - there
            self.read[split, "image"] = len(wanted)
            self.read[split, "annotation"] = len(boxes)
            self.rejected[split]["image", "image_missing"] = len(lost)
            self.with_image[split]["annotation"] = sum(one["image_id"] in lost for one in boxes)

    def box(self, annotation_id: str) -> list[float]:
        x, y, width, height = self.boxes[int(annotation_id)]["bbox"]
        return [x, y, x + width, y + height]


@pytest.fixture(scope="module")
def real_refs(samples):
    return json.loads((samples / "refcoco" / "tfds_ref_coco_subset.json").read_bytes())


@pytest.fixture(scope="module")
def owners(samples, real_refs, tmp_path_factory):
    """Makes a data root with all five pickles and the pictures of some images."""
    tiny = samples / "coco" / "tinycoco" / "annotations" / "instances_val2017.json"
    categories = json.loads(tiny.read_bytes())["categories"]
    instances = {
        "info": {},
        "licenses": [{"id": 4, "name": "Attribution License", "url": ""}],
        "images": [content["info"] for content in real_refs["coco_anns"].values()],
        "annotations": [
            one for content in real_refs["coco_anns"].values() for one in content["anns"]
        ],
        "categories": categories,
    }

    def make(write, numbers):
        root = tmp_path_factory.mktemp("refs")
        for source, folder, owner in CASES:
            (root / folder).mkdir(exist_ok=True)
            (root / folder / "instances.json").write_text(json.dumps(instances), encoding="utf-8")
            name = source.replace("_plus", "+")
            refs = [
                {key: value for key, value in ref.items() if key not in OURS}
                for ref in real_refs["ref"]
                if (ref["dataset"], ref["dataset_partition"]) == (name, owner)
            ]
            (root / folder / f"refs({owner}).p").write_bytes(write(refs))
        (root / "coco" / "train2014").mkdir(parents=True)
        for image in instances["images"]:
            if image["id"] in numbers:
                path = root / "coco" / "train2014" / image["file_name"]
                Image.new("RGB", (image["width"], image["height"])).save(path)
        return root

    return make


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]} {case[2]}")
def which(request):
    return request.param


@pytest.fixture(scope="module")
def built(which, owners, build_source):
    """The second reader and the output, where one of two pictures is missing."""
    source, folder, owner = which
    root = owners(pickled, {460986})
    own = {"refs": str(root / folder / f"refs({owner}).p")} if owner == "google" else {}
    output = build_source(source, root, request={"paths": own})
    return SecondReader(root / folder, owner, {460986}), output


def blankless(text: str) -> str:
    """A text as it is compared: blanks around its marks are ours."""
    return "".join(text.split())


def captions(output):
    """Every caption told: split, region and text."""
    for row in output.rows():
        turns = [message["content"] for message in row["messages"]]
        for question, answer, task in zip(turns[::2], turns[1::2], row["turn_tasks"], strict=True):
            if task == "region_caption":
                (number,) = re.findall(r"<region(\d+)>", question)
                yield row["split"], row["regions"][int(number) - 1]["region_id"], answer


def test_the_same_sentences_of_the_same_objects(built):
    reader, output = built
    told = defaultdict(list)
    for split, region_id, text in captions(output):
        told[split].append((region_id, blankless(text)))
    assert {split: sorted(pairs) for split, pairs in told.items()} == {
        split: sorted((region_id, blankless(text)) for region_id, text in pairs)
        for split, pairs in reader.told.items()
    }


def test_boxes_and_names_are_those_of_the_instances(built):
    reader, output = built
    for row in output.rows():
        for region in row["regions"]:
            annotation = reader.boxes[int(region["region_id"])]
            box = reader.box(region["region_id"])
            assert region["bbox"] == pytest.approx(box, abs=PIXELS, rel=0)
            assert region["area"] == np.float32(annotation["area"])
            assert region["category"] == reader.names[annotation["category_id"]]
            assert str(annotation["image_id"]) == row["id"].split("/")[2]
            assert region["mask"] is not None


def test_counts_agree_reason_by_reason(which, built):
    reader, output = built
    splits = output.ledger().sources[which[0]]
    for split, expected in reader.rejected.items():
        counts = Counter(
            {
                (str(kind), str(reason)): number
                for stage in ("read", "screen")
                for kind, account in splits[split].get(stage, {}).items()
                for reason, number in account.rejected.items()
            }
        )
        assert counts == +expected
        for kind in ("image", "annotation", "sentence"):
            account = splits[split]["read"][kind]
            assert account.read == reader.read[split, kind]
            assert account.with_image == reader.with_image[split][kind]
            assert account.sampled_out == 0


def test_boxes_that_nothing_is_said_of_are_candidates(built):
    reader, output = built
    spoken_of = {region_id for pairs in reader.told.values() for region_id, _ in pairs}
    candidates = {
        region["region_id"]
        for row in output.rows()
        if row["task"] == "referring_expression_comprehension"
        for region in row["regions"]
    }
    assert candidates - spoken_of


def test_every_choice_is_answered_in_one_form_with_its_stop(built):
    answers = [
        message["content"]
        for row in built[1].rows()
        for task, message in zip(row["turn_tasks"], row["messages"][1::2], strict=True)
        if task == "referring_expression_comprehension"
    ]
    assert answers
    form = r"Region \[\d+\]\.|No corresponding options found\."
    assert [answer for answer in answers if not re.fullmatch(form, answer)] == []


def test_pictures_keep_their_owners_names_and_terms(built):
    _, output = built
    for row in output.rows():
        assert row["image"]["path"] == "train2014/COCO_train2014_000000460986.jpg"
        assert row["licence"] == "not stated; image: Attribution License"


def test_the_output_is_sound_and_opens(which, built, tmp_path):
    _, output = built
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), which[0], cache_dir=str(tmp_path))
    assert sum(split.num_rows for split in loaded.values()) == len(output.rows())


def test_with_all_pictures_nothing_is_missing(which, owners, build_source):
    source, folder, owner = which
    root = owners(pickled, {460986, 510027})
    own = {"refs": str(root / folder / f"refs({owner}).p")} if owner == "google" else {}
    output = build_source(source, root, request={"paths": own})
    reader = SecondReader(root / folder, owner, {460986, 510027})
    written = [(split, name, blankless(text)) for split, name, text in captions(output)]
    assert Counter(written) == Counter(
        (split, name, blankless(text))
        for split, several in reader.told.items()
        for name, text in several
    )


@pytest.mark.parametrize("name", WRITERS)
def test_who_wrote_the_pickle_and_in_what_order_changes_nothing(
    owners, build_source, in_parts, name
):
    pictures = {460986, 510027}
    outputs = [
        build_source("refcoco", owners(write, pictures), launch_options=launch_options)
        for write, launch_options in (
            (pickled, None),
            (WRITERS[name], in_parts),
            (lambda refs: WRITERS[name](refs[::-1]), None),
        )
    ]
    assert len({json.dumps(output.digests()) for output in outputs}) == 1
    assert outputs[0].rejected() == outputs[1].rejected() == outputs[2].rejected()


def test_gpt4roi_asks_for_captions_only(owners, build_source):
    root = owners(pickled, {460986, 510027})
    output = build_source("refcoco_plus", root, style="gpt4roi")
    assert {row["task"] for row in output.rows()} == {"region_caption"}
