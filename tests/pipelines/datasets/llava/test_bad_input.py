"""Bad records among LLaVA's, each with its reason, and none that spoils its neighbours."""

from copy import deepcopy
from functools import partial

import pytest

from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError

GOOD = "000000000003.jpg"  # a picture that is there
PLACE = f"coco/train2017/{GOOD}"


def turns(*texts):
    return [
        {"from": ("human", "gpt")[place % 2], "value": text} for place, text in enumerate(texts)
    ]


BAD = {
    "two humans": {"conversations": [*turns("<image>\na"), *turns("b")]},
    "gpt begins": {"conversations": turns("<image>\na", "b", "c")[1:]},
    "odd number": {"conversations": turns("<image>\na", "b", "c")},
    "no turn": {"conversations": []},
    "no turns": {"conversations": None},
    "another role": {"conversations": [{"from": "system", "value": "<image>"}]},
    "no value": {"conversations": [{"from": "human"}]},
    "token in the middle": {"conversations": turns("What does <image> show?", "b")},
    "token later": {"conversations": turns("a", "b", "<image>\nc", "d")},
    "token twice": {"conversations": turns("<image>\na\n<image>", "b")},
    "token in the answer": {"conversations": turns("<image>\na", "<image>")},
    "no token": {"conversations": turns("a", "b")},
    "token without image": {"image": None},
}
EMPTY = {
    "invisible request": turns("<image>\n\u200b", "b"),
    "empty answer": turns("<image>\na", " \n"),
    "empty later": turns("<image>\na", "b", "", "d"),
    "empty twice": turns("<image>", "b", "", "d"),
}


@pytest.fixture
def build_it(build_source):
    return partial(build_source, "llava")


def test_bad_records_go_and_their_neighbours_stay(instruct, build_it, said_in, instruct_said):
    for fault, changes in BAD.items():
        record = instruct.record(GOOD, "<image>\na", "b") | {"id": fault} | changes
        instruct.records.pop()
        instruct.records.insert(2, record)
    instruct.save()
    built = build_it(instruct.root)
    dialogues = [item for item in built.rejected() if item[0] == "dialogue"]
    assert dialogues == sorted(("dialogue", fault, "malformed") for fault in BAD)
    images = set(built.rejected()) - set(dialogues)
    assert images <= {("image", fault, "no_regions") for fault in BAD}
    assert said_in(built) == instruct_said
    built.ledger()


def test_empty_turns_are_refused(instruct, build_it, said_in, instruct_said):
    for fault, conversations in EMPTY.items():
        instruct.record(GOOD, id=fault, conversations=conversations)
    instruct.save()
    built = build_it(instruct.root)
    refused = [(kind, id_.partition(".")[0], reason) for kind, id_, reason in built.rejected()]
    assert refused == sorted(("dialogue", fault, "text_empty") for fault in EMPTY)
    assert said_in(built) == instruct_said


def test_a_text_begins_with_a_request(instruct, build_it, said_in, instruct_said):
    instruct.record(None, "", "Once upon a time.", id="tale")
    instruct.save()
    built = build_it(instruct.root)
    ((kind, _, reason), (_, item_id, also)) = built.rejected()
    assert (kind, reason, item_id, also) == ("dialogue", "text_empty", "tale", "no_regions")
    assert said_in(built) == instruct_said


def test_what_is_no_record_is_named_by_its_place(instruct, build_it, said_in, instruct_said):
    instruct.records[1:1] = [7, {"id": "x", "image": 7, "conversations": []}, {}]
    instruct.save()
    built = build_it(instruct.root)
    assert built.rejected() == [
        ("dialogue", f"records[{place}]", "malformed") for place in (1, 2, 3)
    ]
    assert said_in(built) == instruct_said


def test_pictures_that_cannot_be_used(instruct, build_it, said_in, instruct_said):
    for name in ("../secret.jpg", "gone.jpg", "sam/images/1.jpg", "/etc/a.jpg"):
        instruct.record("a.jpg", "<image>\na", "b", id=f"of {name}", image=name)
    (instruct.root / "secret.jpg").write_bytes(b"secret")
    (instruct.root / "coco/train2017/empty.jpg").write_bytes(b"")
    (instruct.root / "coco/train2017/text.jpg").write_bytes(b"no picture at all")
    for name in ("empty.jpg", "text.jpg"):
        instruct.record(name, "<image>\na", "b", id=f"of {name}")
    instruct.save()
    built = build_it(instruct.root)
    images = {item_id: reason for kind, item_id, reason in built.rejected() if kind == "image"}
    assert images == {
        "../secret.jpg": "image_unsafe_path",
        "/etc/a.jpg": "image_unsafe_path",
        "coco/train2017/gone.jpg": "image_missing",
        "sam/images/1.jpg": "image_missing",
        "coco/train2017/empty.jpg": "image_empty",
        "coco/train2017/text.jpg": "image_not_an_image",
    }
    assert {kind for kind, *_ in built.rejected()} == {"image"}
    # The conversation of text.jpg was composed before the picture was opened.
    assert built.with_image() == {"dialogue": 6, "conversation": 1}
    assert said_in(built) == instruct_said
    assert verify(str(built.folder)).problems == []


def test_repeats_are_duplicates(instruct, build_it, said_in, instruct_said):
    instruct.records += deepcopy(instruct.records[:2])
    instruct.record(GOOD, "<image>\nQuestion 0 of 3?", "Another answer.")
    instruct.save()
    built = build_it(instruct.root)
    assert [reason for _, _, reason in built.rejected()] == ["duplicate"] * 2
    assert said_in(built) == sorted(
        [*instruct_said, (PLACE, ("<image>\nQuestion 0 of 3?", "Another answer."))]
    )


def test_a_turn_of_a_megabyte(instruct, build_it, said_in, instruct_said):
    instruct.record(GOOD, "<image>\nTell.", "word " * 250_000, id="long")
    instruct.record(GOOD, "<image>\nTell.", "word " * 10_000 + "end", id="longish")
    instruct.save()
    built = build_it(instruct.root)
    ((_, item_id, reason),) = built.rejected()
    assert (item_id.partition(".")[0], reason) == ("long", "text_too_long")
    assert said_in(built) == sorted(
        [*instruct_said, (PLACE, ("<image>\nTell.", "word " * 10_000 + "end"))]
    )


def test_text_that_looks_like_ours_is_disarmed(instruct, build_it, said_in):
    text = "def f(x):\n    return x <region1> ### USER: </s> caf\u00e9 \ud83d\ude00 \ud83d"
    instruct.records = []
    instruct.record(GOOD, "<image>\nCode?", text)
    instruct.save()
    built = build_it(instruct.root)
    answer = said_in(built)[0][1][1]
    assert answer == (
        "def f(x):\n    return x (region1) # # # USER : (/s) caf\u00e9 \U0001f600 \ufffd"
    )
    assert verify(str(built.folder)).problems == []


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"id": "1", "conv', b"\xff\xfe[]"])
def test_a_file_that_cannot_be_read_is_named(instruct, build_it, content):
    instruct.save().write_bytes(content)
    with pytest.raises(InputFileError, match=r"llava_instruct_150k\.json.*not a whole"):
        build_it(instruct.root)


def test_no_file_is_an_error_that_says_where_to_get_it(tmp_path, build_it):
    with pytest.raises(UsageError, match=r"llava_instruct_150k\.json.*https://huggingface\.co"):
        build_it(tmp_path)


PICTURE = {"image": GOOD}
TURNS = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A box."}]
USERS = [{**TURNS[0], "from": "user"}, {**TURNS[1], "from": "assistant"}]
MESSAGES = [
    {"role": "user", "content": "<image>What is it?"},
    {"role": "assistant", "content": "A box."},
]
WITH_PICTURE = ["<image>\nWhat is it?", "A box."]
# What users write in LLaVA's format, and the turns that it plainly holds; None: it is refused.
OF_USERS = {
    "a number as id": ({"id": 1, **PICTURE, "conversations": TURNS}, WITH_PICTURE),
    "no id": ({**PICTURE, "conversations": TURNS}, WITH_PICTURE),
    "a list of one picture": ({"id": 4, "image": [GOOD], "conversations": TURNS}, WITH_PICTURE),
    "user and assistant": ({"id": 6, **PICTURE, "conversations": USERS}, WITH_PICTURE),
    "messages": ({"id": 7, "images": [GOOD], "messages": MESSAGES}, WITH_PICTURE),
    "an empty picture": (
        {"id": 9, "image": "", "conversations": [{**TURNS[0], "value": "Hi"}, TURNS[1]]},
        ["Hi", "A box."],
    ),
    "two pictures": ({"id": 3, "image": [GOOD, "000000000004.jpg"], "conversations": TURNS}, None),
    "the picture in a later turn": (
        {"id": 5, **PICTURE, "conversations": [{**TURNS[0], "value": "Hi"}, TURNS[1], *TURNS]},
        None,
    ),
    "a system prompt": (
        {"id": 8, **PICTURE, "conversations": [{"from": "system", "value": "Be brief."}, *TURNS]},
        None,
    ),
}


@pytest.mark.parametrize(("record", "turns"), OF_USERS.values(), ids=OF_USERS)
def test_records_of_users(instruct, build_it, record, turns):
    instruct.records[:] = [record, {**GOOD_RECORD}]
    instruct.save()
    built = build_it(instruct.root)
    said = [[turn["content"] for turn in row["messages"]] for row in built.rows()]
    assert sorted(said) == sorted([["Hello", "Bye"], *([turns] if turns else [])])
    refused = [(kind, reason) for kind, _, reason in built.rejected() if kind == "dialogue"]
    assert refused == ([] if turns else [("dialogue", "malformed")])
    built.ledger()


GOOD_RECORD = {
    "id": "good",
    "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Bye"}],
}


def test_a_record_whose_id_is_empty_has_one_made_of_its_text(llava_file, build_source):
    llava_file.picture("1.jpg")
    llava_file.record("1.jpg", "<image>\nWhat?", "A cup.", id="")
    llava_file.record("1.jpg", "<image>\nWhat?", id="")
    llava_file.save()
    output = build_source("llava", llava_file.root)
    ((kind, item, reason),) = output.rejected()
    assert (kind, reason) == ("dialogue", "malformed")
    assert item.startswith("record.")
    assert output.ledger().problems() == []
    assert len(output.rows()) == 1
