"""A flag acts or is refused: each that could change nothing is tried where it would.

The flags of all commands are read from the parsers; each is either in a table below, with words
beside which it is refused, or is listed as one that always acts, with the reason.

Length: the two tables are read side by side.
"""

import argparse
import json

import pytest

from pipelines.cli.parser import make_parser, run

BUILD = ["build", "--output", "unused"]
LABEL = ["--sources", "coco", "--label-set", "Shapes-15"]
EVAL = ["--recipe", "eval_coco", "--label-set", "Shapes-15"]
RECAP = ["recap", "--source", "v3det", "--output", "unused", "--captioner", "builtin"]
UNFILTERED = [*RECAP, "--no-filter"]
SERVED = [*RECAP[:-2], "--model", "m", "--endpoint", "http://127.0.0.1:9/v1"]
BY_JUDGE = ["--judge-endpoint", "http://127.0.0.1:9/v1", "--judge-model", "m"]
CALIBRATE = ["calibrate", "EMBEDDED", "--to", "unused.json"]
JUDGE = ["judge", "p.jsonl", "--bench", "dlc", "--questions", "q.json", "--model", "m"]
JUDGE += ["--endpoint", "http://127.0.0.1:9/v1"]

IN_VAIN = [
    # Each: the flag, the words around it, and a part of the refusal.
    ("build --no-recapd", [*BUILD, *LABEL, "--no-recapd"], "--no-recapd changes nothing here"),
    ("build --no-recapd", [*BUILD, *EVAL, "--no-recapd"], "--no-recapd changes nothing here"),
    (
        "build --per-category",
        [*BUILD, "--sources", "llava", "--per-category", "5"],
        "about regions",
    ),
    (
        "build --per-category",
        [*BUILD, "--sources", "llava,coco", "--per-category", "llava=5"],
        "--per-category changes nothing here: no task of llava is about regions",
    ),
    (
        "build --per-image",
        [*BUILD, "--recipe", "eval_pope", "--per-image", "5"],
        "--per-image changes nothing here: no task of pope is about regions",
    ),
    ("build --no-guard", [*BUILD, *EVAL, "--no-guard"], "--no-guard changes nothing here"),
    ("build --no-guard", [*BUILD, *EVAL, "--guard"], "--guard changes nothing here"),
    (
        "build --require-guard",
        [*BUILD, *EVAL, "--require-guard"],
        "--require-guard changes nothing",
    ),
    ("build --wordings", [*BUILD, *LABEL, "--wordings", "PHRASES"], "--wordings changes nothing"),
    (
        "build --mode",
        [*BUILD, "--recipe", "eval_pope", "--mode", "one_turn_all"],
        "mode one_turn_a",
    ),
    (
        "build --mode",
        [*BUILD, "--sources", "vcr", "--mode", "one_turn_all"],
        "--mode changes nothing",
    ),
    ("build --style", [*BUILD, *EVAL, "--style", "gpt4roi"], "has the regiongpt style"),
    ("build --max-words", [*BUILD, *EVAL, "--max-words", "5"], "--max-words changes nothing here"),
    ("build --min-words", [*BUILD, *LABEL, "--min-words", "3"], "--min-words changes nothing here"),
    (
        "build --rec-negatives",
        [*BUILD, *LABEL, "--rec-negatives", "0"],
        "--rec-negatives changes no",
    ),
    (
        "build --no-box-share",
        [*BUILD, *LABEL, "--no-box-share", "0"],
        "--no-box-share changes noth",
    ),
    (
        "build --plain-captions",
        [*BUILD, *LABEL, "--plain-captions"],
        "--plain-captions changes not",
    ),
    ("build --no-merge", [*BUILD, *LABEL, "--merge"], "--merge changes nothing here"),
    ("build --recapd", [*BUILD, *LABEL, "--recapd", "none"], "none"),
    (
        "build --detections",
        [*BUILD, *LABEL, "--detections", "coco=x"],
        "reads nothing that is called",
    ),
    (
        "build --detection-names",
        [*BUILD, *LABEL, "--detection-names", "coco"],
        "goes with --detect",
    ),
    ("build --edition", [*BUILD, *LABEL, "--edition", "x"], "expected none: there is one only"),
    (
        "build --label-set",
        [*BUILD, "--sources", "vcr", "--label-set", "x"],
        "no prompt names its cat",
    ),
    (
        "build --complete",
        [*BUILD, *LABEL, "--complete", "coco"],
        "it is for the tasks region_count",
    ),
    (
        "build --coco-year",
        [*BUILD, "--sources", "vcr", "--coco-year", "2014"],
        "goes with the source",
    ),
    ("build --coco-images", [*BUILD, *LABEL, "--coco-images", "x"], "--coco-images"),
    ("build --coco-split", [*BUILD, *LABEL, "--coco-split", "x"], "only beside `annotations`"),
    (
        "build --coco-crowds",
        [*BUILD, *LABEL, "--coco-crowds", "objects"],
        "only beside `annotations`",
    ),
    ("build --coco-frame", [*BUILD, *LABEL, "--coco-frame", "stored"], "only beside `annotations`"),
    ("build --coco-last-part", [*BUILD, *LABEL, "--coco-last-part"], "only beside `annotations`"),
    (
        "build --coco-annotations",
        [*BUILD, "--sources", "vcr", "--coco-annotations", "x"],
        "the source",
    ),
    ("build --path", [*BUILD, *LABEL, "--path", "coco.refs=x"], "reads nothing that is called"),
    (
        "build --workers",
        [*BUILD, *LABEL, "--workers", "2", "--runner", "DataflowRunner"],
        "is for local",
    ),
    (
        "recap --workers",
        [*UNFILTERED, "--workers", "2", "--runner", "DataflowRunner"],
        "is for local",
    ),
    ("recap --clip-model", [*UNFILTERED, "--clip-model", "ViT-L-14"], "--clip-model: --no-filter"),
    ("recap --clip-alpha", [*UNFILTERED, "--clip-alpha", "x"], "--clip-alpha: --no-filter"),
    ("recap --clip-weights", [*UNFILTERED, "--clip-weights", "x"], "--clip-weights: --no-filter"),
    (
        "recap --device",
        [*UNFILTERED, "--device", "cpu"],
        "--device: --no-filter keeps all captions",
    ),
    (
        "recap --mask-blur",
        [*UNFILTERED, "--mask-blur"],
        "--mask-blur: --no-filter keeps all captions",
    ),
    ("recap --threshold-min", [*UNFILTERED, "--threshold-min", "0.2"], "--threshold-min: --no-fil"),
    (
        "recap --threshold",
        [*UNFILTERED, "--threshold", "0.2"],
        "--threshold and --no-filter each say so: give one of them",
    ),
    (
        "recap --calibration",
        [*UNFILTERED, "--calibration", "x"],
        "--calibration and --no-filter each say so: give one of them",
    ),
    (
        "recap --refilter",
        [*UNFILTERED, "--refilter", "0.2"],
        "--no-filter and --refilter each say so: give one of them",
    ),
    ("recap --wordings", [*UNFILTERED, "--wordings", "PHRASES"], "--wordings: `recap` uses none"),
    *(
        (f"recap {words[0]}", [*UNFILTERED, *words], f"asks no model: leave out {words[0]}")
        for words in (
            ("--endpoint", "http://127.0.0.1:9/v1"),
            ("--model", "m"),
            ("--api-key-env", "KEY"),
            ("--concurrency", "2"),
            ("--timeout", "2"),
            ("--patience", "2"),
            ("--extra-body", "{}"),
            ("--no-canary",),
            ("--temperature", "1"),
            ("--top-p", "0.5"),
            ("--seed-requests",),
            ("--global-tokens", "9"),
            ("--region-tokens", "9"),
            ("--min-words", "9"),
            ("--no-class-name",),
            ("--views", "both"),
            ("--no-neighbours",),
            ("--no-structured",),
            ("--recipe", "recap_modern"),
            ("--serve", "m"),
            ("--vllm", "x"),
            ("--serve-args", "x"),
            ("--judge-model", "m"),
            ("--samples", "3"),
            ("--no-measured-checks",),
        )
    ),
    (
        "recap --samples",
        [*SERVED, "--no-filter", "--samples", "3"],
        "--samples takes --temperature above 0",
    ),
    *(
        (f"recap {words[0]}", [*SERVED, "--no-filter", *words], f"{words[0]} goes with --judge-mod")
        for words in (
            ("--judge-endpoint", "http://127.0.0.1:9/v1"),
            ("--judge-min", "0.5"),
            ("--no-judge-sentences",),
            ("--judge-api-key-env", "KEY"),
            ("--judge-extra-body", '{"top_k": 1}'),
        )
    ),
    *(
        (f"calibrate {words[0]}", [*CALIBRATE, *words], f"{words[0]} goes with --judge-model")
        for words in (
            ("--no-canary",),
            ("--judge-endpoint", "http://127.0.0.1:9/v1"),
            ("--no-judge-sentences",),
            ("--judge-api-key-env", "KEY"),
            ("--judge-extra-body", '{"top_k": 1}'),
        )
    ),
    (
        "recap --judge-min",
        [*SERVED, "--no-filter", *BY_JUDGE, "--judge-min", "0.5"],
        "--judge-min: --no-filter keeps all captions",
    ),
    (
        "recap --clip-model",
        [*SERVED, *BY_JUDGE, "--judge-min", "0.5", "--clip-model", "x"],
        "--clip-model: nothing is scored without --threshold S or --calibration FILE",
    ),
    (
        "recap --no-measured-checks",  # the name of both in the parser
        [*SERVED, "--no-filter", "--measured-checks"],
        "--measured-checks: --no-filter keeps all captions",
    ),
    (
        "recap --max-alike",
        [*SERVED, "--no-filter", "--max-alike", "0.5"],
        "--max-alike: --no-filter keeps all captions",
    ),
    (
        "recap --max-opening",
        [*SERVED, "--no-filter", "--max-opening", "0.5"],
        "--max-opening: --no-filter keeps all captions",
    ),
    ("calibrate --marks", [*CALIBRATE, *BY_JUDGE, "--marks", "x"], "--marks: --judge-model asks"),
    (
        "recap --context",
        [*SERVED, "--no-filter", "--views", "whole", "--context", "1"],
        "--context: --views whole sends no crop",
    ),
    (
        "recap --context",
        [*SERVED, "--no-filter", "--views", "region", "--context", "1"],
        "--context: --views region sends no crop",
    ),
    (
        "recap --serve",
        [*RECAP[:-2], "--no-filter", "--views", "region", "--serve", "m"],
        "--views region: --serve starts vLLM",
    ),
    ("recap --coco-annotations", [*UNFILTERED, "--coco-annotations", "x"], "go with --source coco"),
    (
        "verify --image-root",
        ["verify", "EMBEDDED", "--image-root", "."],
        "hold the pictures themselv",
    ),
    (
        "preview --image-root",
        ["preview", "EMBEDDED", "--html", "unused", "--image-root", "."],
        "hold the pictures themselves",
    ),
    ("preview --image-root", ["preview", "EMBEDDED", "--image-root", "."], "goes with --html"),
    ("info --draw", ["info", "EMBEDDED", "--draw", "unused.png"], "goes with --id"),
    ("info --image-root", ["info", "EMBEDDED", "--image-root", "."], "goes with --draw"),
    (
        "info --image-root",
        ["info", "EMBEDDED", "--id", "x", "--draw", "unused.png", "--image-root", "."],
        "hold the pictures themselves",
    ),
    (
        "export --image-root",
        ["export", "EMBEDDED", "--format", "coco", "--to", "unused", "--image-root", "."],
        "hold the pictures themselves",
    ),
    (
        "export --coordinates",
        ["export", "EMBEDDED", "--format", "swift", "--to", "unused", "--coordinates", "pixels"],
        "--coordinates goes with --format llamafactory or qwen",
    ),
    *(
        (
            f"calibrate {flag[0]}",
            ["calibrate", "EMBEDDED", "--to", "unused.json", "--marks", "unused", *flag],
            f"{flag[0]}: --marks is about captions that are scored",
        )
        for flag in (
            ("--pairs", "9"),
            ("--clip-model", "ViT-B-32"),
            ("--clip-weights", "x"),
            ("--clip-alpha", "x"),
            ("--device", "cpu"),
            ("--seed", "1"),
            ("--mask-blur",),
        )
    ),
    ("recap --marks", [*UNFILTERED, "--marks", "x"], "goes with --refilter"),
    (
        "report --data-root",
        ["report", "EMBEDDED", "--to", "unused", "--data-root", "."],
        "hold the pictures themselves",
    ),
    ("judge --with-picture", [*JUDGE, "--with-picture"], "name it by --shards"),
    ("judge --image-root", [*JUDGE, "--image-root", "."], "goes with --with-picture"),
]

ALWAYS = {
    "build": {
        *("--sources", "--recipe", "--data-root", "--output"),  # needed by every build
        *("--limit", "--seed", "--images", "--shard-size", "--allow-missing"),  # about all pictures
        *("--runner", "--rebuild", "--update", "--dry-run", "--source-module"),
    },
    "recap": {
        *(
            "--source",
            "--data-root",
            "--output",
            "--path",
            "--captioner",
            "--no-filter",
        ),
        *("--limit", "--per-category", "--per-image", "--min-side", "--label-set", "--seed"),
        *("--no-guard", "--require-guard", "--allow-missing", "--no-global-caption"),
        *("--max-pixels", "--shard-size", "--rebuild", "--dry-run"),
        *("--coco-images", "--coco-split", "--coco-crowds", "--coco-frame", "--coco-last-part"),
        *("--source-module", "--runner"),
    },
    "judge": {
        *("predictions", "--bench", "--questions", "--shards", "--endpoint", "--model"),
        *("--revision", "--temperature", "--max-tokens", "--api-key-env", "--concurrency"),
        *("--timeout", "--extra-body", "--no-canary", "--patience", "--output"),
    },
    "verify": {"output", "--workers", "--data-root"},
    "info": {"output", "--id"},
    "report": {"output", "--to", "-n"},
    "calibrate": {"output", "--to", "--false-accept", "--force", "--judge-model"},
    "preview": {"output", "-n", "--config", "--split", "--html"},
    "export": {"output", "--format", "--to", "--config", "--split"},
}
# Of every command: about what is printed; they are tried with the console.
PRINTED = {"--help", "--quiet", "--verbose", "--log-file", "--json"}
# Commands whose flags have no conditions.
WHOLE = {
    "check-source",
    "new-source",
    "diff",
    "push",
    "merge",
    "subset",
    "sources",
    "validate",
    "checks",
    "sample-world",
    "calibrate",
    "wordings",
}


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


def test_each_flag_is_tried_or_always_acts():
    assert set(commands()) == set(ALWAYS) | WHOLE
    for name in ALWAYS:
        known = {(each.option_strings or [each.dest])[-1] for each in commands()[name]._actions}
        tried = {flag.split()[1] for flag, *_ in IN_VAIN if flag.split()[0] == name}
        assert tried | ALWAYS[name] == known - PRINTED, name
        assert not tried & ALWAYS[name], name


@pytest.fixture(scope="module")
def embedded(sample_world, tmp_path_factory):
    """A build that holds its pictures."""
    output = tmp_path_factory.mktemp("built") / "output"
    words = ["--limit", "2", "--data-root", str(sample_world), "--output", str(output)]
    assert run(["build", *LABEL, *words]) == 0
    return output


@pytest.mark.parametrize(
    ("flag", "words", "message"), IN_VAIN, ids=[" ".join(words[3:])[:60] for _, words, _ in IN_VAIN]
)
def test_a_flag_that_would_change_nothing_is_refused(
    flag, words, message, embedded, sample_world, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    phrases = tmp_path / "phrases.yaml"
    phrases.write_text(json.dumps({"region_relationship": ["How is <subject> to <object>?"]}))
    names = {"EMBEDDED": str(embedded), "PHRASES": str(phrases)}
    words = [names.get(word, word) for word in words]
    if words[0] in ("build", "recap"):
        words += ["--data-root", str(sample_world)]
    assert run(words) in (1, 2)
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["phrases.yaml"]
