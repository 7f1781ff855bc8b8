"""What is remembered of a finished shard comes back as it was, or not at all."""

import json
from pathlib import Path

import pytest

from pipelines.shards.state import ShardState, load_state, save_state
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.rejection import Kind, Reason, Rejected
from transforms.ledger import StageLedger

PATH = "coco/train-00000-of-00001.arrow"
STATE = Path("_state", f"{PATH}.json")


@pytest.fixture
def state(make_image, tmp_path):
    """The state of a shard of 5 bytes, saved, and a file in the shard's place."""
    image = make_image()
    ledger = StageLedger(Stage.WRITE)
    ledger.read(image, Kind.IMAGE, 2)
    ledger.kept(image, Kind.IMAGE, 1)
    ledger.reject(image, Kind.IMAGE, "7", Rejected(Reason.IMAGE_TRUNCATED, "it ends early"))
    shard = Shard(
        config="coco", split="train", index=0, of=1, path=PATH, rows=1, bytes=5, sha256="ab"
    )
    state = ShardState.of("print", shard, ledger)
    save_state(str(tmp_path), state)
    (tmp_path / "coco").mkdir()
    (tmp_path / PATH).write_bytes(b"12345")
    return state


def test_a_state_comes_back_as_it_was(state, tmp_path):
    assert load_state(str(tmp_path), PATH, "print") == state
    assert state.counts().total() == 4
    assert json.loads((tmp_path / STATE).read_bytes())["shard"]["bytes"] == 5, "a plain object"


def test_a_state_of_another_shard_is_not_taken(state, tmp_path):
    assert load_state(str(tmp_path), PATH, "other") is None
    (tmp_path / PATH).write_bytes(b"1234")
    assert load_state(str(tmp_path), PATH, "print") is None
    (tmp_path / PATH).unlink()
    assert load_state(str(tmp_path), PATH, "print") is None


def older(content):
    shard = content.pop("shard")
    return content | {"shard_json": json.dumps(shard)}


@pytest.mark.parametrize(
    "spoil",
    [
        older,
        lambda content: content | {"shard": {"config": "coco"}},
        lambda content: content | {"shard": content["shard"] | {"unknown": 1}},
        lambda content: content | {"shard": None},
        lambda content: content | {"tally": 3},
        lambda content: [content],
    ],
    ids=["older", "half", "unknown", "null", "tally", "list"],
)
def test_a_state_that_cannot_be_read_is_not_taken(state, tmp_path, spoil):
    path = tmp_path / STATE
    path.write_text(json.dumps(spoil(json.loads(path.read_bytes()))), encoding="utf-8")
    assert load_state(str(tmp_path), PATH, "print") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"fingerprint": "\xff"}'])
def test_a_damaged_state_is_not_taken(state, tmp_path, content):
    (tmp_path / STATE).write_bytes(content)
    assert load_state(str(tmp_path), PATH, "print") is None
