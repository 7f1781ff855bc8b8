"""Whole runs of `recap` against servers that fail: every region ends as kept, or with a reason."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipelines.verify import verify
from schemas.errors import BuildError
from schemas.ledger import Stage
from schemas.rejection import Kind

Faults = dict[str, tuple[dict[str, Any], int]]

REFUSES = "I'm sorry, I cannot describe this picture."
REPEATS = "A red box. A red box. A red box. A red box."
GERMAN = "Auf dem Bild ist ein kleiner roter Kasten, der neben der Wand auf dem Boden steht."

# By region: what the server does at which attempts, and how often it is asked in that wording.
MENDED: Faults = {
    "11": ({"status": 429, "retry_after": "0.2", "attempts": [0]}, 2),
    "12": ({"status": 500, "attempts": [0, 1]}, 3),
    "21": ({"delay": 30.0, "attempts": [0]}, 2),
    "22": ({"cut": True, "attempts": [0]}, 2),
    "31": ({"answer": "malformed", "attempts": [0]}, 2),
    "32": ({"answer": "no_choices", "attempts": [0]}, 2),
}
# By region: what it answers in either wording, and the reason of the rejection.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "51": ({"answer": "length"}, "caption_cut"),
    "52": ({"answer": REFUSES}, "caption_refusal"),
    "61": ({"answer": REPEATS}, "caption_repetitive"),
    "62": ({"answer": GERMAN}, "caption_other_language"),
    "71": ({"answer": "empty"}, "caption_empty"),
}
# By region: what happens to every call, and how often it is asked.
REFUSED: Faults = {"91": ({"status": 400}, 1), "92": ({"status": 500}, 5)}


def region(number: str, wording: int = 0) -> str:
    return f"recapd/train/{number[:-1]}/region/{number}/{wording}"


def rules() -> Iterator[dict[str, object]]:
    for number, (fault, _) in {**MENDED, **REFUSED}.items():
        yield {"match": region(number), **fault}
    for number, (fault, _) in BAD.items():
        yield {"match": f"region/{number}/", **fault}
    yield {"match": region("41"), "answer": "empty"}  # the other wording helps
    yield {"match": "train/8/image/", "answer": REFUSES}
    yield {"match": "train/10/image/0", "answer": REFUSES}


def balance(captioned) -> None:
    """Check that nothing is lost or doubled between what was read and what is in the shards."""
    ledger = captioned.output.ledger()
    read = ledger.account("recapd", "train", Stage.READ, Kind.ANNOTATION).read
    written = ledger.account("recapd", "train", Stage.WRITE, Kind.ANNOTATION).kept
    assert written == len(captioned.captions())
    gone = captioned.output.with_image()["annotation"]
    assert read == written + len(captioned.rejected()) + gone
    assert captioned.captions().keys().isdisjoint(captioned.rejected())
    assert set(captioned.noted().values()) <= {1}
    assert verify(str(captioned.folder)).problems == []


def test_every_fault_at_once(coco_file, serve, recap) -> None:
    owner = coco_file().good(*range(1, 13))
    owner.picture(13)  # without regions: nobody is asked about it
    (owner.pictures / "12.jpg").unlink()
    server = serve(*rules())
    captioned = recap(owner.save(), server, servers={"time_limit": 1.0, "retries": 2})

    reasons = {number: reason for number, (_, reason) in BAD.items()}
    reasons |= dict.fromkeys(REFUSED, "caption_failed")
    reasons |= dict.fromkeys(("81", "82"), "no_global_caption")
    assert captioned.rejected() == reasons
    every = {f"{image}{region}" for image in range(1, 13) for region in (1, 2)}
    assert captioned.captions().keys() == every - reasons.keys() - {"121", "122"}
    images = dict.fromkeys(("5", "6", "8", "9", "13"), "no_regions")
    assert captioned.rejected("image") == images | {"12": "image_missing"}
    balance(captioned)

    asked = Counter(f"recapd/train/{image}/image/0" for image in range(1, 12))
    asked += Counter([f"recapd/train/{image}/image/1" for image in (8, 10)])
    asked += Counter(region(number) for number in every if number not in {"81", "82", "121", "122"})
    asked += Counter(region(number, 1) for number in (*BAD, "41"))
    assert captioned.noted() == asked
    for number, (_, times) in {**MENDED, **REFUSED}.items():
        asked[region(number)] = times
    log = server.log()
    assert Counter(line["id"] for line in log) == asked
    lost = {region(number) for number in REFUSED}
    twice = {region(number) for number in ("31", "32")}  # what was malformed, counts as answered
    assert server.answered() == Counter(
        {name: 2 if name in twice else 1 for name in asked.keys() - lost}
    )


@pytest.mark.parametrize(
    ("fault", "reason", "detail"),
    [
        ({"status": 400}, "caption_failed", "as the script says"),
        ({"answer": "length"}, "caption_cut", "There is a "),
    ],
)
def test_rejections_give_details_of_the_fault(
    coco_file, serve, recap, fault, reason, detail
) -> None:
    captioned = recap(coco_file().good(1).save(), serve({"match": "region/11/", **fault}))
    line = json.loads((captioned.folder / "_rejected" / "recapd.jsonl").read_bytes())
    assert (line["id"], line["reason"]) == ("11", reason)
    assert detail in line["detail"]


def test_a_second_wording_is_another(coco_file, serve, recap) -> None:
    server = serve({"match": region("11"), "answer": REFUSES})
    captioned = recap(coco_file().good(1).save(), server)
    calm = recap(coco_file().good(1).save(), serve(), output=captioned.folder.parent / "calm")
    assert server.answered()[region("11", 1)] == 1
    assert captioned.captions()["12"] == calm.captions()["12"]
    assert captioned.captions()["11"] != calm.captions()["11"], "as the prompt is another"


def test_a_server_that_goes_away_for_a_while(coco_file, serve, recap, tmp_path) -> None:
    owner = coco_file().good(*range(1, 9)).save()
    calm = recap(owner, serve(delay=0.01), output=tmp_path / "calm")
    away = {"attempts": [0], "refuse": 0.4}
    server = serve({"match": "train/[26]/region/[26]1/", **away}, delay=0.01)
    captioned = recap(owner, server)
    assert captioned.output.digests() == calm.output.digests()
    assert server.statuses(region("21")) == ["refused", 200]
    balance(captioned)
    assert server.answered() == captioned.noted() == calm.noted()


def test_a_storm(coco_file, serve, recap, tmp_path) -> None:
    owner = coco_file().good(*range(1, 21)).save()
    calm = recap(owner, serve(), output=tmp_path / "calm")
    server = serve(
        {"match": "[13]/0$", "attempts": [0], "status": 429, "retry_after": "0.05"},
        {"match": "2/0$", "attempts": [0, 1], "cut": True},
        {"match": "[57]1/0$", "attempts": [0], "status": 503},
        {"match": "image/0$", "attempts": [0], "answer": "malformed"},
        capacity=6,
    )
    captioned = recap(owner, server, servers={"concurrency": 12}, shard_bytes=20_000)
    balance(captioned)
    assert captioned.noted() == Counter(server.answered().keys())
    assert captioned.captions() == calm.captions()
    once = {name: times for name, times in server.answered().items() if "/region/" in name}
    assert set(once.values()) == {1}


@contextmanager
def dying(server, answers: int) -> Iterator[None]:
    """Kill a server once it has given so many answers."""

    def kill() -> None:
        while server.answered().total() < answers:
            time.sleep(0.01)
        server.stop()

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def test_a_server_that_dies_ends_the_run_which_can_go_on(coco_file, serve, recap, tmp_path) -> None:
    owner = coco_file().good(*range(1, 9)).save()
    calm = recap(owner, serve(), output=tmp_path / "calm")
    server = serve(delay=0.05)
    with dying(server, answers=8), pytest.raises(BuildError, match="same command again") as printed:
        recap(owner, server, servers={"patience": 0.5})
    assert server.url in str(printed.value)
    before = server.answered()
    assert 0 < sum(before.values()) < sum(calm.noted().values())
    assert not (tmp_path / "recapd" / "manifest.json").exists()

    server.start()
    captioned = recap(owner, server)
    assert captioned.output.digests() == calm.output.digests()
    assert captioned.noted() == calm.noted()
    again = [name for name, times in server.answered().items() if times > 1]
    assert len(again) <= 4, "no more than were in flight"
    balance(captioned)


def test_a_server_that_refuses_everything_is_not_held_against_anything(
    coco_file, serve, recap
) -> None:
    owner = coco_file().good(*range(1, 30)).save()
    with pytest.raises(BuildError, match="requests in a row were refused"):
        recap(owner, serve({"status": 400}), shard_bytes=1_000_000)
    captioned = recap(owner, serve(), shard_bytes=1_000_000)
    assert captioned.rejected() == {}
    assert len(captioned.captions()) == 58


def test_a_server_without_the_model_ends_the_run(coco_file, serve, recap) -> None:
    server = serve({"status": 404})
    with pytest.raises(BuildError, match=r"status 404.*--model"):
        recap(coco_file().good(*range(1, 4)).save(), server)
    assert len(server.log()) <= 4, "what was in flight"


def test_nothing_goes_on_after_the_end(coco_file, serve, recap, tmp_path) -> None:
    """Calls in flight when a run gives up are cut off, and write into no closed file."""
    server = serve({"match": "region/11/", "status": 401}, {"match": "region/12/", "delay": 0.3})
    with pytest.raises(BuildError, match="OPENAI_API_KEY"):
        recap(coco_file().good(1).save(), server)
    time.sleep(0.5)
    assert server.statuses(region("12")) in (["gone"], [])
    (journal,) = tmp_path.glob("recapd/_state/captions/*/*")
    assert b"region/12" not in journal.read_bytes()


def test_a_blind_server_is_found_out_before_any_caption(serve, recap_words, tmp_path) -> None:
    server = serve(blind=True)
    words = ["--endpoint", server.url, "--model", "stub", "--no-filter", "--limit", 4]
    status, printed = recap_words(tmp_path / "out", *words)
    assert status == 1
    assert "error: " in printed
    assert server.url in printed
    assert "pictures" in printed
    assert "Traceback" not in printed
    assert {line["id"].split("/")[0] for line in server.log()} == {"canary"}
    assert not (tmp_path / "out").exists()
