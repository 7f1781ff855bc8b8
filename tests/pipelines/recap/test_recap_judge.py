"""Whole runs whose captions a second model judges: what is kept, asked, paid and refused."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from pipelines.cli import parser as cli
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.judge_canary import check_judge
from pipelines.recipes.recap import Filter
from pipelines.verify import verify
from schemas.errors import BuildError
from schemas.ledger import Stage
from schemas.rejection import Kind

RECORDED = Filter(judge_model="judge")
TEXTS = Filter(judge_model="judge", judge_min=0.5)
SENTENCES = Filter(judge_model="judge", judge_min=0.5, judge_sentences=True)
QUIET = {"global_caption": False}
CAPTION = "A dog stands there. Its coat is brown. It wears a blue collar."
LONG = f"{CAPTION} Its ears hang down on both sides of its head."
TRUE = {"match": "/judge/", "yes": 0.9}
CAPTIONS = {"match": r"/region/\d+/\d$", "answer": LONG}


def asked(server) -> list[dict]:
    return [line for line in server.log() if "/judge/" in line["id"]]


def described(output) -> dict[str, dict]:
    """The regions with detailed captions, by id."""
    rows = [row for row in output.rows() if row["task"] == "region_detailed_caption"]
    return {region["region_id"]: region for row in rows for region in row["regions"]}


def caption_of(output, key: str) -> dict:
    """The only caption of a region."""
    (caption,) = output.output.regions()[key]["captions"]
    return dict(caption)


def test_each_text_is_judged_by_two_pictures(coco_file, serve, recap) -> None:
    server = serve({"match": "region/11/judge", "yes": 0.25}, TRUE)
    made = recap(coco_file().good(1).save(), server, judge=server, kept=RECORDED, captioning=QUIET)
    calls = asked(server)
    assert len(calls) == 2
    for line in calls:
        assert line["parts"].count("user image_url") == 2
        assert line["parameters"]["logprobs"] is True
        assert line["parameters"]["temperature"] == 0
        assert line["parameters"]["model"] == "judge"
        assert made.captions()[line["id"].split("/")[4]] in line["prompt"]
    assert calls[0]["pictures"][0] == calls[1]["pictures"][0], "the marked picture comes first"
    assert [caption_of(made, key)["judge"] for key in ("11", "12")] == pytest.approx([0.25, 0.9])
    assert {row["provenance"]["judge_model"] for row in made.output.rows()} == {"judge"}
    assert verify(str(made.folder)).problems == []


def test_what_is_false_is_left_out_and_refiltered_without_a_call(
    coco_file, serve, recap, tmp_path
) -> None:
    server = serve({"match": "region/11/judge", "yes": 0.25}, TRUE)
    owner = coco_file().good(1, 2).save()
    made = recap(owner, server, judge=server, kept=TEXTS, captioning=QUIET)
    assert made.rejected() == {"11": "caption_judged_false"}
    assert set(made.captions()) == {"12", "21", "22"}
    lines = (made.folder / "_rejected/recapd.jsonl").read_text("utf-8")
    assert '"judge":0.25' in lines
    account = made.output.ledger().account("recapd", "train", Stage.FILTER, Kind.ANNOTATION)
    assert (account.read, account.kept) == (4, 3)
    assert account.rejected == {"caption_judged_false": 1}
    calls = len(server.log())
    low = Filter(judge_model="judge", judge_min=0.2)
    again = recap(owner, None, judge=server, kept=low, captioning=QUIET, refilter=True)
    assert set(again.captions()) == {"11", "12", "21", "22"}
    assert len(server.log()) == calls


def test_single_sentences_are_left_out(coco_file, serve, recap) -> None:
    bad = {"match": "/judge/", "prompt": "blue collar", "yes": 0.1}
    server = serve(CAPTIONS, bad, TRUE)
    owner = coco_file().good(1).save()
    made = recap(owner, server, judge=server, kept=SENTENCES, captioning=QUIET)
    left = LONG.replace(" It wears a blue collar.", "")
    assert set(made.captions().values()) == {left}
    assert caption_of(made, "11")["judge"] == pytest.approx(0.9)
    assert len(asked(server)) == 8
    assert verify(str(made.folder)).problems == []


def test_too_little_that_is_true_is_no_caption(coco_file, serve, recap) -> None:
    server = serve({**CAPTIONS, "answer": f"{CAPTION}"}, {**TRUE, "prompt": "A dog"}, {"yes": 0.1})
    owner = coco_file().good(1).save()
    with pytest.raises(BuildError, match="1 of 3 sentences are true, which leaves 4 words"):
        recap(owner, server, judge=server, kept=SENTENCES, captioning=QUIET, min_words=10)


def test_parts_and_attributes_are_judged_by_themselves(coco_file, serve, recap) -> None:
    false = {"match": "/judge/", "prompt": "Its color is red", "yes": 0.1}
    server = serve({**false, "prompt": "A .* stands"}, false, TRUE)
    owner = coco_file().good(1).save()
    asked_for = {**QUIET, "structured": True}
    made = recap(owner, server, judge=server, kept=TEXTS, captioning=asked_for)
    region = described(made.output)["11"]
    assert [caption["kind"] for caption in region["captions"]] == ["phrase", "paragraph"]
    assert {each["name"] for each in region["attributes"]} == {"shape", "state"}
    assert verify(str(made.folder)).problems == []


@pytest.mark.parametrize("script", [{"logprobs": False}, {}])
def test_without_log_probabilities_yes_is_1_and_no_is_0(coco_file, serve, recap, script) -> None:
    words = {"match": "region/11/judge", "answer": "**No**, it is not."}
    server = serve(words, TRUE, **script)
    owner = coco_file().good(1).save()
    made = recap(owner, server, judge=server, kept=RECORDED, captioning=QUIET)
    least, most = (caption_of(made, key)["judge"] for key in ("11", "12"))
    assert least == 0.0
    assert most == (1.0 if script else pytest.approx(0.9))
    unanswered = [line for line in asked(server) if line["status"] == 400]
    assert bool(unanswered) == bool(script)
    assert made.rejected() == {}


def test_faults_of_the_judge_end_as_those_of_the_captioner(coco_file, serve, recap) -> None:
    faults: dict[str, dict[str, Any]] = {
        "11": {"status": 429, "retry_after": "0.1", "attempts": [0]},
        "12": {"status": 500, "attempts": [0, 1]},
        "21": {"delay": 9.0, "attempts": [0]},
        "22": {"cut": True, "attempts": [0]},
        "31": {"answer": "malformed", "attempts": [0]},
        "32": {"answer": "Perhaps."},
        "41": {"status": 400},
        "42": {"answer": "empty"},
    }
    rules = [fault | {"match": f"region/{key}/judge"} for key, fault in faults.items()]
    judge, server = serve(*rules, TRUE), serve()
    owner = coco_file().good(1, 2, 3, 4).save()
    quick = {"time_limit": 2.0}
    made = recap(owner, server, judge=judge, kept=TEXTS, captioning=QUIET, servers=quick)
    assert made.rejected() == dict.fromkeys(("32", "41", "42"), "caption_unjudged")
    assert made.rejected("image") == {"4": "no_regions"}
    why = (made.folder / "_rejected/recapd.jsonl").read_text("utf-8")
    for detail in ("neither yes nor no, but 'Perhaps.'", "the judge's server refuses: status 400"):
        assert detail in why
    assert set(made.captions()) == {"11", "12", "21", "22", "31"}
    assert len(server.log()) == 8
    assert verify(str(made.folder)).problems == []
    judged = Counter(key for key in made.noted() if "/judge/" in key)
    assert len(judged) == 8
    assert set(judged.values()) == {1}


def test_a_judge_is_added_to_captions_that_are_there(coco_file, serve, recap) -> None:
    server, judge = serve(), serve(TRUE)
    owner = coco_file().good(1, 2).save()
    recap(owner, server, captioning=QUIET)
    calls = len(server.log())
    made = recap(owner, server, judge=judge, kept=TEXTS, captioning=QUIET)
    assert len(server.log()) == calls, "no caption is asked for again"
    assert len(judge.log()) == 4
    recap(owner, server, judge=judge, kept=TEXTS, captioning=QUIET)
    assert len(judge.log()) == 4
    other = Filter(judge_model="other", judge_min=0.5)
    with pytest.raises(
        BuildError, match="was not judged so by other, and --refilter asks no judge"
    ):
        recap(owner, None, judge=judge, kept=other, captioning=QUIET, refilter=True)
    with pytest.raises(BuildError, match="another filter"):
        recap(owner, server, judge=judge, kept=RECORDED, captioning=QUIET)
    assert set(made.captions()) == {"11", "12", "21", "22"}
    again = recap(owner, server, judge=judge, kept=other, captioning=QUIET)
    assert len(judge.log()) == 8, "another model is another judge"
    assert again.captions() == made.captions()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({"blind": True}, "the judge: .* does not see pictures|drops pictures"),
        ({"max_pictures": 1}, "the judge: .* refuses 2 pictures in a call"),
        ({"rules": [{"prompt": "yes or no", "yes": 0.9}]}, "rightly of 4 of 8 squares"),
        (
            {"rules": [{"prompt": "yes or no", "answer": "The last one?"}]},
            "it says 'The last one",
        ),
        ({"rules": [{"prompt": "yes or no", "status": 400}]}, "refuses to judge"),
    ],
)
def test_a_judge_that_cannot_judge_is_found_out(serve, make_captioner, script, message) -> None:
    async def check() -> None:
        rules = script.pop("rules", [])
        judge: OpenAICaptioner = make_captioner(serve(*rules, **script))
        try:
            await check_judge(judge)
        finally:
            await judge.close()

    with pytest.raises(BuildError, match=message):
        asyncio.run(check())


def test_a_judge_that_sees_and_says_so_passes(serve, make_captioner) -> None:
    async def check() -> None:
        judge = make_captioner(serve(logprobs=False))
        try:
            await check_judge(judge)
        finally:
            await judge.close()

    asyncio.run(check())


def test_the_command_judges_and_calibrates(serve, recap_words, tmp_path, recap_output) -> None:
    server = serve()
    judge = ["--judge-endpoint", server.url, "--judge-model", "judge"]
    words = ["--endpoint", server.url, "--model", "stub", "--no-global-caption", *judge]
    status, console = recap_words(tmp_path / "out", *words, "--no-filter")
    assert status == 0, console
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "the model `judge` said of each text whether it is true" in card
    to = ["--to", str(tmp_path / "judge.json"), "--force"]
    assert cli.run(["calibrate", str(tmp_path / "out"), *judge, *to, "--pairs", "30"]) == 0
    calls = len(asked(server))
    assert cli.run(["calibrate", str(tmp_path / "out"), *judge, *to, "--pairs", "30"]) == 0
    assert len(asked(server)) == calls, "its answers are kept"
    refilter = ["--refilter", "--judge-min", str(tmp_path / "judge.json")]
    status, console = recap_words(tmp_path / "out", *words, *refilter)
    assert status == 0, console
    rejected = recap_output(tmp_path / "out").rejected()
    assert "caption_judged_false" in rejected.values()
    other = [*refilter, "--judge-sentences"]
    status, console = recap_words(tmp_path / "out", *words, *other)
    assert status == 2
    assert "the calibration is for" in console


def test_what_is_asked_for_several_pairs_is_asked_once(coco_file, serve, recap, tmp_path) -> None:
    server = serve(logprobs=True)
    made = recap(coco_file().good(*range(1, 13)).save(), server, captioning=QUIET)
    words = ["calibrate", str(made.folder), "--judge-endpoint", server.url, "--judge-model", "j"]
    words += ["--no-canary", "--force", "--to", str(tmp_path / "judge.json")]
    assert cli.run(words) == 0
    asked_for = Counter(line["id"] for line in asked(server))
    assert 40 < len(asked_for) < 96, "a caption of another image is often one of the same class"
    assert set(asked_for.values()) == {1}


def test_a_dry_run_counts_the_calls_to_the_judge(serve, recap_words, tmp_path) -> None:
    server = serve()
    judge = ["--judge-endpoint", server.url, "--judge-model", "judge", "--judge-min", "0.5"]
    words = ["--endpoint", server.url, "--model", "stub", "--no-global-caption", *judge]
    status, console = recap_words(tmp_path / "out", *words, "--dry-run", "--limit", "6")
    assert status == 0, console
    (regions,) = [line.split()[3] for line in console.splitlines() if "captions of regions" in line]
    assert f"answers of the judge: {regions} calls" in console
