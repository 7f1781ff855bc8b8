"""Whole runs that leave out captions which repeat others of their class."""

import asyncio
import json

import pytest

from pipelines.cli.parser import make_parser
from pipelines.cli.recap_recipe import recipe_of
from pipelines.recap.captioning.replay import WrittenDownCaptioner, WrittenDownScorer
from pipelines.recap.clip.scorer import Score
from pipelines.recap.repeats import leave_out, sketch_captions, unpack_left_out
from pipelines.recipes.recap import Filter
from pipelines.verify import verify
from schemas.errors import BuildError, UsageError
from schemas.rejection import Reason
from schemas.sample import ImageInfo, Region, ScreenedImage

SAME = "A red mug with a handle stands there, and it is half full of black coffee, on a tray."
NEAR = "A red mug with a handle stands there, and it is half full of black coffee, on a desk."
OTHER = "A blue bowl without any handle holds several apples, and it lies below a small lamp."
WORDS = "one two three four five six seven eight nine ten"
ALIKE = Filter(max_alike=0.7)


@pytest.fixture
def repeating(serve):
    """A server that gives the first regions of pictures 1 to 3 the same caption."""
    return serve(
        {"match": "region/(11|21)/", "answer": SAME},
        {"match": "region/31/", "answer": NEAR},
        {"match": "region/.*1/0$", "answer": OTHER},
    )


def shards(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("recapd/*.arrow"))}


def test_captions_that_repeat_others_of_their_class_are_left_out(
    coco_file, repeating, recap
) -> None:
    made = recap(coco_file().good(1, 2, 3, 4).save(), repeating, kept=ALIKE)
    same = {"11", "21", "31"}
    (stays,) = same & made.captions().keys()
    assert made.rejected() == dict.fromkeys(same - {stays}, "caption_alike")
    assert "41" in made.captions()
    lines = (made.folder / "_rejected" / "recapd.jsonl").read_text("utf-8").splitlines()
    line = next(each for each in map(json.loads, lines) if each["id"] in same)
    assert f"region {stays} of image {stays[0]}, expected at most 70%" in line["detail"]
    assert line["caption"]["text"] in (SAME, NEAR)
    counts = [shard.repeats for shard in made.output.manifest().shards]
    assert len(counts) > 1, "captions of several shards are compared"
    assert sum(count.captions for count in counts) == 8
    assert sum(count.alike for count in counts) == 2
    card = (made.folder / "README.md").read_text("utf-8")
    assert "of two captions of a class that have more than 70% of their runs of five words" in card
    assert "of 8 captions that passed all other checks, 2 repeat one of their class" in card
    assert verify(str(made.folder)).problems == []


def test_a_rerun_and_another_limit_ask_nothing_and_leave_the_same_bytes(
    coco_file, repeating, recap, tmp_path
) -> None:
    owner = coco_file().good(1, 2, 3, 4).save()
    made = recap(owner, repeating, kept=ALIKE)
    first, calls = shards(made.folder), len(repeating.log())
    assert made.noted() == dict.fromkeys(made.noted(), 1), "the second pass asks nothing"
    recap(owner, repeating, kept=Filter(max_alike=0.9), refilter=True)
    assert len(recap(owner, None, kept=Filter(), refilter=True).captions()) == 8
    assert shards(recap(owner, None, kept=ALIKE, refilter=True).folder) == first
    assert shards(recap(owner, repeating, kept=ALIKE).folder) == first
    assert len(repeating.log()) == calls
    other = recap(
        owner, repeating, kept=ALIKE, output=tmp_path / "other", servers={"concurrency": 1}
    )
    assert shards(other.folder) == first


def test_a_refused_request_is_sent_once(coco_file, serve, recap) -> None:
    server = serve({"match": "region/11/", "status": 400})
    made = recap(coco_file().good(1, 2).save(), server, kept=ALIKE)
    assert made.rejected()["11"] == "caption_failed"
    assert made.noted()["recapd/train/1/region/11/0"] == 1


class CountedScorer:
    """A scorer that scores each caption the same."""

    identity = "counted"
    scored = 0

    def score(self, crops, captions):
        CountedScorer.scored += len(captions)
        return [Score(0.5, 0.5) for _ in captions]


def test_scores_are_made_once(coco_file, repeating, recap, monkeypatch) -> None:
    monkeypatch.setattr(CountedScorer, "scored", 0)
    kept = Filter(threshold=0.2, scorer=CountedScorer.identity, max_alike=0.7)
    made = recap(coco_file().good(1, 2).save(), repeating, kept=kept, scorer=CountedScorer)
    assert CountedScorer.scored == 4
    assert list(made.rejected().values()) == ["caption_alike"]


@pytest.mark.parametrize(
    "limits", [ALIKE, Filter(max_opening=0.25), Filter(max_alike=0.7, max_opening=0.25)]
)
def test_which_captions_stay_depends_on_no_order(limits) -> None:
    images = [image(f"{n}", SAME if n % 3 else opening_alone(n)) for n in range(60)]
    left = left_out([images], limits)
    assert left
    assert left_out([images[::-1]], limits) == left
    assert left_out([images[n::4] for n in (2, 0, 3, 1)], limits) == left
    reasons = {each.reason for each in left.values()}
    expected = {
        Reason.CAPTION_ALIKE: limits.max_alike,
        Reason.CAPTION_STOCK_OPENING: limits.max_opening,
    }
    assert reasons == {reason for reason, limit in expected.items() if limit is not None}


def test_captions_of_other_classes_and_splits_are_not_compared() -> None:
    images = [image("1", SAME), image("2", SAME, category="cup"), image("3", SAME, split="val")]
    assert left_out([images], ALIKE) == {}


def test_the_second_pass_says_that_something_changed(make_requests) -> None:
    with pytest.raises(BuildError, match="changed while the run was going"):
        WrittenDownScorer("one").score([], ["A mug."])
    assert WrittenDownScorer("one").identity == "one"
    with pytest.raises(
        BuildError,
        match="request coco/train/r0/image/0 was written down, and is not there any more",
    ):
        asyncio.run(WrittenDownCaptioner().ask(make_requests(1)[0]))


def opening_alone(number: int) -> str:
    return "A blue bowl with apples " + " ".join(f"{word}{number}" for word in WORDS.split())


def image(key: str, text: str, *, category: str = "mug", split: str = "train") -> ScreenedImage:
    region = Region(f"r{key}", (0.0, 0.0, 8.0, 8.0), category=category, caption=text)
    info = ImageInfo("recapd", split, key, "a.jpg", "", 8, 8, 100, "none", 1)
    return ScreenedImage(info, (region,))


def left_out(shards: list[list[ScreenedImage]], limits: Filter):
    """What is left out of images of several shards, by ids."""
    packed: dict = {}
    for number, images in enumerate(shards):
        for key, sketches in sketch_captions(images, f"shard-{number}", 0):
            packed.setdefault(key, []).append(sketches)
    return unpack_left_out(part for each in packed.items() for _, part in leave_out(each, limits))


def flags_of(*words: str):
    """The parsed flags of a run that asks a server."""
    server = ["--endpoint", "http://localhost:8000/v1", "--model", "m", "--output", "out"]
    return make_parser().parse_args(["recap", "--source", "v3det", *server, *words])


def test_a_limit_of_0_is_a_limit() -> None:
    assert recipe_of(flags_of("--max-alike", "0"))[0].filter.max_alike == 0
    with pytest.raises(UsageError, match="--max-alike: --no-filter keeps all captions"):
        recipe_of(flags_of("--max-alike", "0", "--no-filter"))
    with pytest.raises(UsageError, match="--threshold and --no-filter each say so"):
        recipe_of(flags_of("--threshold", "0", "--no-filter"))
    with pytest.raises(UsageError, match="--max-opening: expected"):
        recipe_of(flags_of("--max-opening", "0"))
