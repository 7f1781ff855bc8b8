"""RefCOCO's flat form: the real val files beside a second reader, and bad records.

Of the real pictures there is one of val; others are stand-ins of the stated sizes, for some images.

Length: the reader and the records it is held against stand together.
"""

import json
import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.verify import verify
from schemas.errors import BuildError, UsageError
from tests.pipelines.places import PIXELS, same_place

FILES = {
    "refcoco": ("refcoco_val.json", 10_834),
    "refcoco_plus": ("refcoco+_val.json", 10_758),
    "refcocog": ("refcocog_val.json", 4_896),
}
REPEATS = {"refcoco": 566, "refcoco_plus": 662, "refcocog": 7}  # in the whole files


class SecondReader:
    """A flat file and a folder of pictures: what ought to become of each sentence."""

    def __init__(self, file: Path, pictures: Path) -> None:
        self.records = json.loads(file.read_bytes())
        there = {int(path.stem) for path in pictures.iterdir()}
        self.images: dict[int, dict] = {}
        self.boxes: dict[int, set[tuple[float, ...]]] = defaultdict(set)
        self.sentences: dict[int, Counter[tuple[tuple[float, ...], str]]] = defaultdict(Counter)
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.with_image: Counter[str] = Counter()
        seen = set()
        for record in self.records:
            number = int(record["img_id"].split("_")[2])
            x, y, width, height = record["bbox"]
            box = (x, y, x + width, y + height)
            self.images[number] = record
            self.boxes[number].add(box)
            pair = record["img_id"], record["sents"]
            if number not in there:
                self.with_image["sentence"] += 1
            elif pair in seen:
                self.rejected["sentence", "duplicate"] += 1
            else:
                self.sentences[number][box, record["sents"]] += 1
            seen.add(pair)
        self.repeats = len(self.records) - len(seen)
        missing = self.images.keys() - there
        self.rejected["image", "image_missing"] = len(missing)
        self.with_image["annotation"] = sum(len(self.boxes[n]) for n in missing)


@pytest.fixture(scope="module", params=FILES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def real_file(samples, name):
    return samples / "refcoco" / "minigpt4_eval" / FILES[name][0]


@pytest.fixture(scope="module")
def root(samples, name, real_file, made_once):
    """A data root with the real picture and stand-ins for one image in eight, read-only."""

    def lay_out(root):
        folder = root / "coco" / "train2017"
        folder.mkdir(parents=True)
        picture = "000000444010.jpg"
        (folder / picture).symlink_to(samples / "refcoco" / "images" / picture)
        for record in json.loads(real_file.read_bytes()):
            number = int(record["img_id"].split("_")[2])
            path = folder / f"{number:012}.jpg"
            if number % 8 == 0 and not path.exists():
                Image.new("L", (record["width"], record["height"])).save(path)

    return made_once(f"flat_{name}", lay_out)


@pytest.fixture(scope="module")
def reader(root, real_file):
    return SecondReader(real_file, root / "coco" / "train2017")


@pytest.fixture(scope="module")
def output(name, root, real_file, build_source, made_once, output_of):
    """What is built of it, read-only."""

    def build(folder):
        built = build_source(name, root, request={"paths": {"val": str(real_file)}})
        shutil.copytree(built.folder, folder, dirs_exist_ok=True)

    return output_of(made_once(f"flat_{name}_output", build))


def blankless(text: str) -> str:
    """A text as it is compared: blanks around its marks are ours."""
    return "".join(text.split())


def captions(output):
    """Every caption told: image number, box and text."""
    for row in output.rows():
        turns = [message["content"] for message in row["messages"]]
        tasks = row["turn_tasks"]
        for question, answer, task in zip(turns[::2], turns[1::2], tasks, strict=True):
            if task == "region_caption":
                (number,) = re.findall(r"<region(\d+)>", question)
                box = row["regions"][int(number) - 1]["bbox"]
                yield int(row["id"].split("/")[2]), box, answer


def test_the_same_sentences_of_the_same_boxes(output, reader):
    sentences = defaultdict(list)
    for number, box, text in captions(output):
        sentences[number].append((blankless(text), box))
    assert sentences.keys() == reader.sentences.keys()
    for number, pairs in sentences.items():
        expected = sorted(
            (blankless(text), list(box)) for box, text in reader.sentences[number].elements()
        )
        assert [text for text, _ in sorted(pairs)] == [text for text, _ in expected]
        for (_, box), (_, other) in zip(sorted(pairs), expected, strict=True):
            assert same_place(box, other)


def test_no_text_is_tokenised(output, tokenised_in):
    assert tokenised_in(output) == []


def test_counts_agree_reason_by_reason(name, output, reader):
    ledger = output.ledger()
    assert output.booked(ledger, "rejected") == +reader.rejected
    assert output.with_image() == +reader.with_image
    assert not output.sampled_out()
    read = ledger.sources[name]["val"]["read"]
    assert read["sentence"].read == len(reader.records) == FILES[name][1]
    assert read["image"].read == len(reader.images)
    assert read["annotation"].read == sum(map(len, reader.boxes.values()))
    assert reader.repeats == REPEATS[name]


def test_choices_point_at_the_box_the_sentence_is_about(output, reader):
    choices = 0
    for row in output.rows():
        number = int(row["id"].split("/")[2])
        turns = [message["content"] for message in row["messages"]]
        for question, answer in zip(turns[::2], turns[1::2], strict=True):
            if not (match := re.fullmatch(r"Region \[(\d+)\]\.", answer)):
                continue
            box = row["regions"][int(match[1]) - 1]["bbox"]
            texts = [text for other, text in reader.sentences[number] if same_place(box, other)]
            assert any(f'"{blankless(text)}"' in blankless(question) for text in texts)
            choices += 1
    assert choices


def test_every_choice_is_answered_in_one_form_with_its_stop(output):
    answers = [
        message["content"]
        for row in output.rows()
        for task, message in zip(row["turn_tasks"], row["messages"][1::2], strict=True)
        if task == "referring_expression_comprehension"
    ]
    assert answers
    form = r"Region \[\d+\]\.|No corresponding options found\."
    assert [answer for answer in answers if not re.fullmatch(form, answer)] == []


def test_pictures_are_found_by_number(output):
    names = {row["image"]["path"] for row in output.rows()}
    assert all(re.fullmatch(r"train2017/\d{12}\.jpg", name) for name in names)


def test_the_output_is_sound_and_opens(name, output, tmp_path):
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), name, cache_dir=str(tmp_path))
    assert loaded["val"].num_rows == output.manifest().rows(name, "val")


def test_parts_and_order_change_nothing(
    name, root, real_file, output, build_source, in_parts, tmp_path
):
    turned = tmp_path / "turned.json"
    turned.write_text(json.dumps(json.loads(real_file.read_bytes())[::-1]), encoding="utf-8")
    parts = build_source(
        name, root, request={"paths": {"val": str(real_file)}}, launch_options=in_parts
    )
    other = build_source(name, root, request={"paths": {"val": str(turned)}})
    assert output.digests() == parts.digests() == other.digests()
    assert output.rejected() == parts.rejected() == other.rejected()


@pytest.mark.parametrize("merge", [False, True])
def test_shards_are_about_as_large_as_asked(name, root, real_file, build_source, merge):
    size = 400_000
    request = {"paths": {"val": str(real_file)}}
    output = build_source(name, root, request=request, shard_bytes=size, merge=merge)
    shards = [path.stat().st_size for path in output.folder.rglob("*.arrow")]
    assert len(shards) > 3
    assert 0.4 * size < sum(shards) / len(shards) < size


def test_the_test_sentences_of_one_real_picture(samples, tmp_path, build_source):
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "val2014").symlink_to(samples / "refcoco" / "images")
    file = samples / "refcoco" / "minigpt4_eval" / "refcocog_test_one_image.json"
    own = {"paths": {"test": str(file)}}
    output = build_source("refcocog", tmp_path, request=own, style="gpt4roi")
    regions = [region for row in output.rows() for region in row["regions"]]
    (bbox,) = {tuple(region["bbox"]) for region in regions}
    assert {region["area"] for region in regions} == {None}  # a flat file states none
    assert bbox == pytest.approx((75.24, 89.8, 272.63, 354.34), abs=PIXELS)
    assert sorted(text for *_, text in captions(output)) == [
        "a boy drinking milk",
        "a boy with curly hair drinks a glass of milk and has a donut",
    ]


GOOD = [
    {
        "img_id": f"COCO_train2014_{number:012}_{ref}",
        "sents": f"{word} {thing}",
        "bbox": [4 + 20 * ref, 6.5, 15.25, 10],
        "height": 48,
        "width": 64,
    }
    for number in (7, 8)
    for ref, thing in enumerate(("cup", "bowl"))
    for word in ("left", "far")
]
BAD = {
    "no text": ({"sents": None}, "malformed"),
    "blank text": ({"sents": " \t"}, "text_empty"),
    "a novel": ({"sents": "cup " * 2_000}, "text_too_long"),
    "no box": ({"bbox": None}, "malformed"),
    "three numbers": ({"bbox": [1, 2, 3]}, "malformed"),
    "a box that is NaN": ({"bbox": [1, float("nan"), 3, 4]}, "region_rejected"),
    "a box without width": ({"bbox": [1, 2, 0, 4]}, "region_rejected"),
    "a box outside": ({"bbox": [100, 2, 5, 4]}, "region_rejected"),
    "no number of an image": ({"img_id": "cup"}, "malformed"),
    "a path for an image": ({"img_id": "../../000000000007"}, "malformed"),
    "a number for an image": ({"img_id": 7}, "malformed"),
    "text for a height": ({"height": "48"}, "malformed"),
    "another size": ({"height": 47}, "malformed"),
    "the same again": ({}, "duplicate"),
    "the same with other blanks": ({"sents": " left  cup"}, "duplicate"),
}


@pytest.fixture
def flat_file(tmp_path):
    """A data root with the pictures of the good records, in different folders; and a writer."""
    for folder, name in (
        ("val2014", "COCO_val2014_000000000007.jpg"),
        ("train2017", "000000000008.jpg"),
    ):
        path = tmp_path / "coco" / folder / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(path)

    def write(content):
        file = tmp_path / "flat.json"
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_text(text, encoding="utf-8")
        return {"paths": {"train": str(file)}}

    return tmp_path, write


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD)
def test_a_bad_record_is_rejected_alone(flat_file, build_source, changes, reason):
    root, write = flat_file
    output = build_source("refcoco", root, request=write([*GOOD, GOOD[0] | changes]))
    sentences = [item[2] for item in output.rejected() if item[0] == "sentence"]
    assert sentences == [reason]
    good = Counter(record["sents"] for record in GOOD)
    assert Counter(text for *_, text in captions(output)) == good
    output.ledger()


def test_an_image_that_is_not_there_takes_its_box_and_sentence_along(flat_file, build_source):
    root, write = flat_file
    stray = GOOD[0] | {"img_id": "COCO_train2014_000000000009_0"}
    output = build_source("refcoco", root, request=write([*GOOD, stray]))
    assert output.rejected() == [("image", "9", "image_missing")]
    assert output.with_image() == {"annotation": 1, "sentence": 1}


@pytest.mark.parametrize("order", [1, -1])
def test_a_size_that_differs_costs_the_same_sentence_in_any_order(flat_file, build_source, order):
    root, write = flat_file
    records = [*GOOD, GOOD[0] | {"height": 47}][::order]
    output = build_source("refcoco", root, request=write(records))
    assert output.rejected() == [("sentence", "COCO_train2014_000000000007_0/1", "malformed")]


def test_one_box_of_two_refs_is_one_region(flat_file, build_source):
    root, write = flat_file
    again = GOOD[0] | {"img_id": "COCO_train2014_000000000007_5"}
    output = build_source("refcoco", root, request=write([*GOOD, again]))
    assert output.rejected() == []
    assert sum(text == "left cup" for *_, text in captions(output)) == 3
    assert output.ledger().sources["refcoco"]["train"]["read"]["annotation"].kept == 4


def test_a_limit_takes_whole_images(flat_file, build_source):
    root, write = flat_file
    output = build_source("refcoco", root, request=write(GOOD), limit=1)
    read = output.ledger().sources["refcoco"]["train"]["read"]
    for kind, number in (("image", 1), ("annotation", 2), ("sentence", 4)):
        assert (read[kind].kept, read[kind].sampled_out) == (number, number)


@pytest.mark.parametrize("content", ['{"a": 1}', "[1, 2", "", "refs"])
def test_another_file_is_refused_with_what_was_expected(flat_file, build_source, content):
    root, write = flat_file
    with pytest.raises(BuildError, match=r"flat\.json .*not a flat file of sentences"):
        build_source("refcoco", root, request=write(content))


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ({"val": "a.json", "refs": "b.p"}, "either refs and instances, or flat files"),
        ({"annotations": "a.json"}, "reads nothing that is called 'annotations'"),
    ],
)
def test_paths_that_do_not_go_together(tmp_path, build_source, paths, message):
    with pytest.raises(UsageError, match=message):
        build_source("refcoco", tmp_path, request={"paths": paths})


def test_from_the_command_line(flat_file, command_line, build_source, output_of):
    root, write = flat_file
    request = write(GOOD)
    words = ["build", "--sources", "refcoco", "--data-root", root, "--output", root / "out"]
    done = command_line(*words, "--path", f"refcoco.train={request['paths']['train']}")
    assert done.returncode == 0, done.stderr
    built = build_source("refcoco", root, request=request)
    ids = [{row["id"] for row in result.rows()} for result in (built, output_of(root / "out"))]
    assert ids[0] == ids[1]
