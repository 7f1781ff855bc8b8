"""POPE: the 3,000 real questions beside a second reader, and bad lines.

Of the 500 real pictures one is there; in place of the others stand drawings of some pixels.

Length: the real questions are read once for all tests.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.datasets.pope.source import asked_about
from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError

REAL = "COCO_val2014_000000366141.jpg"


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16 + number % 7, 16), (number % 256, 90, 30)).save(path)


class Owner:
    """A data root with POPE's files and pictures of val2014."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pictures = root / "coco" / "val2014"

    def picture(self, number: int) -> str:
        name = f"COCO_val2014_{number:012}.jpg"
        draw(self.pictures / name, number)
        return name

    def write(self, *lines: object, split: str = "random") -> Path:
        """Write a file: bytes as they are, all else as JSON."""
        file = self.root / "pope" / f"coco_pope_{split}.json"
        file.parent.mkdir(exist_ok=True)
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        file.write_bytes(b"".join(text + b"\n" for text in texts))
        return file


@pytest.fixture(scope="module")
def real(samples, tmp_path_factory):
    """The real file, and pictures under all names in it."""
    owner = Owner(tmp_path_factory.mktemp("pope"))
    lines = (samples / "pope" / "coco_pope_random.json").read_text().splitlines()
    owner.write(*map(str.encode, lines))
    for place, name in enumerate(sorted({json.loads(line)["image"] for line in lines} - {REAL})):
        draw(owner.pictures / name, place)
    (owner.pictures / REAL).symlink_to(samples / "pope" / "images" / "000000366141.jpg")
    return owner


@pytest.fixture(scope="module")
def output(real, tmp_path_factory, command_line, output_of):
    """What the recipe makes of the one file of three that is there."""
    folder = tmp_path_factory.mktemp("output")
    words = ["build", "--recipe", "eval_pope", "--data-root", real.root, "--output", folder]
    done = command_line(*words)
    assert done.returncode == 0, done.stderr
    return output_of(folder)


def test_every_real_question_with_its_label(real, output):
    rows = {row["evaluation"][0]["item_id"]: row for row in output.rows()}
    read = set()
    for line in (real.root / "pope" / "coco_pope_random.json").read_text().splitlines():
        asked = json.loads(line)
        row = rows[str(asked["question_id"])]
        assert row["image"]["path"] == asked["image"]
        assert [(turn["role"], turn["content"]) for turn in row["messages"]] == [
            ("user", f"<image>\n{asked['text']}"),
            ("assistant", asked["label"]),
        ]
        assert row["evaluation"][0] == {
            "turn": 0,
            "position": 0,
            "item_id": str(asked["question_id"]),
            "group": "random",
            "references": [asked["label"]],
            "choices": ["yes", "no"],
            "label": ["yes", "no"].index(asked["label"]),
        }
        assert (row["task"], row["regions"]) == ("image_conversation", [])
        read.add(row["id"])
    assert len(read) == len(output.rows()) == 3_000
    assert Counter(row["messages"][1]["content"] for row in output.rows()) == {
        "yes": 1_500,
        "no": 1_500,
    }


def test_nothing_is_lost(output):
    assert output.rejected() == []
    read = output.ledger().sources["pope"]["random"]["read"]
    assert {kind: (account.read, account.kept) for kind, account in read.items()} == {
        "file": (1, 1),
        "image": (500, 500),
        "question": (3_000, 3_000),
    }


def test_the_real_picture_is_whole(samples, output):
    rows = [row for row in output.rows() if row["image"]["path"] == REAL]
    picture = samples / "pope" / "images" / "000000366141.jpg"
    assert [row["image"]["bytes"] for row in rows] == [picture.read_bytes()] * 6
    with Image.open(picture) as opened:
        assert {(row["width"], row["height"]) for row in rows} == {opened.size}


def test_it_is_sound_and_opens_by_the_recipe_s_name(output, tmp_path):
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), "eval_pope", cache_dir=str(tmp_path))
    assert {split: data.num_rows for split, data in loaded.items()} == {"random": 3_000}


def test_parts_and_order_change_nothing(real, build_source, in_parts, tmp_path):
    usual = build_source("pope", real.root, evaluation=True)
    lines = (real.root / "pope" / "coco_pope_random.json").read_bytes().splitlines()
    turned = Owner(tmp_path).write(*reversed(lines))
    request = {"paths": {"random": str(turned)}}
    other = build_source("pope", real.root, request=request, evaluation=True)
    parts = build_source("pope", real.root, evaluation=True, launch_options=in_parts)
    assert usual.digests() == other.digests() == parts.digests()
    assert usual.ledger() == other.ledger() == parts.ledger()


def test_pictures_by_reference(real, build_source):
    output = build_source("pope", real.root, evaluation=True, images="reference")
    (row, *_) = [row for row in output.rows() if row["image"]["path"].endswith(REAL)]
    assert row["image"] == {"bytes": None, "path": f"coco/val2014/{REAL}"}
    assert verify(str(output.folder), image_root=str(real.root)).problems == []


def test_the_pictures_that_are_asked_about(real):
    content = (real.root / "pope" / "coco_pope_random.json").read_bytes()
    numbers = asked_about(content, "pope.json")
    assert len(numbers) == 500
    assert 366141 in numbers
    with pytest.raises(InputFileError, match=r"pope\.json .*no question of POPE"):
        asked_about(b"[]", "pope.json")


def question(number: int, picture: int, label: object = "yes", **changes: object) -> dict[str, Any]:
    return {
        "question_id": number,
        "image": f"COCO_val2014_{picture:012}.jpg",
        "text": f"Is there a {number} in it?",
        "label": label,
    } | changes


GOOD = [question(1, 7), question(2, 7, "no"), question(10, 8, "no"), question(11, 8)]
# What is wrong, the line, whether its id can be read, and the reason it is refused for.
BAD = {
    "no JSON": (b'{"question_id": 20,', False, "malformed"),
    "no text in UTF-8": (b'{"question_id": 21, "text": "\xff"}', False, "malformed"),
    "a list": ([question(22, 7)], False, "malformed"),
    "brackets without end": (b"[" * 100_000, False, "malformed"),
    "no label": ({"question_id": 23, "image": "x.jpg", "text": "Is it?"}, False, "malformed"),
    "another label": (question(24, 7, "maybe"), True, "malformed"),
    "a label that is no text": (question(26, 7, label=True), False, "malformed"),
    "no id": (question(0, 7, question_id=None), False, "malformed"),
    "an id that is text": (question(0, 7, question_id="27"), False, "malformed"),
    "a number for an image": (question(28, 7, image=7), False, "malformed"),
    "a path": (question(29, 7, image="../COCO_val2014_000000000007.jpg"), True, "malformed"),
    "another folder's image": (question(30, 7, image="000000000007.jpg"), True, "malformed"),
    "no text": (question(31, 7, text=None), False, "malformed"),
    "blank text": (question(32, 7, text=" \t"), True, "text_empty"),
    "a novel": (question(33, 7, text="Is it? " * 1_000), True, "text_too_long"),
    "an id that is taken": (question(1, 8), True, "duplicate_id"),
}


@pytest.fixture
def owner(tmp_path):
    """Two pictures, about which the good questions are."""
    owner = Owner(tmp_path / "root")
    for number in (7, 8):
        owner.picture(number)
    return owner


def answers(output) -> list[tuple[int, str, str]]:
    """Every question by its id: the text without the image, and the answer."""
    return sorted(
        (int(row["evaluation"][0]["item_id"]), *(turn["content"] for turn in row["messages"]))
        for row in output.rows()
    )


EXPECTED = [(int(one["question_id"]), f"<image>\n{one['text']}", one["label"]) for one in GOOD]


@pytest.fixture(scope="module", params=[1, -1], ids=["bad lines last", "bad lines first"])
def spoilt(request, tmp_path_factory, build_source):
    """All bad lines among the good ones: the lines in order, and what was built."""
    owner = Owner(tmp_path_factory.mktemp("root"))
    for number in (7, 8):
        owner.picture(number)
    lines = [*GOOD, *(line for line, *_ in BAD.values())][:: request.param]
    owner.write(*lines)
    return lines, build_source("pope", owner.root, evaluation=True)


@pytest.mark.parametrize(("line", "named", "reason"), BAD.values(), ids=BAD)
def test_a_bad_line_is_named_and_refused(spoilt, line, named, reason):
    lines, output = spoilt
    name = str(line["question_id"]) if named else f"line {lines.index(line) + 1}"
    assert ("question", name, reason) in output.rejected()


def test_bad_lines_spoil_no_others(spoilt):
    _, output = spoilt
    assert Counter(reason for kind, _, reason in output.rejected() if kind == "question") == (
        Counter(reason for *_, reason in BAD.values())
    )
    assert answers(output) == EXPECTED  # of lines with one id, the one whose text sorts first
    output.ledger()
    assert verify(str(output.folder)).problems == []


def test_a_missing_picture_takes_its_questions_along(owner, build_source):
    owner.write(*GOOD, question(3, 9), question(4, 9, "no"))
    output = build_source("pope", owner.root, evaluation=True)
    assert output.rejected() == [("image", "9", "image_missing")]
    assert output.with_image() == {"question": 2}
    assert answers(output) == EXPECTED


def test_a_picture_that_cannot_be_read_takes_its_questions_along(owner, build_source):
    owner.write(*GOOD, question(3, 9))
    (owner.pictures / "COCO_val2014_000000000009.jpg").write_bytes(b"not a picture")
    output = build_source("pope", owner.root, evaluation=True)
    assert ("image", "9", "image_not_an_image") in output.rejected()
    assert output.with_image()["question"] == 1
    assert answers(output) == EXPECTED
    output.ledger()


def test_blank_lines_ends_of_windows_and_further_keys_do_no_harm(owner, build_source):
    lines = [json.dumps(one | {"category": "x"}).encode() + b"\r" for one in GOOD]
    owner.write(b"", *lines, b"  ")
    output = build_source("pope", owner.root, evaluation=True)
    assert output.rejected() == []
    assert answers(output) == EXPECTED


def test_text_is_disarmed(owner, build_source):
    owner.write(question(1, 7, text="Is  <image> in\n<region1>? ### USER: hm"))
    output = build_source("pope", owner.root, evaluation=True)
    assert answers(output) == [(1, "<image>\nIs (image) in (region1)? # # # USER : hm", "yes")]
    assert verify(str(output.folder)).problems == []


def test_the_group_is_the_split(owner, build_source):
    for split in ("random", "popular", "adversarial"):
        owner.write(*GOOD, split=split)
    output = build_source("pope", owner.root, evaluation=True)
    groups = Counter((row["split"], row["evaluation"][0]["group"]) for row in output.rows())
    assert groups == {(split, split): 4 for split in ("random", "popular", "adversarial")}
    assert verify(str(output.folder)).problems == []


def test_a_limit_takes_whole_pictures(owner, build_source):
    owner.write(*GOOD)
    output = build_source("pope", owner.root, evaluation=True, limit=1)
    read = output.ledger().sources["pope"]["random"]["read"]
    assert (read["image"].kept, read["image"].sampled_out) == (1, 1)
    assert (read["question"].kept, read["question"].sampled_out) == (2, 2)


@pytest.mark.parametrize("lines", [[], [[]], [b"["], [b"one, two"]])
def test_another_file_is_refused_with_what_was_expected(owner, build_source, lines):
    owner.write(*lines)
    with pytest.raises(InputFileError, match=r"coco_pope_random\.json .*no question of POPE"):
        build_source("pope", owner.root, evaluation=True)


def test_a_list_and_capitals_read_as_the_owners_lines_do(owner, build_source):
    owner.write([{**line, "label": line["label"].title()} for line in GOOD])
    output = build_source("pope", owner.root, evaluation=True)
    assert answers(output) == EXPECTED
    assert output.rejected() == []


def test_a_bad_item_of_a_list_is_named_by_its_place(owner, build_source):
    owner.write([*GOOD, question(24, 7, label=True)])
    output = build_source("pope", owner.root, evaluation=True)
    assert answers(output) == EXPECTED
    assert output.rejected() == [("question", "[4]", "malformed")]


def test_it_is_for_evaluation_only(owner, build_source):
    owner.write(*GOOD)
    with pytest.raises(UsageError, match="'pope' has no tasks in the regiongpt style"):
        build_source("pope", owner.root)
    with pytest.raises(UsageError, match=r"missing: .*val2014"):
        build_source("pope", owner.root / "elsewhere", evaluation=True)
