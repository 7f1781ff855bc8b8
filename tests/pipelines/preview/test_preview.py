"""Preview: which records are chosen, and the figures of their build."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pipelines.preview import build_facts, choose
from pipelines.shards.writer import shard_file
from schemas.columns import BuildStamp, Row
from schemas.errors import InputFileError, UsageError
from schemas.ids import rank
from schemas.layout import shard_name
from schemas.ledger import ledger_of
from schemas.manifest import BuildIdentity, Manifest, Shard
from schemas.sample import Conversation, Draft, ImageInfo, Message, Region, Task
from schemas.shard import VERSION

STAMP = BuildStamp(builder="builder 1", recipe="mix", seed=3)


def row(name: str) -> Draft:
    conversation = Conversation(
        id=name,
        turn_tasks=(Task.REGION_CLASSIFICATION,),
        regions=(Region("r", (20.5, 10.25, 60.1, 50.0), category="disc"),),
        messages=(Message("user", "<image>\nWhat is <region1>?"), Message("assistant", "A disc.")),
        prompts=("set/1",),
    )
    image = ImageInfo(
        source="coco",
        split="train",
        image_id=name,
        file_name="p.jpg",
        folder="",
        width=80,
        height=60,
        size_bytes=100,
        licence="CC",
        shards=1,
    )
    return Draft(image, (conversation,))


def write_output(folder: Path, shards: dict[tuple[str, str], list[list[Draft]]], image=b"") -> str:
    entries = []
    for (config, split), parts in shards.items():
        for index, drafts in enumerate(parts):
            name = f"{config}/{shard_name(split, index, len(parts))}"
            with shard_file(str(folder / name), STAMP, embed=True) as (out, sink):
                for draft in drafts:
                    out.images.room(len(image))[:] = image
                    out.images.commit(len(image))
                    (talk,) = draft.conversations
                    out.add(Row(draft.image, draft.image.file_name, talk, (80, 60)))
            entries.append(
                Shard(
                    config=config,
                    split=split,
                    index=index,
                    of=len(parts),
                    path=name,
                    rows=out.rows,
                    bytes=sink.bytes,
                    sha256=sink.sha256(),
                )
            )
    identity = BuildIdentity(
        schema_version=VERSION, builder="builder 1", recipe={"name": "mix"}, sources={}
    )
    manifest = Manifest.model_validate(
        {"identity": identity, "shards": entries, "rejected": {}, "short_categories": {}}
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return str(folder)


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in records]


@pytest.fixture
def output(tmp_path):
    rows = {
        (config, split): [[row(f"{config}/{split}/{number}") for number in range(9)]]
        for config, split in [("coco", "train"), ("coco", "val"), ("lvis", "train")]
    }
    return write_output(tmp_path, rows)


def test_choice_depends_on_ids_alone(tmp_path):
    rows = [row(f"coco/train/{number}/t/0") for number in range(1200)]  # several batches
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    together = write_output(tmp_path / "one", {("coco", "train"): [rows]})
    many = write_output(
        tmp_path / "many",
        {("lvis", "val"): [rows[700:], []], ("coco", "train"): [rows[300:700], rows[299::-1]]},
    )
    expected = sorted((each.image.image_id for each in rows), key=lambda x: rank("preview", x))
    assert ids(choose(together, count=7)) == ids(choose(many, count=7)) == expected[:7]


def test_choice_keeps_to_config_and_split(output):
    everything = ids(choose(output, count=100))
    assert len(everything) == len(set(everything)) == 27
    assert ids(choose(output, config="mix", count=100)) == everything
    inside = ids(choose(output, config="coco", split="val", count=100))
    assert inside == [each for each in everything if each.startswith("coco/val/")]
    with pytest.raises(
        UsageError, match=r"no records of nope are here.*coco / train, coco / val, lvis / train"
    ):
        choose(output, config="nope")


def test_choice_loads_only_the_pictures_it_chose(tmp_path):
    rows = [[row(f"coco/train/{number}") for number in range(40)]]
    output = write_output(tmp_path, {("coco", "train"): rows}, image=bytes(1_000_000))
    tracemalloc.start()
    (chosen,) = choose(output, count=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(chosen["image"]["bytes"]) == 1_000_000
    assert peak < 4_000_000


def test_what_cannot_be_previewed_is_said(output, tmp_path):
    with pytest.raises(InputFileError, match="no output is in "):
        choose(str(tmp_path / "elsewhere"))
    shard = tmp_path / "lvis" / shard_name("train", 0, 1)
    shard.write_bytes(shard.read_bytes()[:-200])
    with pytest.raises(InputFileError, match=r"cannot read the shard .*lvis"):
        choose(output)


def test_facts_add_up_stages_and_splits(output):
    tally = {
        ("coco", "train", "screen", "annotation", "rejected:crowd"): 1000,
        ("coco", "val", "screen", "annotation", "rejected:crowd"): 234,
        ("coco", "val", "write", "image", "rejected:image_truncated"): 5000,
        ("lvis", "train", "sample", "annotation", "sampled_out"): 5,
        ("lvis", "train", "guard", "annotation", "with_image"): 4,
        ("lvis", "train", "screen", "annotation", "repaired:box_clipped"): 6,
    }
    Path(output, "ledger.json").write_text(ledger_of(tally).model_dump_json(), encoding="utf-8")
    facts = build_facts(output)
    assert facts["Records"] == {"coco / train": "9", "coco / val": "9", "lvis / train": "9"}
    assert list(facts["Rejected"].items()) == [
        ("image_truncated (image)", "5,000"),
        ("crowd (annotation)", "1,234"),
    ]
    assert facts["Sampled out"] == {"annotation": "5"}
    assert facts["Left out with a rejected image"] == {"annotation": "4"}
    assert facts["Repaired"] == {"box_clipped (annotation)": "6"}
