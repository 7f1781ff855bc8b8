"""Whole runs that send the whole picture with marks beside a close-up, and name other regions."""

import re
from collections import Counter, defaultdict

import pytest

from schemas.errors import BuildError

BOTH = {"views": "both", "context": 0.5, "global_caption": False}
MARK = re.compile(r"\b(?:marked|mark|numbered|number|object) (\d)\b")
FAULTS = [
    {"match": "region/11/0", "status": 500, "attempts": [0]},
    {"match": "region/12/0", "status": 429, "retry_after": "0.1", "attempts": [0]},
    {"match": "region/21/0", "answer": "malformed", "attempts": [0]},
    {"match": "region/22/0", "cut": True, "attempts": [0]},
    {"match": "region/31/", "answer": "I'm sorry, I cannot describe this picture."},
    {"match": "region/32/", "status": 400},
]


def apart(owner, *numbers):
    """Pictures with two regions each, far from each other."""
    for number in numbers:
        owner.picture(number, (160, 120))
        owner.region(number * 10 + 1, number)
        square = [[90, 60, 130, 60, 130, 100, 90, 100]]
        owner.region(number * 10 + 2, number, bbox=[90, 60, 40, 40], segmentation=square)
    return owner.save()


def first(pattern, text):
    """What a pattern's group matches first."""
    match = re.search(pattern, text)
    assert match
    return match[1]


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
    captioned = recap(apart(coco_file(), 1, 2, 3), server, captioning={**BOTH, "views": views})
    assert len(captioned.captions()) == 6
    pictures = 1 if views == "whole" else 2
    images = regions_of(server.log())
    assert len(images) == 3
    for lines in images.values():
        assert [len(line["pictures"]) for line in lines] == [pictures] * 2
        assert len({line["pictures"][0] for line in lines}) == 1
        assert len({line["pictures"][-1] for line in lines}) == pictures
        assert {line["parts"][0] for line in lines} == {"user text"}
        assert {first(MARK, line["prompt"]) for line in lines} == {"1", "2"}
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
    named = {key: first(r"Also marked: (.*?); do not", text) for key, text in prompts.items()}
    close_up = r"closer view of the object marked (\d)"
    numbers = {key: first(close_up, text) for key, text in prompts.items()}
    assert sorted(numbers.values()) == ["1", "2", "3"]
    dog, glass, other = (numbers[key] for key in ("11", "12", "13"))
    assert f"{other} (another dog, to its right)" in named["11"]
    assert f"{glass} (wine glass, at the bottom)" in named["11"]
    assert f"{dog} (another dog, to its left)" in named["13"]
    assert f"{dog} (dog, in the upper left)" in named["12"]
    assert numbers["12"] not in re.findall(r"(\d) \(", named["12"])


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


def test_a_dry_run_tells_the_cost_of_the_options(serve, recap_words, tmp_path) -> None:
    server = serve(caches=True)
    words = ["--endpoint", server.url, "--model", "stub", "--no-filter", "--limit", 3, "--dry-run"]
    paper, modern = (
        recap_words(tmp_path / "out", *words, "--recipe", name)[1]
        for name in ("recap_paper", "recap_modern")
    )
    assert "captions of pictures: " in paper
    assert "captions of regions: " in paper
    assert "captions of pictures" not in modern
    assert re.search(
        r"calls, .* tokens read \([1-9]\d* % of them from the server's cache\)", modern
    )
