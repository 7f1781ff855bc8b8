"""The journal of replies: what a crash leaves of it, and whose it is."""

import json

import pytest

from schemas.errors import InputFileError, UsageError
from train.evaluation.journal import JOURNAL, Journal
from train.evaluation.reply import Reply

RUN = {"config": "eval_pope", "batch": 2, "splits": ("val",)}
REPLIES = {
    ("pope/val/1", 0): Reply(text="Yes,\nthere\u2028is", score=0.25, choice_loglik=(-0.5, -2.0)),
    ("pope/val/2", 1): Reply(reason="the picture is damaged"),
    ("pope/val/3", 0): Reply(text=""),
}


@pytest.fixture
def output(tmp_path):
    """The folder of a journal with three replies."""
    with Journal(tmp_path / "run", RUN) as journal:
        journal.add(REPLIES.items())
    return tmp_path / "run"


def test_replies_come_back(output):
    with Journal(output, RUN) as journal:
        assert journal.replies == REPLIES
        journal.add([(("pope/val/4", 0), Reply(text="No"))])
    with Journal(output, RUN) as journal:
        assert journal.replies == REPLIES | {("pope/val/4", 0): Reply(text="No")}


def test_every_length_to_which_a_crash_may_cut_it(output):
    whole = (output / JOURNAL).read_bytes()
    for length in range(len(whole)):
        (output / JOURNAL).write_bytes(whole[:length])
        with Journal(output, RUN) as journal:
            kept = max(0, whole[:length].count(b"\n") - 1)
            assert journal.replies == dict(list(REPLIES.items())[:kept])
            journal.add(list(REPLIES.items())[kept:])
        assert (output / JOURNAL).read_bytes() == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 3}, "an evaluation with batch 2, not 3: name another --output"),
        ({"splits": ["val", "test"]}, r"with splits \['val'\], not \['val', 'test'\]"),
        ({"dtype": "bfloat16"}, "with dtype None, not 'bfloat16'"),
    ],
)
def test_that_of_another_run_is_refused(output, changes, message):
    before = (output / JOURNAL).read_bytes()
    with pytest.raises(UsageError, match=message) as raised:
        Journal(output, RUN | changes)
    assert "\n" not in str(raised.value)
    assert (output / JOURNAL).read_bytes() == before


def test_what_is_no_journal_is_left_alone(output):
    for content in (b"notes\n", b'{"run": 3}\n', b"[]\n"):
        (output / JOURNAL).write_bytes(content)
        with pytest.raises(UsageError, match="no journal: name another --output"):
            Journal(output, RUN)
        assert (output / JOURNAL).read_bytes() == content


def test_a_line_that_is_damaged_is_named(output):
    lines = (output / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[2] = json.dumps({"id": "pope/val/2"}).encode() + b"\n"
    (output / JOURNAL).write_bytes(b"".join(lines))
    with pytest.raises(InputFileError, match=r"replies\.jsonl: line 3: no reply"):
        Journal(output, RUN)


def test_two_processes_do_not_share_it(output):
    with Journal(output, RUN), pytest.raises(UsageError, match="another process writes there"):
        Journal(output, RUN)
