"""The command `recap` on every source with class names, mostly with the built-in captioner."""

import json
import re

import datasets
import pytest

from pipelines.datasets.catalog import dataset
from pipelines.sample_world import SOURCES
from pipelines.verify import verify
from schemas.sample import Task
from schemas.style import Style

CAPTIONABLE = {"coco": ["--label-set", "Shapes-15"], "lvis": ["--label-set", "Figures-15"]}
CAPTIONABLE |= {"v3det": []}
BUILTIN = ["--captioner", "builtin", "--limit", 4, "--shard-size", "40KiB"]
SERVER = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "stub"]
MODEL_FLAGS = [
    *(["--endpoint", "http://127.0.0.1:9/v1"], ["--model", "m"], ["--api-key-env", "KEY"]),
    *(["--serve", "m"], ["--vllm", "/opt/vllm"], ["--serve-args=--seed 1"]),
    *(["--concurrency", 64], ["--timeout", 120], ["--patience", 9], ["--temperature", 0]),
    *(["--top-p", 1], ["--seed-requests"], ["--global-tokens", 9], ["--region-tokens", 9]),
    ["--no-class-name"],
]


def test_sources_with_class_names_are_known() -> None:
    tasks = {name: dataset(name).tasks.get(Style.REGIONGPT, ()) for name in SOURCES}
    able = {name for name, known in tasks.items() if Task.REGION_CLASSIFICATION in known}
    assert able == CAPTIONABLE.keys()


@pytest.mark.parametrize("source", CAPTIONABLE)
def test_a_source(recap_words, recap_output, tmp_path, source) -> None:
    flags = [*CAPTIONABLE[source], *BUILTIN, "--threshold", -0.5, "--device", "cpu"]
    status, printed = recap_words(tmp_path, *flags, source=source)
    assert status == 0, printed
    captioned = recap_output(tmp_path)
    captioned.output.ledger()
    assert verify(str(tmp_path)).problems == []
    rows = captioned.output.rows()
    assert rows
    for row in rows:
        assert (row["source"], row["task"]) == ("recapd", "region_detailed_caption")
        answers = [turn["content"] for turn in row["messages"] if turn["role"] == "assistant"]
        assert answers == [region["caption"] for region in row["regions"]]
        assert all(region["category"] for region in row["regions"])
        for region in row["regions"]:
            (text,) = region["captions"]
            assert (text["kind"], text["text"]) == ("paragraph", region["caption"])
            assert -1 <= text["clip_min"] <= text["clip"] <= 1
            assert (region["score"], text["judge"]) == (None, None)
        assert re.fullmatch(
            r"small sha256:[0-9a-f]{64}, GELU, by sentence, view box", row["provenance"]["scorer"]
        )
        assert row["provenance"]["judge_model"] is None
        assert row["provenance"]["captioner_model"].startswith("regionforge-builtin")
        assert row["provenance"]["global_caption"]
        sampling = json.loads(row["provenance"]["captioner_sampling"])
        assert sampling["threshold"] == -0.5
        assert not {"scorer", "minimum_scores"} & sampling.keys()
        assert len(sampling["region_prompts"]) == len(row["regions"])
    loaded = datasets.load_dataset(str(tmp_path), "recapd")
    assert sum(len(split) for split in loaded.values()) == len(rows)
    first = next(iter(loaded.values()))[0]
    assert first["image"].size == (first["width"], first["height"])


def test_other_sources_are_refused(recap_words, tmp_path) -> None:
    for source in sorted(SOURCES.keys() - CAPTIONABLE.keys()):
        status, printed = recap_words(tmp_path / "out", *BUILTIN, "--no-filter", source=source)
        assert status == 2
        assert f"error: source '{source}' has no boxes with class names" in printed
    status, printed = recap_words(tmp_path / "out", *BUILTIN, "--no-filter", source="imagenet")
    assert (status, "error: " in printed, "imagenet" in printed) == (2, True, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ([*BUILTIN], "Give one of --threshold S, --calibration FILE"),
        ([*BUILTIN, "--no-filter", "--threshold", 0.2], "each say so: give one"),
        ([*BUILTIN, "--threshold", "nan"], "--threshold"),
        ([*BUILTIN, "--threshold", 1.5], "--threshold"),
        ([*SERVER, "--no-filter", "--concurrency", 0], "--concurrency"),
        ([*SERVER, "--no-filter", "--timeout", 0], "--timeout"),
        ([*BUILTIN, "--no-filter", "--limit", 0], "--limit"),
        ([*SERVER, "--no-filter", "--temperature", -1], "--temperature"),
        ([*BUILTIN, "--no-filter", "--context", -1], "--context"),
        ([*BUILTIN, "--no-filter", "--max-pixels", 0], "--max-pixels"),
        ([*BUILTIN, "--calibration", "/nowhere.json"], "/nowhere.json"),
        ([*BUILTIN, "--refilter", 0.2, "--dry-run"], "--refilter makes no calls"),
        (["--no-filter"], "--model is missing"),
        (["--no-filter", "--model", "m"], "--endpoint URL"),
        (["--no-filter", "--model", "m", "--endpoint", "gpu:8000"], "--endpoint"),
        (
            ["--no-filter", "--model", "m", "--limits", 3],
            "no flag --limits; did you mean --limit?",
        ),
    ],
)
def test_flags_that_cannot_be_used(recap_words, tmp_path, flags, hint) -> None:
    status, printed = recap_words(tmp_path / "out", *flags)
    assert status == 2
    assert printed.strip().startswith("error: ")
    assert hint in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", MODEL_FLAGS, ids=str)
def test_the_builtin_captioner_takes_no_flag_of_a_model(recap_words, tmp_path, words) -> None:
    status, printed = recap_words(tmp_path / "out", *BUILTIN, "--no-filter", *words)
    flag = words[0].partition("=")[0]
    assert (status, printed.strip()) == (
        2,
        f"error: --captioner builtin asks no model: leave out {flag}",
    )
    assert not (tmp_path / "out").exists()


def test_the_captions_follow_their_regions(recap_words, recap_output, tmp_path) -> None:
    """The same with caps, in one shard or many, is the same about each region."""
    flags = ["--captioner", "builtin", "--limit", 6, "--no-filter"]
    assert recap_words(tmp_path / "many", *flags, "--shard-size", "10KiB")[0] == 0
    assert recap_words(tmp_path / "one", *flags)[0] == 0
    assert recap_words(tmp_path / "few", *flags, "--per-image", 2)[0] == 0
    many, single, few = (recap_output(tmp_path / name) for name in ("many", "one", "few"))
    assert len(many.output.digests()) > len(single.output.digests())
    assert many.captions() == single.captions()
    assert 0 < len(few.captions()) < len(single.captions())
    assert few.captions().keys() <= single.captions().keys()
    assert max(len(row["regions"]) for row in few.output.rows()) == 2


def test_the_ablations(serve, recap_words, recap_output, tmp_path) -> None:
    flags = ["--model", "stub", "--no-filter", "--limit", 2]
    asked = {}
    for more in ((), ("--no-global-caption",), ("--no-class-name",)):
        server, out = serve(), tmp_path / "".join(("out", *more))
        assert recap_words(out, *flags, "--endpoint", server.url, *more)[0] == 0
        names = [name for name in server.answered() if not name.startswith("canary")]
        asked[more] = ["/image/" in name for name in names]
        provenance = [row["provenance"] for row in recap_output(out).output.rows()]
        assert all(bool(each["global_caption"]) == any(asked[more]) for each in provenance)
    assert any(asked[()])
    assert not any(asked["--no-global-caption",])
    assert any(asked["--no-class-name",])


@pytest.mark.parametrize(
    ("source", "caps"),
    [
        ("v3det", ["--limit", 3]),
        ("v3det", ["--per-image", 1]),
        ("v3det", ["--per-category", 1]),
        ("coco", ["--label-set", "Shapes-15", "--per-category", 3, "--per-image", 2]),
    ],
)
def test_a_dry_run_says_what_it_takes(serve, recap_words, tmp_path, source, caps) -> None:
    server = serve(delay=0.01)
    flags = ["--endpoint", server.url, "--model", "stub", "--no-filter", *caps]
    status, printed = recap_words(tmp_path / "out", *flags, "--dry-run", source=source)
    assert status == 0
    assert not (tmp_path / "out").exists()
    measured = len(server.log())
    server.forget()
    assert recap_words(tmp_path / "out", *flags, source=source)[0] == 0
    asked = [name for name in server.answered() if not name.startswith("canary")]
    assert measured <= len(asked)
    regions = sum("/region/" in name for name in asked)
    assert f"would caption {regions} regions of {len(asked) - regions} images" in printed
    assert f"{len(asked)} calls" in printed


def test_a_dry_run_of_the_builtin_captioner(recap_words, tmp_path) -> None:
    status, printed = recap_words(tmp_path / "out", *BUILTIN, "--no-filter", "--dry-run")
    assert (status, "would caption" in printed) == (0, True)
    assert not (tmp_path / "out").exists()
