"""Areas, captions, attributes and hashes in a record: right ones pass, each wrong one is named."""

import math

import numpy as np
import pytest

from schemas.check import check_record

HASH = "xxh128:" + "0f" * 16


def caption(**values):
    """A right caption with all scores."""
    right = {"kind": "sentence", "text": "A cup.", "clip": 0.25, "clip_min": 0.125, "judge": 0.5}
    return right | values


UNSCORED = caption(clip=None, clip_min=None, judge=None)


def region(**values):
    """A right region with everything that a region may have."""
    right = {
        "region_id": "1",
        "bbox": [0, 0, 4, 4],
        "mask": None,
        "area": 12.5,
        "category": None,
        "score": None,
        "caption": "A cup.",
        "captions": [caption(kind="phrase", text="cup"), caption()],
        "attributes": [{"name": "colour", "value": "red"}],
    }
    return right | values


def record(**values):
    """A right record about this region."""
    return {
        "id": "recapd/train/7/region_detailed_caption/0",
        "source": "recapd",
        "split": "train",
        "task": "region_detailed_caption",
        "turn_tasks": ["region_detailed_caption"],
        "image": {"bytes": None, "path": "7.jpg"},
        "width": 8,
        "height": 6,
        "image_hash": HASH,
        "regions": [region(**values)],
        "messages": [
            {"role": "user", "content": "<image>\nDescribe <region1>."},
            {"role": "assistant", "content": "A cup."},
        ],
        "evaluation": [],
        "licence": "MIT",
        "provenance": {
            "prompts": ["p"],
            "captioner_model": "m",
            "scorer": "clip",
            "judge_model": "judge",
        },
    }


def unscored(**models):
    """The same record without scores, and with these models in provenance."""
    row = record(captions=[UNSCORED])
    row["provenance"] |= {"scorer": None, "judge_model": None} | models
    return row


@pytest.mark.parametrize(
    "row",
    [
        record(),
        record(area=0.0),
        record(area=None, attributes=[]),
        record(caption=None),
        record(captions=[caption(clip=-1.0, clip_min=-1.0, judge=0.0)]),
        record(captions=[caption(clip=1.0, clip_min=1.0, judge=1.0)]),
        record(captions=[caption(clip=float(np.float32(0.31)), clip_min=float(np.float32(0.31)))]),
        record(captions=[caption(clip=0.31, clip_min=0.31001)]),
        record(captions=[UNSCORED, caption()]),
        unscored(),
        unscored() | {"image_hash": None},
    ],
)
def test_a_right_record_passes(row):
    assert check_record(row) == []


def test_a_caption_alone_is_no_problem():
    row = unscored()
    row["regions"][0]["captions"] = []
    assert check_record(row) == []


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"area": -0.5}, "area is -0.5, expected a number of 0 or more"),
        ({"area": math.nan}, "area is nan, expected a number of 0 or more"),
        ({"area": math.inf}, "area is inf, expected a number of 0 or more"),
        ({"score": math.nan}, "score is nan, expected a detector's confidence"),
        ({"score": math.inf}, "score is inf, expected a detector's confidence"),
        ({"captions": None}, "captions are null or hold null, expected a list of captions"),
        ({"captions": [None]}, "captions are null or hold null, expected a list of captions"),
        ({"caption": "A mug."}, "caption is 'A mug.', expected one of its captions"),
        ({"attributes": None}, "attributes are null or hold null, expected a list of attributes"),
        ({"attributes": [None]}, "attributes are null or hold null, expected a list of"),
        (
            {"attributes": [{"name": "", "value": "red"}]},
            "attributes[1]: name is empty, expected a text",
        ),
        (
            {"attributes": [{"name": "colour", "value": " "}]},
            "attributes[1]: value is empty, expected a text",
        ),
        (
            {"attributes": [{"name": "size", "value": "big"}]},
            "attributes[1]: name is 'size', expected colour, material, shape, state, text, attr",
        ),
        (
            {"attributes": [{"name": None, "value": "red"}]},
            "attributes[1]: name is empty, expected a text",
        ),
    ],
)
def test_what_is_wrong_with_a_region_is_named(values, line):
    (problem,) = check_record(record(**values))
    assert problem.startswith(f"region 1: {line}")


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"kind": "poem"}, "kind is 'poem', expected phrase, sentence, paragraph"),
        ({"kind": None}, "kind is None, expected phrase, sentence, paragraph"),
        ({"text": " "}, "text is empty, expected a caption"),
        ({"text": None}, "text is empty, expected a caption"),
        ({"clip": 1.5}, "clip is 1.5, expected -1 to 1"),
        ({"clip": math.nan}, "clip is nan, expected -1 to 1"),
        ({"clip_min": -1.5}, "clip_min is -1.5, expected -1 to 1"),
        ({"clip_min": -math.inf}, "clip_min is -inf, expected -1 to 1"),
        ({"clip_min": 0.2501}, "clip_min is 0.2501, expected at most clip, 0.25"),
        ({"clip_min": None}, "clip is 0.25 and clip_min None, expected both or neither"),
        ({"clip": None}, "clip is None and clip_min 0.125, expected both or neither"),
        ({"judge": 1.5}, "judge is 1.5, expected 0 to 1"),
        ({"judge": -0.5}, "judge is -0.5, expected 0 to 1"),
        ({"judge": math.nan}, "judge is nan, expected 0 to 1"),
    ],
)
def test_what_is_wrong_with_a_caption_is_named(values, line):
    row = record(captions=[caption(**values), caption()])
    assert check_record(row) == [f"region 1: captions[1]: {line}"]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (unscored(scorer="clip"), "provenance.scorer is 'clip', expected null, for no caption has"),
        (unscored(judge_model="j"), "provenance.judge_model is 'j', expected null, for no caption"),
        (
            record() | {"provenance": record()["provenance"] | {"captioner_model": None}},
            "provenance.captioner_model is null or empty, expected the model behind `captions`",
        ),
        (
            record() | {"provenance": record()["provenance"] | {"scorer": None}},
            "provenance.scorer is None, expected the model behind `clip`",
        ),
        (
            record() | {"provenance": record()["provenance"] | {"judge_model": None}},
            "provenance.judge_model is None, expected the model behind `judge`",
        ),
        (
            record() | {"image_hash": "xxh128:" + "0F" * 16},
            f"image_hash is 'xxh128:{'0F' * 16}', expected xxh128: and 32 hexadecimal digits",
        ),
        (record() | {"image_hash": HASH[7:]}, "image_hash is '0f0f"),
        (record() | {"image_hash": HASH + "\n"}, "image_hash is 'xxh128:"),
        (
            record() | {"image": None, "width": None, "height": None},
            f"image_hash is {HASH!r} without an image, expected null",
        ),
    ],
)
def test_what_is_wrong_with_models_and_hashes_is_named(row, line):
    assert any(problem.startswith(line) for problem in check_record(row))
