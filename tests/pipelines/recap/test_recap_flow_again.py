"""Later runs of `recap`, after something has changed: they ask again about that alone."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from pipelines.recap.clip.scorer import Score
from pipelines.recipes.recap import Filter
from schemas.errors import BuildError

BLUE = (20, 40, 220)


class Scorer:
    """Scores by the hash of pixels and caption, and remembers how many pairs."""

    identity = "hash"
    pairs = 0

    def score(self, crops, captions):
        Scorer.pairs += len(crops)
        pairs = zip(crops, captions, strict=True)
        ranks = [sha256(crop.tobytes() + text.encode()).digest()[0] / 256 for crop, text in pairs]
        return [Score(rank, rank / 2) for rank in ranks]


def painted(path: Path, size: int | None = None) -> None:
    """Replace a picture by a blue one of the same width and height, and of so many bytes."""
    with Image.open(path) as image:
        shape = image.size
    Image.new("RGB", shape, BLUE).save(path)
    if size is not None:
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))


def requests(*images: int) -> set[str]:
    return {
        f"recapd/train/{image}/{rest}/0"
        for image in images
        for rest in ("image", f"region/{image}1", f"region/{image}2")
    }


@pytest.mark.parametrize("same_size", [True, False])
def test_another_picture_is_captioned_and_scored_anew(coco_file, serve, recap, same_size) -> None:
    owner, server = coco_file().good(*range(1, 7)).save(), serve()
    filtered = {"kept": Filter(threshold=-1, scorer="hash"), "scorer": Scorer}
    before = recap(owner, server, **filtered)
    regions = before.output.regions()
    server.forget()
    Scorer.pairs = 0
    picture = owner.pictures / "2.jpg"
    painted(picture, picture.stat().st_size if same_size else None)
    after = recap(owner, server, **filtered)
    assert server.answered() == dict.fromkeys(requests(2), 1)
    assert Scorer.pairs == 2
    pixels = {row["image"]["path"]: row["image"]["bytes"] for row in after.output.rows()}
    assert pixels["2.jpg"] == picture.read_bytes()
    regions_after = after.output.regions()
    assert regions_after["21"]["captions"] != regions["21"]["captions"]
    assert {key: regions_after[key] for key in regions_after if key[0] != "2"} == {
        key: regions[key] for key in regions if key[0] != "2"
    }

    server.stop()  # the same once more takes no call
    assert recap(owner, server, **filtered).output.digests() == after.output.digests()


def test_a_trial_that_was_refused_is_mended_with_the_server(coco_file, serve, recap) -> None:
    owner = coco_file().good(1, 2).save()
    for _ in range(2):
        with pytest.raises(BuildError, match="nothing was kept"):
            recap(owner, serve({"status": 400}))
    server = serve()
    captioned = recap(owner, server)
    assert captioned.rejected() == {}
    assert server.answered().keys() == requests(1, 2)


def test_what_was_refused_is_asked_once_more(coco_file, serve, recap) -> None:
    owner = coco_file().good(*range(1, 4)).save()
    first = recap(owner, serve({"match": "region/[12]1/", "status": 400}))
    assert first.rejected() == dict.fromkeys(("11", "21"), "caption_failed")
    captions = first.captions()
    server = serve({"match": "region/11/", "status": 400})
    second = recap(owner, server)
    asked = Counter(line["id"] for line in server.log())
    assert asked == dict.fromkeys((f"recapd/train/{k}/region/{k}1/0" for k in (1, 2)), 1)
    assert second.rejected() == {"11": "caption_failed"}
    assert second.captions().keys() - captions.keys() == {"21"}


def test_many_that_are_refused_again_do_not_end_a_run(coco_file, serve, recap) -> None:
    """More than what ends a run where none was answered before."""
    owner = coco_file().good(*range(1, 41)).save()
    first = recap(owner, serve({"match": "region/.*1/", "status": 400}))
    refused = first.rejected()
    assert len(refused) == 40
    server = serve({"match": "region/.*1/", "status": 400})
    assert recap(owner, server).rejected() == refused
    assert len(server.log()) == 40


def test_pictures_that_arrive_late_cost_no_answers(coco_file, serve, recap) -> None:
    owner, server = coco_file().good(*range(1, 13)).save(), serve()
    late = range(5, 13)
    held = {number: owner.pictures / f"{number}.jpg" for number in late}
    contents = {number: path.read_bytes() for number, path in held.items()}
    for path in held.values():
        path.unlink()
    before = recap(owner, server).output.digests()
    assert server.answered().keys() == requests(*range(1, 5))
    server.forget()
    for number, path in held.items():
        path.write_bytes(contents[number])
    captioned = recap(owner, server)
    assert captioned.output.digests().keys().isdisjoint(before), "they go into more shards"
    assert server.answered() == dict.fromkeys(requests(*late), 1)
    assert captioned.noted() == dict.fromkeys(requests(*range(1, 13)), 1)
    assert len(captioned.captions()) == 24


def test_a_damaged_line_costs_one_answer(coco_file, serve, recap, capfd) -> None:
    owner, server = coco_file().good(*range(1, 7)).save(), serve()
    calm = recap(owner, server)
    server.forget()
    journals = calm.folder.glob("_state/captions/*/*.jsonl")
    journal = max(journals, key=lambda path: path.stat().st_size)
    lines = journal.read_bytes().splitlines(keepends=True)
    lost = json.loads(lines[0])["id"]
    journal.write_bytes(b"".join([b"?" + lines[0][1:], *lines[1:]]))
    digests = calm.output.digests()
    assert recap(owner, server).output.digests() == digests
    assert server.answered() == {lost: 1}
    assert "lines that cannot be read: 1" in capfd.readouterr().err
