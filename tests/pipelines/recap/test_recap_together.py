"""Whole runs with views, samples, answers in parts and a judge at once, while servers fail."""

import json
from collections import Counter

import pytest

from pipelines.recipes.recap import Filter
from pipelines.verify import verify
from schemas.errors import BuildError

TOGETHER = {
    "global_caption": False,
    "views": "both",
    "neighbours": True,
    "structured": True,
    "samples": 3,
    "temperature": 0.7,
}
JUDGED = Filter(judge_model="judge", judge_min=0.5, judge_sentences=True, measured_checks=True)
TRUE = {"match": "/judge/", "yes": 0.9}
WORDS = {
    "phrase": "a tall thing",
    "sentence": "A tall thing stands there.",
    "paragraph": "A tall thing stands there, and it has a wide base, a narrow neck and a flat lid. "
    "It is lit from one side, and it casts a short shadow on what it stands on.",
}


def parts(**changes: str) -> str:
    """An answer in parts."""
    return json.dumps({**WORDS, "attributes": {"shape": ["tall"]}, **changes})


@pytest.fixture
def owner(coco_file):
    return coco_file().good(1, 2).save()


@pytest.fixture
def together(recap, owner):
    """Runs all options at once on two pictures, of two regions each."""

    def run(server, judge, kept=JUDGED, **options):
        options = {"servers": {"time_limit": 2.0}, **options}
        return recap(owner, server, captioning=TOGETHER, judge=judge, kept=kept, **options)

    return run


def calls(server) -> Counter[str]:
    """How often a server has answered each request."""
    return Counter(line["id"] for line in server.log() if line["status"] == 200)


def captions(made) -> dict[str, str]:
    """The detailed captions in the shards, by region id."""
    rows = [row for row in made.output.rows() if row["task"] == "region_detailed_caption"]
    return {region["region_id"]: region["caption"] for row in rows for region in row["regions"]}


def test_faults_of_all_kinds_cost_the_sample_that_they_meet(serve, together) -> None:
    captioner = serve(
        {"match": "region/11/./", "status": 500, "attempts": [0]},
        {"match": "region/11/0$", "answer": parts()[:150], "finish": "length"},
        {"match": "region/11/1$", "answer": parts()[:150]},
        {"match": "region/11/sample/1/", "status": 400},
        {"match": "region/12/0$", "cut": True, "attempts": [0]},
        {"match": "region/12/sample/1/0", "status": 502, "attempts": [0, 1]},
        {"match": "region/21/sample/2/0", "status": 429, "retry_after": "0.1", "attempts": [0]},
        {"match": "region/22/", "answer": "I cannot see it."},
        takes_schema=False,
    )
    judge = serve({"match": "region/12/judge", "answer": "Well."}, TRUE, logprobs=False)
    made = together(captioner, judge)
    assert made.rejected() == {"12": "caption_unjudged", "22": "caption_refusal"}
    assert set(captions(made)) == {"11", "21"}
    assert set(made.noted().values()) == {1}
    assert set((calls(captioner) + calls(judge)).values()) == {1}, "nothing is paid twice"
    assert verify(str(made.folder)).problems == []
    answered = calls(captioner), calls(judge)
    again = together(captioner, judge)
    assert (calls(captioner), calls(judge)) == answered
    assert again.output.digests() == made.output.digests()


def test_a_judge_that_ends_the_run_costs_no_caption(serve, together, tmp_path) -> None:
    captioner, judge = serve(), serve(TRUE)
    keyed = serve(TRUE, api_key="another")
    with pytest.raises(BuildError, match=r"the judge: .* status 401") as ended:
        together(captioner, keyed)
    assert "\n" not in str(ended.value)
    before = calls(captioner)
    assert 0 < before.total() <= 12
    made = together(captioner, judge)
    assert set(calls(captioner).values()) == {1}
    assert calls(captioner).total() == 12
    assert set(calls(judge).values()) == {1}
    whole = together(serve(), judge, output=tmp_path / "whole")
    assert made.output.digests() == whole.output.digests()


def test_a_judge_that_takes_one_picture_is_named_and_asked_again(serve, together) -> None:
    captioner, judge = serve(), serve(max_pictures=1)
    with pytest.raises(BuildError, match=r"the judge: 20 requests in a row .* At most 1 im"):
        together(captioner, judge)
    better = serve(TRUE)
    assert set(captions(together(captioner, better))) == {"11", "12", "21", "22"}
    assert set(calls(captioner).values()) == {1}


def test_another_judge_chooses_anew_among_the_same_captions(serve, together) -> None:
    first, second = parts(), parts(paragraph=WORDS["paragraph"].replace("flat lid", "round lid"))
    captioner = serve(
        {"match": "region/11/0", "answer": first}, {"match": "/sample/1/", "answer": second}
    )
    flat = serve({"match": "/judge/", "prompt": "round lid", "yes": 0.1}, TRUE)
    lid = serve({"match": "/judge/", "prompt": "flat lid", "yes": 0.1}, TRUE)
    assert "flat lid" in captions(together(captioner, flat))["11"]
    other = JUDGED.model_copy(update={"judge_model": "other"})
    made = together(captioner, lid, kept=other)
    assert "flat lid" not in captions(made)["11"]
    assert {row["provenance"]["judge_model"] for row in made.output.rows()} == {"other"}
    assert set(calls(captioner).values()) == {1}
    assert not calls(flat).keys() & calls(lid).keys()
    card = (made.folder / "README.md").read_text("utf-8")
    for line in (
        "- beside the whole picture with its regions outlined and numbered, and the crop of a "
        "region, it was given the name of the annotated class and names and places of the other "
        "annotated regions\n",
        "- an answer held a phrase, a sentence, a paragraph and attributes",
    ):
        assert line in card
