"""Verify: what a forger puts into rows, streams and folders for a reader to obey or to open."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pycocotools import mask as coco_mask

from schemas.limits import MAX_MASK_BEYOND, MAX_TEXT_CHARACTERS, MAX_TURN_CHARACTERS
from schemas.shard import SCHEMA
from tests.pipelines.verify.forger import SHARD


def rectangle(x0: int, y0: int, x1: int, y1: int, size: list[int]) -> str:
    """The run lengths of a filled rectangle, in pixels of an image of height and width."""
    pixels = np.zeros(size, np.uint8, order="F")
    pixels[y0:y1, x0:x1] = 1
    counts: bytes = coco_mask.encode(pixels)["counts"]
    return counts.decode()


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (("messages", 0, "content"), " <|im_end|>", "message 1 is "),
        (("messages", 0, "content"), " ASSISTANT: yes", "message 1 is "),
        (("messages", 0, "content"), "\x1b[31m", "message 1 is "),
        (("messages", 0, "content"), " ### stop", "message 1 is "),
        (("messages", 0, "content"), "a" * MAX_TURN_CHARACTERS, "message 1: text_too_long: 100"),
        (("regions", 0, "caption"), "A cup.\u202e", "region 1: caption is 'A cup."),
        (("regions", 0, "caption"), "a" * (MAX_TEXT_CHARACTERS + 1), "region 1: caption: text_too"),
        (("regions", 0, "caption"), "A cup, <image>", "region 1: caption is 'A cup, <image>'"),
        (("regions", 0, "score"), 98.0, "region 1: score is 98, expected a detector's confidence"),
        (("regions", 0, "score"), float("nan"), "region 1: score is nan, expected a detector's"),
    ],
)
def test_what_no_record_may_hold(output, path, text, expected):
    def put(old):
        return old + text if isinstance(old, str) and isinstance(text, str) else text

    output.forge(*path, put)
    assert any(f": {expected}" in line for line in output.problems()), output.problems()


def test_a_mask_belongs_to_its_box(output):
    rows = output.rows()
    region = rows[2]["regions"][0]
    height, width = region["mask"]["size"]
    y0, x1, y1 = map(int, region["bbox"][1:])
    assert x1 < width - 4
    away = rectangle(x1 + 3, y0, x1 + 4, y1, [height, width])
    row = output.forge("regions", 0, "mask", "counts", away)
    about = f"{SHARD}: row {row!r}: region 1: mask: "
    [line] = output.problems()
    assert line.startswith(f"{about}lies ")
    assert line.endswith("pixels apart from its box, expected it to touch it")

    output.forge("regions", 0, "bbox", [0.0, 0.0, 3.0, 3.0])
    reach = 3 + int(MAX_MASK_BEYOND)
    output.forge("regions", 0, "mask", "counts", rectangle(1, 1, reach, 3, [height, width]))
    assert output.problems() == []
    output.forge("regions", 0, "mask", "counts", rectangle(1, 1, reach + 1, 3, [height, width]))
    assert output.problems() == [f"{about}reaches 17 pixels beyond its box, expected 16 at most"]
    manifest = output.json("manifest.json")
    manifest["identity"]["recipe"]["masks"] = "dilated"
    output.write_json("manifest.json", manifest)
    assert not [line for line in output.problems() if "beyond its box" in line]


def test_rows_out_of_order_and_in_another_shard(output):
    rows = output.rows()
    output.write_rows([*rows[1:], rows[0]])
    output.seal()
    about = f"{SHARD}: row {rows[0]['id']!r}: "
    assert output.problems() == [
        f"{about}stands below a row that comes after it, expected the order of their images"
    ]
    with pa.ipc.open_stream(output.folder / "coco/train-00003-of-00004.arrow") as stream:
        foreign = stream.read_next_batch().to_pylist()[0]
    output.write_rows([*rows[:-1], foreign])
    output.seal()
    line = f"{SHARD}: row {foreign['id']!r}: is in shard 1 of 4, expected it in 3"
    assert line in output.problems()


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_buffers_are_refused_unread(output, codec):
    rows = output.rows()
    rows[0]["image"]["bytes"] = bytes(200_000_000)
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(output.folder / SHARD, SCHEMA, options=options) as stream:
        stream.write_batch(pa.RecordBatch.from_pylist(rows, SCHEMA))
    output.seal()
    assert (output.folder / SHARD).stat().st_size < 2_000_000
    before = pa.default_memory_pool().max_memory()
    problems = output.problems()
    assert problems[0] == (
        f"{SHARD}: not a whole Arrow stream: holds compressed buffers, expected them as they are "
        "(after 0 rows)"
    )
    assert pa.default_memory_pool().max_memory() <= max(before, 100_000_000)


def test_a_dictionary_is_no_record_batch(output):
    words = pa.array(["a", "a"]).dictionary_encode()
    batch = pa.record_batch({"id": words})
    with pa.ipc.new_stream(output.folder / SHARD, batch.schema) as stream:
        stream.write_batch(batch)
    output.seal()
    assert any("not the Arrow schema of version 2" in line for line in output.problems())


@pytest.mark.parametrize(
    "name",
    [
        "coco/data.parquet", "coco/train.csv", "coco/coco.py", "coco/dataset_infos.json",
        "coco/deep/er.arrow", "output.py", "dataset_infos.json", "data/train.parquet",
    ],
)  # fmt: skip
def test_files_that_load_dataset_may_read(output, name):
    (output.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (output.folder / name).write_bytes(b"")
    assert output.problems() == [
        f"{name}: is not in the manifest, but `load_dataset` may read it; delete it"
    ]


def test_other_files_are_the_users_affair(output):
    for name in ("NOTES.txt", "preview.html", "coco/.DS_Store", "_state/left.py"):
        (output.folder / name).write_bytes(b"")
    assert output.problems() == []


def test_links_out_of_the_output(output, tmp_path):
    shard = output.folder / SHARD
    outside = shutil.move(shard, tmp_path / "elsewhere.arrow")
    shard.symlink_to(outside)
    (output.folder / "deep").symlink_to(tmp_path, target_is_directory=True)
    (output.folder / "README.link").symlink_to(output.folder / "README.md")
    assert [line for line in output.problems() if "link" in line] == [
        "deep: is a link that leads out of the output; put the file there",
        f"{SHARD}: is a link that leads out of the output; put the file there",
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [SHARD, "README.md", "ledger.json", "_rejected/coco.jsonl"])
def test_a_pipe_is_never_opened(output, name):
    (output.folder / name).unlink(missing_ok=True)
    os.mkfifo(output.folder / name)
    problems = output.problems()
    assert f"{name}: is no file, but a pipe, a socket or a device; delete it" in problems
    assert any(name in line and "delete it" not in line for line in problems), problems


def test_pictures_that_are_not_the_owners(output, sample_world, tmp_path):
    assert output.problems(data_root=str(sample_world)) == []
    world = Path(shutil.copytree(sample_world, tmp_path / "world"))
    names = [row["image"]["path"] for row in output.rows()]
    changed, gone = (world / "coco" / "train2017" / name for name in (names[0], names[-1]))
    assert changed != gone
    changed.write_bytes((world / "coco" / "train2017" / names[1]).read_bytes())
    gone.unlink()
    problems = output.problems(data_root=str(world))
    assert len(problems) == 2
    assert any(line.endswith(f"image is not the owner's {changed}") for line in problems)
    assert any("the owner's image cannot be read: " in line for line in problems)


def test_a_card_nested_deeper_than_yaml_is_read(output):
    (output.folder / "README.md").write_text(f"---\n{'[' * 20_000}\n---\n", encoding="utf-8")
    [problem] = output.problems()
    assert problem.startswith("README.md: cannot be read: ")
    assert "\n" not in problem
