"""Whole runs that draw several captions of each region, and keep one: by judge, CLIP or words."""

import json

import pytest

from pipelines.recap.clip.scorer import Score
from pipelines.recipes.recap import Filter
from pipelines.verify import verify
from transforms.agreement import agreement

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


JUDGED = Filter(judge_model="judge")
BY_SENTENCE = Filter(judge_model="judge", judge_min=0.5, judge_sentences=True)


def yes(probability: float, words: str = "") -> dict:
    """A rule for the judge's answers about a text with some words."""
    return {"match": "/judge/", "prompt": words, "yes": probability}


def asked(server) -> list[dict]:
    return [line for line in server.log() if "/judge/" in line["id"]]


def sampling_of(made) -> dict:
    """What the records say of the sampling."""
    (row, *_) = made.output.rows()
    return dict(json.loads(row["provenance"]["captioner_sampling"]))


def test_the_judge_chooses_and_words_between_equals(coco_file, serve, recap, tmp_path) -> None:
    owner = coco_file().good(1).save()
    server = serve(yes(0.9, "blue bowl"), yes(0.6), *answers(RED, BLUE, ALSO))
    made = recap(owner, server, captioning=THREE, judge=server, kept=JUDGED)
    assert made.captions()["11"] == BLUE
    assert len([line for line in asked(server) if "region/11/" in line["id"]]) == 3
    assert sampling_of(made)["chosen_by"] == "judge"
    agrees = agreement([RED, BLUE, ALSO])[1]
    assert sampling_of(made)["agreement"]["11"] == pytest.approx(agrees, abs=1e-4)
    card = (made.folder / "README.md").read_text("utf-8")
    assert "the one was chosen that the judge holds most probable; it shares" in card
    assert verify(str(made.folder)).problems == []

    equal = serve(yes(0.6), *answers(BLUE, RED, ALSO))
    output = tmp_path / "equal"
    made = recap(owner, equal, captioning=THREE, judge=equal, kept=JUDGED, output=output)
    assert made.captions()["11"] == RED


def test_by_sentence_what_is_least_false_stays_and_is_asked_once(coco_file, serve, recap) -> None:
    rest = "It lies on a wide table in the light of a lamp that hangs above it."
    false, wrong = f"The mug is of glass. {rest}", f"The mug is full. {rest}"
    true = f"The mug is red. {rest} Its handle is round."
    server = serve(yes(0.1, "glass|full"), yes(0.9), *answers(false, wrong, true))
    owner = coco_file().good(1).save()
    made = recap(owner, server, captioning=THREE, judge=server, kept=BY_SENTENCE)
    assert made.captions()["11"] == true
    texts = [line["prompt"] for line in asked(server) if "region/11/" in line["id"]]
    assert len(texts) == 5
    assert sum(rest in text for text in texts) == 1, "what samples share is asked once"


def test_a_rejected_region_is_rejected_once_with_its_best_caption(coco_file, serve, recap) -> None:
    kept = Filter(judge_model="judge", judge_min=0.5)
    server = serve(
        yes(0.4, "blue bowl"),
        yes(0.1, "red mug"),
        yes(0.9),
        *answers(RED, BLUE, ALSO),
    )
    made = recap(coco_file().good(1).save(), server, captioning=THREE, judge=server, kept=kept)
    assert made.rejected() == {"11": "caption_judged_false"}
    (line,) = (made.folder / "_rejected/recapd.jsonl").read_text("utf-8").splitlines()
    rejected = json.loads(line)["caption"]
    assert rejected["text"] == BLUE
    assert rejected["judge"] == pytest.approx(0.4)


def test_a_caption_of_which_too_little_is_left_is_not_chosen(coco_file, serve, recap) -> None:
    long = "It lies on a wide table in the light of a lamp that hangs above it."
    short = f"The mug has a chip. {long} Its handle is red."
    whole = f"Its handle is round and thick. {long} Its color is even all around."
    false = f"The mug is rather old and dusty. {long} Its base is flat and of wood."
    rules = yes(0.1, "a chip|rather old|is flat"), yes(0.51, "is round|even all"), yes(0.99)
    server = serve(*rules, *answers(short, whole, false))
    owner = coco_file().good(1).save()
    made = recap(owner, server, captioning=THREE, judge=server, kept=BY_SENTENCE, min_words=21)
    assert made.captions()["11"] == whole


@pytest.mark.parametrize("fault", [{"status": 400}, {"answer": "It may be."}])
def test_a_sample_that_is_not_judged_costs_no_caption(coco_file, serve, recap, fault) -> None:
    unjudged = {"match": "/judge/", "prompt": "red mug", **fault}
    server = serve(unjudged, yes(0.6), *answers(RED, BLUE, ALSO))
    owner = coco_file().good(1).save()
    made = recap(owner, server, captioning=THREE, judge=server, kept=JUDGED)
    assert made.captions()["11"] == BLUE
    assert made.rejected() == {}
    assert set(made.noted().values()) == {1}


def test_a_judge_that_comes_later_chooses_anew_without_a_caption(coco_file, serve, recap) -> None:
    server, judge = serve(*answers(BLUE, RED, ALSO)), serve(yes(0.9, "blue bowl"), yes(0.6))
    owner = coco_file().good(1).save()
    assert recap(owner, server, captioning=THREE).captions()["11"] == RED
    calls = len(server.log())
    made = recap(owner, server, captioning=THREE, judge=judge, kept=JUDGED)
    assert made.captions()["11"] == BLUE
    assert (len(server.log()), len(judge.log())) == (calls, 4)
    strict = Filter(judge_model="judge", judge_min=0.7)
    again = recap(owner, None, captioning=THREE, judge=judge, kept=strict, refilter=True)
    assert again.captions() == {"11": BLUE}
    assert again.rejected() == {"12": "caption_judged_false"}
    assert (len(server.log()), len(judge.log())) == (calls, 4)


class LikesBlue:
    """A scorer by words; the crops that it was given, without repeats, and the texts."""

    identity = "likes blue"
    crops = 0
    texts = 0

    def score(self, crops, captions):
        LikesBlue.crops += len({id(crop) for crop in crops})
        LikesBlue.texts += len(captions)
        values = (0.8 if "blue" in caption else 0.3 for caption in captions)
        return [Score(value, value / 2) for value in values]


def test_without_a_judge_the_scorer_chooses(coco_file, serve, recap, monkeypatch) -> None:
    monkeypatch.setattr(LikesBlue, "crops", 0)
    monkeypatch.setattr(LikesBlue, "texts", 0)
    server = serve(*answers(RED, BLUE, ALSO))
    owner = coco_file().good(1).save()
    kept = Filter(threshold=0.2, scorer=LikesBlue.identity)
    made = recap(owner, server, captioning=THREE, scorer=LikesBlue, kept=kept)
    assert made.captions()["11"] == BLUE
    assert made.output.regions()["11"]["captions"][0]["clip"] == pytest.approx(0.8)
    assert (LikesBlue.crops, LikesBlue.texts) == (2, 4), "a crop is looked at once"
    assert sampling_of(made)["chosen_by"] == "clip"
    card = (made.folder / "README.md").read_text("utf-8")
    assert "the one was chosen that is most similar to its crop; it shares" in card
    higher = Filter(threshold=0.5, scorer=LikesBlue.identity)
    again = recap(owner, None, captioning=THREE, scorer=LikesBlue, kept=higher, refilter=True)
    assert again.captions() == {"11": BLUE}
    assert LikesBlue.texts == 4, "each score is made once"


def test_with_a_judge_the_scorer_sees_the_chosen_caption(coco_file, serve, recap) -> None:
    server = serve(yes(0.9, "wooden|tray of wood"), yes(0.6), *answers(RED, BLUE, ALSO))
    kept = Filter(judge_model="judge", threshold=0.2, scorer=LikesBlue.identity)
    owner = coco_file().good(1).save()
    made = recap(owner, server, captioning=THREE, scorer=LikesBlue, judge=server, kept=kept)
    assert made.captions()["11"] == ALSO
    assert len([line for line in made.journal() if line["type"] == "score"]) == 2


@pytest.mark.parametrize("scored", [False, True])
def test_what_pixels_contradict_is_not_chosen(coco_file, serve, recap, scored) -> None:
    end = "which is long enough to hold a few more words about the thing that is there."
    texts = (
        f"It lies in the lower right, {end}",
        f"It lies in the upper left, {end}",
        f"It is like a blueprint, {end}",
    )
    owner = coco_file()
    owner.picture(1)
    owner.region(11, 1, bbox=[0, 0, 8, 8], segmentation=[])
    scores = {"threshold": 0.2, "scorer": LikesBlue.identity} if scored else {}
    made = recap(
        owner.save(),
        serve(*answers(*texts)),
        captioning=THREE,
        scorer=LikesBlue if scored else None,
        kept=Filter.model_validate({"measured_checks": True, **scores}),
    )
    assert made.captions()["11"] == texts[2 if scored else 1]


def test_a_dry_run_counts_the_judge_s_calls_for_each_sample(serve, recap_words, tmp_path) -> None:
    server = serve(noisy=True)
    words = ["--endpoint", server.url, "--model", "stub", "--no-global-caption", "--no-filter"]
    words += ["--judge-endpoint", server.url, "--judge-model", "judge", "--limit", "6"]
    words += ["--samples", "3", "--temperature", "0.7"]
    status, console = recap_words(tmp_path / "out", *words, "--dry-run")
    assert status == 0, console
    lines = dict(line.split(": ", 1) for line in console.splitlines() if ": " in line)
    calls = [lines[name].split()[0] for name in ("captions of regions", "answers of the judge")]
    assert calls[0] == calls[1], "each of three captions is judged"
    assert int(calls[0]) % 3 == 0
