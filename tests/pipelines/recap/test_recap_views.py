"""Whole runs that send the whole picture with marks beside a close-up, and name other regions."""

import re
from collections import Counter, defaultdict

import pytest

from schemas.errors import BuildError

BOTH = {"views": "both", "context": 0.5, "global_caption": False}
FAULTS = [
    {"match": "region/11/0", "status": 500, "attempts": [0]},
    {"match": "region/12/0", "status": 429, "retry_after": "0.1", "attempts": [0]},
    {"match": "region/21/0", "answer": "malformed", "attempts": [0]},
    {"match": "region/22/0", "cut": True, "attempts": [0]},
    {"match": "region/31/", "answer": "I'm sorry, I cannot describe this picture."},
    {"match": "region/32/", "status": 400},
]


def regions_of(log):
    """The lines about regions, by image."""
    images = defaultdict(list)
    for line in log:
        if "/region/" in line["id"]:
            images[line["id"].split("/")[2]].append(line)
    return images


@pytest.mark.parametrize("views", ["both", "both-masked", "whole"])
def test_calls_about_a_picture_begin_with_the_same_bytes(coco_file, serve, recap, views) -> None:
    server = serve()
    captioned = recap(coco_file().good(1, 2, 3).save(), server, captioning={**BOTH, "views": views})
    assert len(captioned.captions()) == 6
    pictures = 1 if views == "whole" else 2
    images = regions_of(server.log())
    assert len(images) == 3
    for lines in images.values():
        assert [len(line["pictures"]) for line in lines] == [pictures] * 2
        assert len({line["pictures"][0] for line in lines}) == 1
        assert len({line["pictures"][-1] for line in lines}) == pictures
        assert {line["parts"][0] for line in lines} == {"user text"}
        numbers = {re.search(r"[Oo]bject[^.?:]*? (\d)", line["prompt"])[1] for line in lines}
        assert numbers <= {"1", "2"}
    assert len({lines[0]["pictures"][0] for lines in images.values()}) == 3


def test_a_picture_goes_to_one_server(coco_file, serve, recap) -> None:
    servers = [serve(), serve()]
    where = {"endpoints": tuple(server.url for server in servers)}
    recap(coco_file().good(*range(1, 13)).save(), None, servers=where, captioning=BOTH)
    first, second = (regions_of(server.log()).keys() for server in servers)
    assert first
    assert second
    assert not first & second


def test_faults_and_a_second_run(coco_file, serve, recap) -> None:
    owner = coco_file().good(1, 2, 3, 4).save()
    server = serve(*FAULTS)
    captioned = recap(owner, server, captioning=BOTH)
    assert captioned.rejected() == {"31": "caption_refusal", "32": "caption_failed"}
    assert set(captioned.captions()) == {"11", "12", "21", "22", "41", "42"}
    assert set(captioned.noted().values()) == {1}
    answered = {line["id"] for line in captioned.journal() if line["type"] == "answer"}
    paid = Counter(line["id"] for line in server.log() if line["status"] == 200)
    assert answered == paid.keys()
    assert {name for name, times in paid.items() if times > 1} == {"recapd/train/2/region/21/0"}

    digests = captioned.output.digests()
    server.forget()
    again = recap(owner, server, captioning=BOTH)
    assert {line["id"] for line in server.log()} == {"recapd/train/3/region/32/0"}, "was refused"
    assert again.output.digests() == digests


@pytest.mark.parametrize(
    "change", [{"views": "both-masked"}, {"views": "crop"}, {"neighbours": True}, {"context": 1.0}]
)
def test_another_view_is_another_run(coco_file, serve, recap, change) -> None:
    owner, server = coco_file().good(1).save(), serve()
    recap(owner, server, captioning=BOTH)
    with pytest.raises(BuildError, match=next(iter(change))):
        recap(owner, server, captioning={**BOTH, **change})


def test_other_regions_are_named_with_their_marks(coco_file, serve, recap) -> None:
    owner = coco_file()
    owner.picture(1)
    owner.region(11, 1, bbox=[2, 2, 8, 8])
    owner.region(13, 1, bbox=[30, 2, 8, 8])
    owner.region(12, 1, bbox=[20, 20, 8, 8])
    server = serve()
    recap(owner.save(), server, captioning={**BOTH, "neighbours": True})
    prompts = {line["id"].split("/")[4]: line["prompt"] for line in server.log()}
    marked = {
        key: re.search(r"Also marked: (.*?); do not", text)[1] for key, text in prompts.items()
    }
    numbers = {
        key: re.search(r"closer view of the object marked (\d)", prompts[key])[1] for key in prompts
    }
    assert sorted(numbers.values()) == ["1", "2", "3"]
    first, glass, second = (numbers[key] for key in ("11", "12", "13"))
    assert f"{second} (another dog, to its right)" in marked["11"]
    assert f"{glass} (wine glass, at the bottom)" in marked["11"]
    assert f"{first} (another dog, to its left)" in marked["13"]
    assert f"{first} (dog, in the upper left)" in marked["12"]
    assert numbers["12"] not in re.findall(r"(\d) \(", marked["12"])


def test_other_regions_are_named_beside_a_crop(coco_file, serve, recap) -> None:
    server = serve()
    recap(coco_file().good(1).save(), server, captioning={"neighbours": True})
    prompts = [line["prompt"] for line in server.log() if "/region/" in line["id"]]
    assert len(prompts) == 2
    assert all("Also in the picture: " in prompt for prompt in prompts)


def test_a_server_that_takes_one_picture_is_found_out(serve, recap_words, tmp_path) -> None:
    server = serve(max_pictures=1)
    words = ["--model", "stub", "--no-filter", "--limit", 2, "--recipe", "recap_modern"]
    status, printed = recap_words(tmp_path / "out", "--endpoint", server.url, *words)
    assert status == 1
    assert f"{server.url} refuses 2 pictures in a call, and takes one" in printed
    assert "--limit-mm-per-prompt '{\"image\":2}'" in printed
    assert not regions_of(server.log())
    status, printed = recap_words(
        tmp_path / "out", "--endpoint", server.url, *words, "--views", "whole"
    )
    assert status == 0, printed


def test_the_check_asks_with_as_many_pictures(serve, recap_words, tmp_path) -> None:
    server = serve()
    words = ["--model", "stub", "--no-filter", "--limit", 2, "--recipe", "recap_modern"]
    status, printed = recap_words(tmp_path / "out", "--endpoint", server.url, *words)
    assert status == 0, printed
    checks = [line for line in server.log() if line["id"].startswith("canary")]
    numbers = Counter(len(line["pictures"]) for line in checks)
    assert numbers == {2: 9, 1: 1, 0: 1}
