"""Whole runs that draw several captions of each region, and keep the one that agrees best."""

import json

import pytest

from pipelines.recipes.recap import Filter
from pipelines.verify import verify

THREE = {"global_caption": False, "samples": 3, "temperature": 0.7, "seed_requests": True}
RED = "A red mug with a handle stands there, and it is half full of black coffee, on a tray."
ALSO = "A red mug with a handle is half full of coffee, and it stands there on a tray of wood."
BLUE = "A blue bowl without any handle holds several apples, and it lies below a small lamp."


def answers(*texts: str) -> list[dict]:
    """Rules for the first, second and third sample of region 11."""
    names = ("11/0", "11/sample/1/0", "11/sample/2/0")
    return [
        {"match": f"region/{name}$", "answer": text}
        for name, text in zip(names, texts, strict=True)
    ]


def regions_that_agree(made) -> int:
    """The number of regions of which several captions were accepted."""
    shards = made.output.manifest().shards
    return sum(shard.agreement.regions for shard in shards if shard.agreement)


@pytest.mark.parametrize(("texts", "kept"), [((BLUE, RED, ALSO), RED), ((RED, BLUE, ALSO), RED)])
def test_the_caption_that_agrees_best_is_kept(coco_file, serve, recap, texts, kept) -> None:
    server = serve(*answers(*texts))
    made = recap(coco_file().good(1).save(), server, captioning=THREE)
    assert made.captions()["11"] == kept
    assert len(server.log()) == 6
    assert len({line["seed"] for line in server.log()}) == 6
    sampling = [json.loads(row["provenance"]["captioner_sampling"]) for row in made.output.rows()]
    assert sampling[0]["samples"] == 3
    assert 0.2 < sampling[0]["agreement"]["11"] < 0.8
    assert sampling[0]["agreement"]["12"] == 1.0
    assert regions_that_agree(made) == 2
    card = (made.folder / "README.md").read_text("utf-8")
    assert "of each of 2 regions several captions were drawn" in card
    assert verify(str(made.folder)).problems == []


def test_answers_that_are_no_captions_do_not_count(coco_file, serve, recap) -> None:
    server = serve({"match": "region/11/(0|1|sample/2/.)$", "answer": "I cannot see it."})
    made = recap(coco_file().good(1).save(), server, captioning=THREE)
    assert made.noted()["recapd/train/1/region/11/1"] == 1
    assert made.noted()["recapd/train/1/region/11/sample/2/1"] == 1
    assert "11" in made.captions()
    assert regions_that_agree(made) == 1, "a single caption agrees with none"


def test_a_judge_is_asked_about_the_kept_caption(coco_file, serve, recap) -> None:
    server = serve({"match": "/judge/", "yes": 0.9}, *answers(BLUE, RED, ALSO))
    kept = Filter(judge_model="judge", judge_min=0.5)
    owner = coco_file().good(1).save()
    made = recap(owner, server, captioning=THREE, judge=server, kept=kept)
    assert len([line for line in server.log() if "/judge/" in line["id"]]) == 2
    calls = len(server.log())
    assert recap(owner, server, captioning=THREE, judge=server, kept=kept).captions() == (
        made.captions()
    )
    assert len(server.log()) == calls
