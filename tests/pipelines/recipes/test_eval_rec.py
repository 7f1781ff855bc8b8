"""`eval_rec` beside a second reader, which knows refs, boxes and detections from their formats.

It reads plain JSON and pickles and has its own intersection over union. It asks of every record:
is the sentence the owner's, are the candidates those that it would take, and are those called
right that overlap the owner's box by half?

Length: the second reader is most of it.
"""

import json
import pickle
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from tests.pipelines.places import same_place

SENTENCES = 4_896  # of RefCOCOg val


def iou(box, other):
    across = max(0, min(box[2], other[2]) - max(box[0], other[0]))
    down = max(0, min(box[3], other[3]) - max(box[1], other[1]))
    sizes = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (box, other)]
    return across * down / (sum(sizes) - across * down)


def corners(bbox):
    x, y, width, height = bbox
    return x, y, x + width, y + height


def letters(text: str) -> str:
    """Return a text without blanks and capitals, which are ours; the marks are the owner's."""
    return "".join(text.split()).casefold()


@dataclass(frozen=True)
class Sentence:
    image: int
    text: str
    box: tuple[float, ...]  # xyxy


class SecondReader:
    """The sentences of each split, and the detections that are good enough, by image."""

    def __init__(self, sentences: dict[str, list[Sentence]], sizes, detections, names) -> None:
        self.sentences, self.sizes, self.names = sentences, sizes, names
        self.alike = defaultdict(set)  # of one split, about one image, with the same letters
        for split, texts in sentences.items():
            for sentence in texts:
                self.alike[split, sentence.image, letters(sentence.text)].add(sentence)
        by_image = defaultdict(list)
        for detection in detections:
            by_image[detection["image_id"]].append(detection)
        self.candidates = {}
        for number, several in by_image.items():
            several.sort(key=lambda detection: -detection["score"])
            good = [detection for detection in several if detection["score"] >= 0.3]
            assert len(good) <= 30 or good[29]["score"] > good[30]["score"]
            self.candidates[number] = good[:30]
        self.detections = by_image

    def upright(self, box, image: int, row):
        """A box within the picture, as the record has it: turned where the picture was."""
        (width, height), (x0, y0, x1, y1) = self.sizes[image], box
        x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
        if (row["width"], row["height"]) != (width, height):  # EXIF 6, a quarter turn clockwise
            assert (row["width"], row["height"]) == (height, width)
            return height - y1, x0, height - y0, x1
        return x0, y0, x1, y1

    def check(self, row) -> tuple[Sentence, str]:
        """Find a record's sentence and candidates in the owners' files; return it and its group."""
        image = int(row["id"].split("/")[2])
        (evaluation,), listed = row["evaluation"], row["regions"]
        request, answer = (message["content"] for message in row["messages"])
        (text,) = re.findall(r'fits "(.*)"\? Answer the question using the temp', request)
        expected = [
            (
                self.upright(corners(one["bbox"]), image, row),
                one["score"],
                self.names[one["category_id"]],
            )
            for one in self.candidates.get(image, [])
        ]
        detected = [
            (region["bbox"], region["score"], region["category"])
            for region in listed
            if region["score"] is not None
        ]
        assert len(detected) == len(expected)
        for one, other in zip(sorted(detected), sorted(expected), strict=True):
            assert same_place(one[0], other[0])
            assert abs(one[1] - other[1]) <= 1e-6 * other[1]
            assert one[2] == other[2]
        assert request.count("[") == len(listed) + 1  # and [x] in the template
        for number in range(1, len(listed) + 1):
            assert f"[{number}] <region{number}>" in request
        assert evaluation["choices"] == [f"Region [{k}]." for k in range(1, len(listed) + 1)]
        assert answer == evaluation["choices"][evaluation["label"]]
        alike = self.alike[row["split"], image, letters(text)]
        (sentence,) = {one for one in alike if self.explains(one, row)}
        return sentence, evaluation["group"]

    def explains(self, sentence: Sentence, row) -> bool:
        """Tell whether a record's right answers are those of a sentence about a box."""
        meant = self.upright(sentence.box, sentence.image, row)
        shared = [iou(region["bbox"], meant) for region in row["regions"]]
        assert all(abs(one - 0.5) > 1e-5 for one in shared)
        right = [f"Region [{k}]." for k, one in enumerate(shared, start=1) if one > 0.5]
        (evaluation,) = row["evaluation"]
        if evaluation["references"] != right or max(shared) > shared[evaluation["label"]] + 1e-9:
            return False
        hit = any(
            one > 0.5 and region["score"] is not None
            for one, region in zip(shared, row["regions"], strict=True)
        )
        added = [region for region in row["regions"] if region["score"] is None]
        assert evaluation["group"] == ("detected" if hit else "ground_truth_added")
        assert len(added) == (0 if hit else 1)
        assert not added or same_place(added[0]["bbox"], meant)
        return True


@pytest.fixture(scope="module")
def build(tmp_path_factory, output_of):
    """Builds `eval_rec`, with its source changed as told."""

    def run(root, launch_options=None, /, **source):
        stated = load_recipe("eval_rec")
        stated["sources"][0] |= source
        folder = tmp_path_factory.mktemp("output")
        plan = make_plan(make_recipe(stated, "eval_rec"), str(root), str(folder))
        launch(plan, launch_options or LaunchOptions())
        return output_of(folder)

    return run


@pytest.fixture(scope="module")
def sample_case(sample_world, build):
    """The sample world's files, as a second reader sees them, and what is built of them."""
    folder = sample_world / "refcocog"
    instances = json.loads((folder / "instances.json").read_bytes())
    boxes = {item["id"]: corners(item["bbox"]) for item in instances["annotations"]}
    sentences = defaultdict(list)
    for ref in pickle.loads((folder / "refs(umd).p").read_bytes(), encoding="utf-8"):
        for sentence in ref["sentences"]:
            one = Sentence(ref["image_id"], sentence["sent"], boxes[ref["ann_id"]])
            sentences[ref["split"]].append(one)
    paths = {
        "detections": str(folder / "detections.json"),
        "detection_names": str(folder / "instances.json"),
    }
    reader = SecondReader(
        sentences,
        {image["id"]: (image["width"], image["height"]) for image in instances["images"]},
        json.loads((folder / "detections.json").read_bytes()),
        {category["id"]: category["name"] for category in instances["categories"]},
    )
    return reader, paths, build(sample_world, paths=paths)


@pytest.fixture(scope="module")
def real(samples, tmp_path_factory, build):
    """The sentences of RefCOCOg val, with blank pictures, and boxes that no detector has seen."""
    root = tmp_path_factory.mktemp("refcocog")
    file = samples / "refcoco" / "minigpt4_eval" / "refcocog_val.json"
    records = json.loads(file.read_bytes())
    sentences = [
        Sentence(int(one["img_id"].split("_")[2]), one["sents"], corners(one["bbox"]))
        for one in records
    ]
    folder = root / "coco" / "train2014"
    folder.mkdir(parents=True)
    sizes = {}
    for one, record in zip(sentences, records, strict=True):
        sizes[one.image] = record["width"], record["height"]
    for number, size in sizes.items():
        Image.new("L", size).save(folder / f"COCO_train2014_{number:012}.jpg")
    detections = list(made_up(sentences, sizes))
    (root / "boxes.json").write_text(json.dumps(detections), encoding="utf-8")
    (root / "names.txt").write_text("thing\nstuff\n", encoding="utf-8")
    reader = SecondReader({"val": sentences}, sizes, detections, {1: "thing", 2: "stuff"})
    paths = {
        "val": str(file),
        "detections": str(root / "boxes.json"),
        "detection_names": str(root / "names.txt"),
    }
    return reader, root, paths, build(root, splits=["val"], paths=paths)


def made_up(sentences, sizes):
    """Yield detections: two of three true boxes, shaken, some of them twice, and others."""
    draw = random.Random(0)
    for image, box in sorted({(one.image, one.box) for one in sentences}):
        x0, y0, x1, y1 = box
        for _ in range(draw.choice([0, 1, 1, 2])):
            shake = draw.choice([0, 0.05, 0.4])
            x = x0 + draw.uniform(-shake, shake) * (x1 - x0)
            y = y0 + draw.uniform(-shake, shake) * (y1 - y0)
            yield detection(image, (x, y, x1 - x0, y1 - y0), draw)
    for image, (width, height) in sorted(sizes.items()):
        for _ in range(draw.choice([0, 2, 9, 45])):
            box = draw.uniform(0, width - 60), draw.uniform(0, height - 60), 50, 40
            yield detection(image, box, draw)


def detection(image, box, draw):
    bbox = [round(value, 2) for value in box]
    score = round(draw.uniform(0.1, 1), 9)
    return {"image_id": image, "category_id": draw.choice([1, 2]), "bbox": bbox, "score": score}


def test_the_sample_worlds_records_are_the_owners(sample_case):
    reader, _, output = sample_case
    matched: dict[str, Counter[Sentence]] = defaultdict(Counter)
    groups: Counter[tuple[str, str]] = Counter()
    for row in output.rows():
        sentence, group = reader.check(row)
        matched[row["split"]][sentence] += 1
        groups[row["split"], group] += 1
    assert matched == {split: Counter(reader.sentences[split]) for split in ("val", "test")}
    assert len(groups) == 4  # both groups in both splits
    assert max(len(row["regions"]) for row in output.rows()) == 31
    assert min(len(row["regions"]) for row in output.rows()) == 1


def test_the_sample_worlds_ids_are_those_of_sentences(sample_case, sample_world):
    _, _, output = sample_case
    refs = pickle.loads((sample_world / "refcocog" / "refs(umd).p").read_bytes(), encoding="utf-8")
    texts = {
        f"{ref['ref_id']}/{sentence['sent_id']}": sentence["sent"]
        for ref in refs
        if ref["split"] != "train"
        for sentence in ref["sentences"]
    }
    rows = {row["evaluation"][0]["item_id"]: row for row in output.rows()}
    assert len(rows) == len(output.rows())
    assert rows.keys() == texts.keys()
    for item_id, row in rows.items():
        assert letters(f'"{texts[item_id]}"') in letters(row["messages"][0]["content"])


def test_the_sample_worlds_books_balance(sample_case):
    reader, _, output = sample_case
    ledger = output.ledger()
    assert {key for key, number in output.booked(ledger, "rejected").items() if number} == {
        ("annotation", "not_used")  # boxes for which a detection stands, or of no sentence
    }
    for split in ("val", "test"):
        images = {one.image for one in reader.sentences[split]}
        meant = {(one.image, one.box) for one in reader.sentences[split]}
        stages = ledger.sources["refcocog"][split]
        read = stages["read"]["annotation"]
        taken = sum(len(reader.candidates.get(image, [])) for image in images)
        assert read.kept == len(meant) + taken
        detected = sum(len(reader.detections.get(image, [])) for image in images)
        assert read.sampled_out == detected - taken
        assert read.rejected == {"not_used": read.read - detected - len(meant)}
        rows = output.manifest().rows("refcocog", split)
        assert stages["write"]["sentence"].kept == len(reader.sentences[split]) == rows


def test_parts_change_nothing_and_the_output_is_sound(
    sample_case, sample_world, build, in_parts, tmp_path
):
    _, paths, output = sample_case
    assert build(sample_world, in_parts, paths=paths).digests() == output.digests()
    assert verify(str(output.folder)).problems == []
    opened = load_dataset(str(output.folder), "eval_rec", cache_dir=str(tmp_path))
    assert opened["val"].num_rows + opened["test"].num_rows == len(output.rows())


def test_the_real_sentences_of_refcocog_val(real):
    reader, _, _, output = real
    matched: Counter[Sentence] = Counter()
    groups: Counter[str] = Counter()
    for row in output.rows():
        sentence, group = reader.check(row)
        matched[sentence] += 1
        groups[group] += 1
    assert matched.total() == SENTENCES
    assert matched == Counter(reader.sentences["val"])
    assert min(groups["detected"], groups["ground_truth_added"]) > 1_000


def test_the_real_sentences_in_parts(real, build, in_parts):
    _, root, paths, output = real
    other = build(root, in_parts, splits=["val"], paths=paths)
    assert other.digests() == output.digests()
    assert other.rejected() == output.rejected()
    assert verify(str(output.folder)).problems == []
    output.ledger()
