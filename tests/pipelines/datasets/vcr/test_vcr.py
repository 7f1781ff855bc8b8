"""VCR's files as they may also lie there: cut off, contradictory, unsafe, or not VCR at all.

Length: all cases change one small drawn split, which is described here once.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.vcr import source as vcr
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError, UsageError
from schemas.ledger import Stage
from schemas.rejection import Kind, Rejection
from schemas.sample import ScreenedImage
from schemas.source import Count, SourceImage
from tests.pipelines.datasets.divided import entries_of
from transforms.ledger import StageLedger
from transforms.masks import add_masks
from transforms.screen import screen_image

SIZE = (64, 48)
VCR = {"name": "vcr"}
SQUARE = [[5, 5], [25, 5], [25, 25], [5, 25]]


class Owner:
    """A training split in the owner's format; `save` writes it, with a small val split."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "vcr" / "vcr1images"
        self.lines: list[dict[str, Any] | bytes] = []

    def picture(self, number: int, objects: tuple[str, ...] = ("person", "dog"), **changes: Any):
        """Draw a picture and describe its objects, with some values changed."""
        metadata: dict[str, Any] = {
            "boxes": [[4.5, 4, 26 + place, 30, 0.9] for place, _ in enumerate(objects)],
            "segms": [[SQUARE] for _ in objects],
            "names": list(objects),
            "width": SIZE[0],
            "height": SIZE[1],
        }
        path = self.folder / "film" / f"{number}@0.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(metadata | changes), encoding="utf-8")
        Image.new("RGB", SIZE, (number, 50, 90)).save(path.with_suffix(".jpg"))
        return path

    def line(self, number: int, picture: int, **changes: Any) -> dict[str, Any]:
        """Ask something about a picture, with some values changed."""
        line: dict[str, Any] = {
            "annot_id": f"train-{number}",
            "img_id": f"train-{picture}",
            "img_fn": f"film/{picture}@0.jpg",
            "metadata_fn": f"film/{picture}@0.json",
            "objects": ["person", "dog"],
            "question": ["Why", "is", [0], "here", "?"],
            "question_orig": "Why is 1 here?",
            "answer_choices": [["No", "."], [[0], "walks", [1], "."], ["Yes", "."], ["Ah", "."]],
            "answer_label": 1,
            "rationale_choices": [["It", "is", "out", "."], ["Oh", "."], ["So", "."], ["Hm", "."]],
            "rationale_label": 0,
        }
        line |= changes
        self.lines.append(line)
        return line

    def save(self) -> Path:
        lines = [
            line if isinstance(line, bytes) else json.dumps(line).encode() for line in self.lines
        ]
        (self.root / "vcr" / "train.jsonl").write_bytes(b"\n".join(lines))
        held_out = Owner(self.root)
        held_out.picture(99)
        one = held_out.line(99, 99, annot_id="val-99", img_id="val-99")
        (self.root / "vcr" / "val.jsonl").write_text(json.dumps(one), encoding="utf-8")
        return self.root


@pytest.fixture
def owner(tmp_path):
    """Two good pictures, one question about each."""
    owner = Owner(tmp_path / "root")
    for number in (1, 2):
        owner.picture(number)
        owner.line(number, number)
    return owner


class Reading:
    """What the parser and the screen make of the training split, whole or for so many workers."""

    def __init__(self, root: Path, workers: int | None = None) -> None:
        source = SourceRequest(name="vcr")
        train, _ = make_plan(Recipe(sources=(source,)), str(root), "unused").splits
        self.ledger = StageLedger(Stage.SCREEN)
        self.images: dict[str, ScreenedImage] = {}
        self.counts: Counter[tuple[Kind, str]] = Counter()
        rejections: list[Rejection] = []
        store = FileStore()
        for entry in (
            entries_of(vcr.divide(train, store, workers, {}))
            if workers
            else vcr.parse(train, store)
        ):
            match entry:
                case SourceImage():
                    self.keep(entry)
                case Count():
                    self.counts[entry.kind, entry.outcome] += entry.number
                case Rejection():
                    rejections.append(entry)
                    self.counts[entry.kind, "rejected"] += 1
        rejections += self.ledger.rejections
        self.rejected = sorted((line.kind.value, line.id, line.reason.value) for line in rejections)

    def keep(self, source_image: SourceImage) -> None:
        screened = add_masks(screen_image(source_image, self.ledger), self.ledger)
        self.images[source_image.image.image_id] = screened
        self.counts[Kind.IMAGE, "kept"] += 1
        self.counts[Kind.ANNOTATION, "kept"] += len(source_image.regions)
        self.counts[Kind.QUESTION, "kept"] += len(source_image.items)

    def repaired(self, repair: str) -> int:
        return sum(n for key, n in self.ledger.tally.items() if key[-1] == f"repaired:{repair}")

    def items(self, image_id: str) -> list[str]:
        return [item.id for item in self.images[image_id].items]


@pytest.fixture
def rejected(owner):
    """Reads, expects numbers of items with their image, and returns what was rejected.

    Questions 1 and 2 must come through.
    """

    def read(**with_image: int) -> list[tuple[str, str, str]]:
        whole, parts = Reading(owner.save()), Reading(owner.root, workers=3)
        assert whole.items("train-1")[0] == "train-1"
        assert whole.items("train-2")[0] == "train-2"
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.QUESTION):
            gone = whole.counts[kind, "kept"] + whole.counts[kind, "rejected"]
            assert whole.counts[kind, "with_image"] == with_image.get(kind, 0)
            assert whole.counts[kind, "read"] == gone + with_image.get(kind, 0)
        assert (parts.rejected, parts.images) == (whole.rejected, whole.images)
        assert +parts.counts == +whole.counts
        return whole.rejected

    return read


def conversation(output, image_id: str) -> list[str]:
    (row,) = [row for row in output.rows() if row["id"].split("/")[2] == image_id]
    return [message["content"] for message in row["messages"]]


def test_a_good_question(owner, run_build):
    output = run_build(owner.save(), request=VCR, style="gpt4roi")
    question, answer, _, rationale = conversation(output, "train-1")
    assert question.endswith("region1 <region1> and region2 <region2>. Why is region1 here?")
    assert answer == "Person at region1 walks dog at region2."
    assert rationale == "It is out."
    assert output.rejected() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"answer_label": 4},
        {"answer_label": -1},
        {"answer_label": None},
        {"answer_label": True},
        {"rationale_label": 7},
        {"answer_choices": [["Yes"], ["No"], ["Why"]]},
        {"rationale_choices": None},
        {"question": "Why is 1 here?"},
        {"question": ["Why", {"is": 1}]},
        {"question": ["Why", [2], "?"]},
        {"question": ["Why", [-1], "?"]},
        {"question": ["Why", [], "?"]},
        {"question": ["Why", ["0"], "?"]},
        {"answer_choices": [["No"], [[0, 9]], ["Yes"], ["Ah"]]},
        {"objects": ["person"]},
        {"objects": ["dog", "person"]},
        {"objects": None},
        {"annot_id": ""},
        {"annot_id": 3},
        {"img_id": "a/../b"},
        {"img_fn": None},
        {"img_fn": "film/2@0.jpg"},
        {"metadata_fn": "film/2@0.json"},
    ],
    ids=str,
)
def test_a_line_that_is_malformed(changes, owner, rejected):
    owner.line(3, 1, **changes)
    ((kind, name, reason),) = rejected()
    assert (kind, reason) == ("question", "malformed")
    assert name in {"line 3", "train-3"}


def test_a_choice_that_is_not_the_true_one_may_be_anything(owner, rejected):
    owner.line(3, 1, answer_choices=[["No"], ["Yes"], [[99]], 5])
    assert rejected() == []


@pytest.mark.parametrize(
    "line", [b'{"annot_id": "train-3", "img_id": "tra', b"[]", b"\xff\xfe", b"null", b"0\r"]
)
def test_a_line_that_cannot_be_read(line, owner, rejected):
    owner.lines.insert(1, line)
    assert rejected() == [("question", "line 2", "malformed")]


def test_blank_lines_are_no_lines(owner, rejected):
    owner.lines[1:1] = [b"", b"  \r", b"\t"]
    owner.lines.append(b"")
    assert rejected() == []


def test_what_pythons_json_writes_and_json_does_not_know(owner, rejected):
    owner.line(3, 1, question=["Why", "\ud83d", [0], "?"], interesting_scores=[float("nan")])
    assert rejected() == []


def test_one_id_twice(owner, rejected):
    owner.line(1, 1, question=["A", "zebra", [0], "?"])
    assert rejected() == [("question", "train-1", "duplicate_id")]
    one = Reading(owner.root).images
    owner.lines.reverse()
    assert Reading(owner.save()).images == one


def test_one_id_at_two_pictures(owner, rejected):
    owner.picture(3)
    owner.line(3, 3)
    owner.line(2, 3, question=["Zebra", "?"])
    assert rejected() == [("question", "train-2", "duplicate_id")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"img_fn": "film/none.jpg"}, "image_missing"),
        ({"img_fn": "../film/1@0.jpg"}, "image_unsafe_path"),
        ({"img_fn": "/etc/passwd"}, "image_unsafe_path"),
        ({"img_fn": "http://a.b/c.jpg"}, "image_unsafe_path"),
        ({"metadata_fn": "film/none.json"}, "unreadable_file"),
        ({"metadata_fn": "../../train.jsonl"}, "image_unsafe_path"),
        ({"metadata_fn": "/etc/passwd"}, "image_unsafe_path"),
    ],
)
def test_files_that_cannot_be_taken(changes, reason, owner, rejected):
    owner.picture(3)
    owner.line(3, 3, **changes)
    owner.line(4, 3, **changes)
    assert rejected(**WITH_IMAGE) == [("image", "train-3", reason)]


WITH_IMAGE = {"annotation": 2, "question": 2}  # what image 3 has


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boxes": [[1, 1, 9, 9, 0.9]]}, "malformed"),
        ({"names": ["person", "dog", "cat"]}, "malformed"),
        ({"segms": []}, "malformed"),
        ({"names": None}, "malformed"),
        ({"names": [1, 2]}, "malformed"),
        ({"width": "64"}, "malformed"),
        ({"width": 0}, "image_bad_size"),
        ({"height": 10**6}, "image_bad_size"),
    ],
)
def test_metadata_that_cannot_be_used(changes, reason, owner, rejected):
    owner.picture(3, **changes)
    owner.line(3, 3)
    owner.line(4, 3)
    assert rejected(**WITH_IMAGE) == [("image", "train-3", reason)]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_metadata_that_cannot_be_read(content, owner, rejected):
    owner.picture(3).write_bytes(content)
    owner.line(3, 3)
    owner.line(4, 3)
    assert rejected(**WITH_IMAGE) == [("image", "train-3", "malformed")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boxes": [[1, 1, 9, 9, 0.9], [1, 1, 9, 9]]}, "malformed"),
        ({"boxes": [[1, 1, 9, 9, 0.9], None]}, "malformed"),
        ({"boxes": [[1, 1, 9, 9, 0.9], [1, 1, 9, float("nan"), 0.9]]}, "box_not_finite"),
        ({"boxes": [[1, 1, 9, 9, 0.9], [9, 1, 1, 9, 0.9]]}, "box_inverted"),
    ],
)
def test_an_object_that_cannot_be_used(changes, reason, owner):
    """Questions that need it go with it; others about its image stay."""
    owner.picture(3, **changes)
    owner.line(3, 3)
    owner.line(4, 3, answer_choices=[["No", "."], [[0], "sits", "."], ["Yes", "."], ["Ah", "."]])
    reading = Reading(owner.save())
    region, question = reading.rejected
    assert region == ("annotation", "1", reason)
    assert question[:2] == ("question", "train-3")
    assert question[2] in {"region_rejected", "unknown_region"}
    assert reading.items("train-3") == ["train-4"]


@pytest.mark.parametrize(
    "polygons", [[[5, 5, 25, 5, 25, 25]], [[["5", 5], [25, 5], [25, 25]]], None, "text"]
)
def test_a_mask_that_cannot_be_read_leaves_its_object(polygons, owner):
    owner.picture(3, segms=[[SQUARE], polygons])
    owner.line(3, 3)
    reading = Reading(owner.save())
    assert reading.rejected == []
    assert reading.repaired("mask_malformed") == 1
    first, second = reading.images["train-3"].regions
    assert (first.mask is None, second.mask is None) == (False, True)


@pytest.mark.parametrize(
    ("polygons", "blank"),
    [
        ([], 0),
        ([SQUARE, [[1, 1]], [[3, 3], [4, 4]]], 0),
        ([[[1, 1]]], 1),
        ([[[1, 1], [9, 9]], []], 1),
    ],
)
def test_polygons_without_three_corners(polygons, blank, owner):
    owner.picture(3, segms=[[SQUARE], polygons])
    owner.line(3, 3)
    reading = Reading(owner.save())
    assert reading.rejected == []
    assert reading.repaired("mask_empty") == blank
    assert (reading.images["train-3"].regions[1].mask is None) == (SQUARE not in polygons)


def test_a_score_that_is_no_number_is_no_score(owner):
    owner.picture(3, boxes=[[1, 1, 9, 9, float("nan")], [1, 1, 9, 9, 0.5]])
    owner.line(3, 3)
    regions = Reading(owner.save()).images["train-3"].regions
    assert [region.score for region in regions] == [None, 0.5]


def test_text_cannot_place_a_token(owner, run_build):
    owner.line(3, 1, question=["Is", "<region2>", "or", "<image>", [0], "?", "###"])
    output = run_build(owner.save(), request=VCR)
    rows = [row for row in output.rows() if row["id"].endswith("train-1/region_reasoning/1")]
    text = rows[0]["messages"][0]["content"]
    assert text.endswith("Is (region2) or (image) Region [1]? # # #")


NO_QUESTIONS = (b"", b"\n\n", b"[]", b'{"images": []}')


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        *((content, "holds no question of VCR") for content in NO_QUESTIONS),
        (b"PK\x03\x04zip", "is a zip archive"),
    ],
)
def test_a_file_without_a_question(content, problem, owner, run_build):
    root = owner.save()
    (root / "vcr" / "train.jsonl").write_bytes(content)
    with pytest.raises(InputFileError, match=rf"train\.jsonl .*{problem}"):
        run_build(root, request=VCR)


def test_gd_vcr_is_refused_by_name(owner, run_build):
    owner.line(3, 1, question_orig=["Why", "is", "[person1]", "here", "?"])
    with pytest.raises(InputFileError, match=r"line 3: .* this is GD-VCR, not VCR"):
        run_build(owner.save(), request=VCR)


def test_the_real_gd_vcr_is_refused(samples, owner, run_build):
    root = owner.save()
    look_alike = (samples / "vcr" / "gd_vcr_val_head.jsonl").read_bytes()
    (root / "vcr" / "train.jsonl").write_bytes(look_alike)
    with pytest.raises(InputFileError, match="this is GD-VCR, not VCR"):
        run_build(root, request=VCR)


def test_missing_files_are_named(owner, run_build):
    root = owner.save()
    for split in ("train", "val"):
        (root / "vcr" / f"{split}.jsonl").unlink(missing_ok=True)
    with pytest.raises(UsageError, match=r"missing: .*vcr/train\.jsonl"):
        run_build(root, request=VCR)


def test_files_may_lie_elsewhere(owner, tmp_path, run_build):
    root = owner.save()
    usual = run_build(root, request=VCR)
    (root / "vcr" / "train.jsonl").rename(tmp_path / "mine.jsonl")
    owner.folder.rename(tmp_path / "stills")
    paths = {"train": str(tmp_path / "mine.jsonl"), "images": str(tmp_path / "stills")}
    alone = run_build(root, request={**VCR, "paths": paths})
    assert [path for path in usual.digests() if "train" in path] == list(alone.digests())
    paths["val"] = str(root / "vcr" / "val.jsonl")
    moved = run_build(root, request={**VCR, "paths": paths})
    assert moved.digests() == usual.digests()


def test_every_split_has_its_own_role():
    request = SourceRequest(name="vcr", paths={"val": "/v.jsonl", "metadata": "/m"})
    train, val = vcr.locate("/data", request)
    assert train.files == {"train": "/data/vcr/train.jsonl", "metadata": "/m"}
    assert val.files == {"val": "/v.jsonl", "metadata": "/m"}
    assert train.pictures == val.pictures == "/data/vcr/vcr1images"


def test_all_is_accounted_for(owner, run_build):
    owner.picture(3).unlink()
    owner.line(3, 3)
    output = run_build(owner.save(), request=VCR, limit=1)
    (read,) = [
        stages["read"]
        for split, stages in output.ledger().sources["vcr"].items()
        if split == "train"
    ]
    for kind, total in ((Kind.IMAGE, 3), (Kind.QUESTION, 3), (Kind.ANNOTATION, 6)):
        assert read[kind].read == total
        assert read[kind].kept == read[kind].sampled_out == total // 3
