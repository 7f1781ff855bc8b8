"""Verify: a clean build passes, and each kind of damage and forgery is named.

The forger recomputes every size, hash and count; only what the rows say gives it away.
"""

import hashlib
import os
import random
import shutil
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from pipelines.verify import verify
from pipelines.verify.output import spread
from pipelines.verify.shard import MAX_LINES
from schemas.errors import VerifyError
from schemas.shard import SCHEMA
from tests.pipelines.verify.forger import SHARD


def picture(width: int, height: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height)).save(content, "JPEG")
    return content.getvalue()


def test_a_clean_build_passes(output):
    progress = []
    report = verify(str(output.folder), on_progress=lambda *done: progress.append(done))
    assert report.problems == []
    assert report.ok
    assert (report.rows, report.shards) == (62, 6)
    assert report.bytes == sum(path.stat().st_size for path in output.folder.glob("coco/*"))
    assert progress[-1] == (62, 62)
    assert verify(str(output.folder), workers=2) == report


def test_a_build_by_reference_passes_with_and_without_its_pictures(referring, sample_world):
    assert 0 in [shard["rows"] for shard in referring.json("manifest.json")["shards"]]
    assert referring.problems() == []
    assert referring.problems(image_root=str(sample_world)) == []


def test_a_missing_shard(output):
    (output.folder / SHARD).unlink()
    assert output.problems() == [
        f"{SHARD}: is missing; give the command that wrote the output again"
    ]


def test_an_extra_shard(output):
    extra = "coco/train-00004-of-00004.arrow"
    shutil.copy(output.folder / SHARD, output.folder / extra)
    assert output.problems() == [
        f"{extra}: is not in the manifest, but `load_dataset` may read it; delete it"
    ]


def test_a_changed_count_in_the_card(output):
    card = output.folder / "README.md"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("num_examples: 46", "num_examples: 47"), encoding="utf-8")
    (problem,) = output.problems()
    assert problem.startswith("README.md: coco/train has 47 examples in ")


def test_a_ledger_that_does_not_balance(output):
    ledger = output.json("ledger.json")
    ledger["sources"]["coco"]["train"]["write"]["conversation"]["kept"] += 1
    output.write_json("ledger.json", ledger)
    assert output.problems() == [
        "ledger.json: coco/train: stage write, conversation: read 46, but kept 47 + rejected 0 + "
        "sampled out 0 + with image 0",
        "ledger.json: coco/train: kept 47 conversations, but the manifest has 46 rows",
    ]


def test_a_shard_cut_between_batches(output):
    rows = output.rows()
    second = output.write_rows(rows)
    output.seal()
    assert output.problems() == []
    os.truncate(output.folder / SHARD, second)
    cut = f"{SHARD}: not a whole Arrow stream: breaks off without an end-of-stream marker"
    problems = output.problems()
    assert problems[0].startswith(f"{SHARD}: {second} bytes, expected ")
    assert problems[1:] == [
        f"{cut} (after 5 rows)",
        f"{SHARD}: 5 rows, expected {len(rows)} as in the manifest",
    ]
    output.seal(rows=5)
    assert f"{cut} (after 5 rows)" in output.problems()


def test_a_flipped_byte_anywhere_is_a_line_and_never_a_traceback(output):
    whole = (output.folder / SHARD).read_bytes()
    digest = hashlib.sha256(whole).hexdigest()
    chance = random.Random(0)
    for position in [*range(0, 3_000, 101), *chance.choices(range(len(whole)), k=20)]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << chance.randrange(8)
        (output.folder / SHARD).write_bytes(damaged)
        digest_of_damaged = hashlib.sha256(damaged).hexdigest()
        expected = f"{SHARD}: SHA-256 is {digest_of_damaged}, expected {digest} as in the manifest"
        assert output.problems()[0] == expected


def test_another_schema(output):
    rows = output.rows()
    output.write_rows(rows, SCHEMA.remove_metadata())
    output.seal()
    assert output.problems()[0].startswith(f"{SHARD}: not the Arrow schema of version 2: its meta")
    output.write_rows(rows, SCHEMA.remove(5))
    output.seal()
    assert (
        "version 2: its fields are id, source, split, task, turn_tasks, width, hei"
        in (output.problems()[0])
    )
    output.write_rows(rows, SCHEMA.set(6, pa.field("width", pa.int64())))
    output.seal()
    assert "version 2: width is int64, expected int32" in output.problems()[0]


def test_a_worker_that_dies():
    with pytest.raises(VerifyError, match="a worker process died; if it was killed for want of"):
        list(spread(os._exit, [3, 3], workers=2))


@pytest.mark.parametrize(
    ("forgery", "expected"),
    [
        (
            ("regions", 0, "bbox", [0, 0, 9999, 1]),
            "region 1: box is (0, 0, 9999, 1), expected 0 <=",
        ),
        (
            ("messages", 0, "content", lambda text: text + "<region99>"),
            "<region99> is mentioned, expected numbers from 1 to ",
        ),
        (
            ("messages", 0, "content", lambda text: text + "<region1>"),
            "<region1> is asked about more than once, expected each region once",
        ),
        (("messages", 1, "content", "sofa"), "turn 1: the answer is 'sofa', expected '"),
        (("image", "bytes", lambda old: old[:2000]), "image_truncated: "),
        (("image", "bytes", None), "image_empty: 0 bytes"),
        (("image_hash", None), "image_hash is None, the image has xxh128:"),
        (("image_hash", "xxh128:" + "0" * 32), "image_hash is 'xxh128:0000"),
        (("regions", 0, "area", -1.0), "region 1: area is -1, expected a number of 0 or more"),
        (("image", "bytes", picture(16, 9)), "image is 16 x 9 pixels, the record says "),
        (("image", "path", "../1.jpg"), "image path: file_name '../1.jpg', expected a path below"),
        (("source", "lvis"), "source and split are ('lvis', 'train'), expected ('coco', 'train')"),
        (("split", "val"), "source and split are ('coco', 'val'), expected ('coco', 'train')"),
        (("regions", 0, "mask", "counts", "01"), "region 1: mask: run lengths sum to 1, expected "),
    ],
)
def test_a_forged_row(output, forgery, expected):
    row = output.forge(*forgery)
    about, problems = f"{SHARD}: row {row!r}: ", output.problems()
    assert any(problem.startswith(about + expected) for problem in problems), problems
    assert all(problem.startswith(about) for problem in problems)


def test_a_message_that_is_null_is_a_line_and_no_traceback(output):
    row = output.forge("messages", 0, None)
    about = f"{SHARD}: row {row!r}: "
    (problem,) = [line for line in output.problems() if line.startswith(about)]
    assert "a message, or its role or content, is null" in problem


def test_an_image_that_only_a_full_decode_refuses(output, monkeypatch):
    def fail(self):
        raise OSError("broken data stream")

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", fail)
    assert any("image does not decode: broken data stream" in line for line in output.problems())


def test_an_id_twice_in_a_shard_or_in_two(output):
    row = output.forge("id", output.rows()[7]["id"])
    twice = f"{SHARD}: 2 rows have the id {row!r}"
    assert [line for line in output.problems() if "the order of" not in line] == [twice]
    other = "coco/train-00003-of-00004.arrow"
    with pa.ipc.open_stream(output.folder / other) as stream:
        taken = stream.read_next_batch()["id"][1].as_py()
    output.forge("id", taken)
    assert f"{SHARD}, {other}: 2 rows have the id {taken!r}" in output.problems()


def test_the_lines_about_a_shard_are_capped(output):
    rows = output.rows()
    rows[0]["regions"][0]["bbox"] = [0, 0, 0, 0]
    output.write_rows([rows[0]] * 150)
    output.seal(rows=150)
    problems = output.problems()
    assert problems[MAX_LINES] == f"{SHARD}: and 50 more problems"
    assert problems[MAX_LINES + 1] == f"{SHARD}: 150 rows have the id {rows[0]['id']!r}"


def test_a_referenced_picture_that_is_not_the_annotated_one(referring, sample_world, tmp_path):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    gone, wrong = sorted((root / "coco" / "val2017").iterdir())[:2]
    gone.unlink()
    wrong.write_bytes(picture(16, 9))
    assert referring.problems() == []
    problems = sorted(referring.problems(image_root=str(root)), key=lambda line: "16 x 9" in line)
    assert len(problems) == 2
    assert f"image cannot be read: [Errno 2] No such file or directory: '{gone}'" in problems[0]
    assert "image is 16 x 9 pixels, the record says " in problems[1]


def test_bytes_in_a_build_by_reference(output):
    manifest = output.json("manifest.json")
    manifest["identity"]["recipe"]["images"] = "reference"
    output.write_json("manifest.json", manifest)
    output.write_json("_state/build.json", manifest["identity"])
    problems = output.problems()
    assert len(problems) == 62
    assert problems[0].endswith(" bytes, expected a path only")
