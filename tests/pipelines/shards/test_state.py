"""What is remembered of a finished shard comes back as it was, or not at all."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipelines.shards.options import InputDigests
from pipelines.shards.state import ShardState, finished_shards, load_state, save_state
from schemas.ledger import Stage
from schemas.manifest import Shard, TurnCount
from schemas.rejection import Kind, Reason, Rejected, Repair
from transforms.ledger import Ledgers

PATH = "coco/train-00000-of-00001.arrow"
STATE = Path("_state", f"{PATH}.json")
INPUTS = InputDigests(identity="of all", pictures="of a folder")


@pytest.fixture
def cause():
    """Why a picture is left out of the shard."""
    return Rejected(Reason.IMAGE_TRUNCATED, "it ends early")


@pytest.fixture
def state(make_image, cause, tmp_path):
    """The state of a shard of 5 bytes, saved, and a file in the shard's place."""
    image, ledgers = make_image(), Ledgers()
    ledgers[Stage.SCREEN].repaired(image, Kind.ANNOTATION, Repair.MASK_MALFORMED)
    ledgers[Stage.COMPOSE].read(image, Kind.IMAGE, 3)
    ledgers[Stage.COMPOSE].reject(image, Kind.IMAGE, "8", Rejected(Reason.NOT_USED, "no task"))
    ledgers[Stage.WRITE].read(image, Kind.IMAGE, 2)
    ledgers[Stage.WRITE].reject(image, Kind.IMAGE, "7", cause)
    shard = Shard(
        config="coco",
        split="train",
        index=0,
        of=1,
        path=PATH,
        rows=1,
        bytes=5,
        sha256="ab",
        turns={"t": TurnCount(turns=1, words=2)},
    )
    state = ShardState.of(INPUTS, "print", shard, ledgers)
    save_state(str(tmp_path), state)
    (tmp_path / "coco").mkdir()
    (tmp_path / PATH).write_bytes(b"12345")
    return state


def test_a_state_comes_back_as_it_was(state, tmp_path):
    assert load_state(str(tmp_path), PATH) == state
    assert json.loads((tmp_path / STATE).read_bytes())["shard"]["bytes"] == 5, "a plain object"


def test_a_state_restores_what_every_stage_counted(state, make_image):
    ledgers = Ledgers()
    ledgers[Stage.WRITE].read(make_image(), Kind.IMAGE, 10)
    state.restore(ledgers)
    key = ("coco", "train")
    assert ledgers.tally() == {
        (*key, "screen", "annotation", "repaired:mask_malformed"): 1,
        (*key, "compose", "image", "read"): 3,
        (*key, "compose", "image", "rejected:not_used"): 1,
        (*key, "write", "image", "read"): 12,
        (*key, "write", "image", "rejected:image_truncated"): 1,
    }
    rejections = ledgers.take_rejections()
    assert sorted((item.stage, item.id) for item in rejections) == [
        ("compose", "8"),
        ("write", "7"),
    ]


def test_a_shard_that_is_gone_or_short_has_no_state(state, tmp_path):
    (tmp_path / PATH).write_bytes(b"1234")
    assert load_state(str(tmp_path), PATH) is None
    (tmp_path / PATH).unlink()
    assert load_state(str(tmp_path), PATH) is None


def test_a_state_in_the_place_of_another_is_not_taken(state, tmp_path):
    other = PATH.replace("train", "val")
    (tmp_path / other).write_bytes(b"12345")
    (tmp_path / "_state" / f"{other}.json").write_bytes((tmp_path / STATE).read_bytes())
    assert load_state(str(tmp_path), other) is None


@pytest.mark.parametrize(
    ("inputs", "finished"),
    [
        ({("coco", "train"): INPUTS}, {PATH}),
        ({("coco", "train"): replace(INPUTS, pictures="more")}, set()),
        ({("coco", "train"): replace(INPUTS, identity="another")}, set()),
        ({("coco", "val"): INPUTS}, set()),
        ({("lvis", "train"): INPUTS}, set()),
    ],
)
def test_shards_are_finished_for_their_inputs_only(state, tmp_path, inputs, finished):
    assert finished_shards(str(tmp_path), inputs) == finished


def test_no_shard_is_finished_where_there_is_no_output(tmp_path):
    assert finished_shards(str(tmp_path / "none"), {("coco", "train"): INPUTS}) == set()


@pytest.mark.parametrize(
    "cause",
    [Rejected(reason, "?") for reason in (Reason.IMAGE_MISSING, Reason.IMAGE_UNREADABLE)],
)
def test_a_shard_whose_pictures_may_be_readable_now_is_not_finished(state, tmp_path):
    assert load_state(str(tmp_path), PATH) is None
    assert finished_shards(str(tmp_path), {("coco", "train"): INPUTS}) == set()


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
    assert load_state(str(tmp_path), PATH) is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"fingerprint": "\xff"}'])
def test_a_damaged_state_is_not_taken(state, tmp_path, content):
    (tmp_path / STATE).write_bytes(content)
    assert load_state(str(tmp_path), PATH) is None
