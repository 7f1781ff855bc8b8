"""Answers that are there and checked anew: only what is rejected now is asked for once more."""

import json
from pathlib import Path

import pytest

from pipelines.recap.deciding import journal_fingerprints
from pipelines.verify import verify

SHORT = "A red box."
GLOBAL = "A room with two boxes that stand side by side on a floor of wide, dark boards."


@pytest.fixture
def earlier(coco_file, serve, recap):
    """An output whose captions may be short, with a short one of region 11, and its owner."""
    owner = coco_file().good(1, 2).save()
    captioned = recap(owner, serve({"match": "region/11/", "answer": SHORT}), min_words=0)
    assert captioned.captions()["11"] == SHORT
    return owner, captioned


def test_a_refilter_rejects_without_a_call(earlier, recap) -> None:
    owner, before = earlier
    kept, journal = before.captions(), before.noted()
    captioned = recap(owner, None, output=before.folder, refilter=True, min_words=15)
    assert captioned.rejected() == {"11": "caption_short"}
    assert captioned.captions() == {key: text for key, text in kept.items() if key != "11"}
    assert captioned.noted() == journal
    assert verify(str(captioned.folder)).problems == []


def test_a_run_asks_for_a_second_answer_alone(earlier, serve, recap) -> None:
    owner, before = earlier
    kept, server = before.captions(), serve()
    captioned = recap(owner, server, output=before.folder, min_words=15)
    assert [line["id"] for line in server.log()] == ["recapd/train/1/region/11/1"]
    again = captioned.captions()
    assert again.pop("11") != SHORT
    assert again.items() == {key: text for key, text in kept.items() if key != "11"}.items()


def test_regions_that_were_never_asked_about(coco_file, serve, recap) -> None:
    """The caption of the image was refused, and would not be today."""
    owner = coco_file().good(1, 2).save()
    refused = {"match": "train/1/image/", "answer": "I cannot see the image."}
    before = recap(owner, serve(refused))
    assert before.rejected() == {"11": "no_global_caption", "12": "no_global_caption"}
    for path in before.folder.glob("_state/captions/*/*.jsonl"):
        path.write_text(path.read_text().replace(refused["answer"], GLOBAL))
    (before.folder / "_state/captions/ended.json").unlink()
    (before.folder / "manifest.json").unlink()
    captioned = recap(owner, None, output=before.folder, refilter=True)
    assert captioned.rejected() == {"11": "caption_unasked", "12": "caption_unasked"}
    assert set(captioned.captions()) == {"21", "22"}
    assert verify(str(captioned.folder)).problems == []


def as_first_recorded(output: Path, tokens: dict[str, int]) -> None:
    """Make an output one of a program with other limits of tokens, and without today's settings."""
    for path in (output / "_state" / "build.json", output / "manifest.json"):
        content = json.loads(path.read_bytes())
        identity = content.get("identity", content)
        (source,) = identity["sources"].values()
        for settings in (identity["recipe"], source["settings"]):
            settings["captioning"] |= tokens
            settings["min_words"] = None
            del settings["min_side"]
        del source["wordings"]["recap_ending"]
        path.write_text(json.dumps(content))


@pytest.mark.parametrize("refilter", [False, True])
def test_a_journal_of_other_limits_of_tokens_serves(
    coco_file, serve, recap, monkeypatch, refilter
) -> None:
    owner, server = coco_file().good(1, 2).save(), serve()

    def named(plan) -> tuple[str, ...]:
        return journal_fingerprints(plan)[2:3]  # as of these limits

    first = {"global_tokens": 512, "region_tokens": 384}
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.recap.run.journal_fingerprints", named)
        before = recap(owner, server)
    kept = before.captions()
    assert len(kept) == 4
    as_first_recorded(before.folder, first)
    server.forget()
    captioned = recap(owner, server, output=before.folder, refilter=refilter)
    assert (captioned.captions(), server.log()) == (kept, [])
    assert verify(str(captioned.folder)).problems == []
