"""`recap` on an output of a program without some of today's settings: no caption is lost."""

import json
from pathlib import Path

import pytest

from pipelines.verify import verify

NOTICE = "max_words (none, now 900)"
FEW = ("--limit", 4, "--per-image", 4, "--shard-size", "20KiB")
WORDINGS = {"region_detailed_caption": ["What is <region> like?"]}


@pytest.fixture
def words(serve):
    """The server of a run, and the flags that do not filter."""
    server = serve()
    return server, ["--endpoint", server.url, "--model", "stub", *FEW]


def make_older(output: Path) -> None:
    """Make an output one of a program that cut no conversation, counted no turn, and asked
    otherwise for what it had."""
    for path in (output / "_state" / "build.json", output / "manifest.json"):
        content = json.loads(path.read_bytes())
        identity = content.get("identity", content)
        for name in ("max_words", "weights", "captions_per_conversation"):
            del identity["recipe"][name]
        (source,) = identity["sources"].values()
        del source["settings"]["max_words"], source["settings"]["suffix_share"]
        source["wordings"]["region_detailed_caption"] = "0" * 64
        for shard in content.get("shards", ()):
            del shard["turns"]
        path.write_text(json.dumps(content))


@pytest.mark.parametrize("anew", ["--threshold", "--refilter"])
def test_no_caption_is_asked_for_again(
    words, recap_words, recapd, recap_output, tmp_path, anew
) -> None:
    (server, flags), out = words, recapd(tmp_path / "out", *FEW, "--threshold", -0.5)
    captions = recap_output(out).captions()
    make_older(out)
    server.forget()
    status, printed = recap_words(out, *flags, anew, -0.5)
    assert (status, NOTICE in printed) == (0, True), printed
    assert "the wordings (region_detailed_caption)): shards" not in printed
    assert [line for line in server.log() if not line["id"].startswith("canary")] == []
    assert recap_output(out).captions() == captions
    assert verify(str(out)).problems == []
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert all(shard["turns"] for shard in manifest["shards"] if shard["rows"])


def test_a_filter_can_be_changed_at_once(words, recap_words, recapd, tmp_path) -> None:
    (server, flags), out = words, recapd(tmp_path / "out", *FEW, "--threshold", -0.5)
    make_older(out)
    server.stop()
    assert recap_words(out, *flags, "--refilter", 0.1)[0] == 0


def test_wordings_of_ones_own_are_part_of_the_fingerprint(
    words, recap_words, recapd, tmp_path
) -> None:
    (_, flags), out = words, recapd(tmp_path / "out", *FEW, "--threshold", -0.5)
    own = tmp_path / "wordings.yaml"
    own.write_text(json.dumps(WORDINGS))
    status, printed = recap_words(out, *flags, "--threshold", -0.5, "--wordings", own)
    assert (status, "the wordings (region_detailed_caption)" in printed) == (1, True)
