"""The command line: its flags are a promise, and a mistake ends with a line, not a traceback.

Length: the flags of every command are spelled out.
"""

import argparse
import json

import pytest

from pipelines.cli.arguments import parse_paths, parse_size
from pipelines.cli.build_recipe import recipe_of
from pipelines.cli.parser import make_parser, run
from prompts.catalog import WORDING_SETS
from schemas.errors import UsageError

EVERYWHERE = {"--help", "--quiet", "--verbose", "--log-file"}
FLAGS = {
    "sources": {"names", "--data-root", "--json", "--source-module"},
    "validate": {"recipes", "--source-module"},
    "checks": {"--output", "--json"},
    "build": {
        "--sources", "--recipe", "--recapd", "--no-recapd", "--no-guard",
        "--require-guard", "--no-merge", "--data-root", "--path", "--detections",
        "--detection-names", "--coco-year", "--complete",
        "--coco-annotations", "--coco-images", "--coco-split", "--coco-last-part", "--edition",
        "--coco-crowds", "--coco-frame", "--allow-missing", "--label-set", "--limit", "--style",
        "--mode", "--per-category", "--per-image", "--min-words", "--rec-negatives",
        "--no-box-share", "--max-words", "--plain-captions", "--wordings", "--seed", "--output",
        "--images", "--shard-size", "--workers", "--runner", "--rebuild", "--update", "--dry-run",
        "--json", "--source-module",
    },
    "recap": {
        "--source", "--recipe", "--data-root", "--path", "--no-guard", "--require-guard",
        "--coco-annotations", "--coco-images", "--coco-split", "--coco-last-part",
        "--coco-crowds", "--coco-frame", "--allow-missing",
        "--serve", "--serve-args", "--vllm", "--label-set", "--limit", "--per-category",
        "--per-image", "--seed", "--captioner", "--endpoint", "--model", "--api-key-env",
        "--concurrency", "--timeout", "--patience", "--no-global-caption", "--no-class-name",
        "--wordings", "--temperature", "--top-p", "--global-tokens", "--region-tokens",
        "--seed-requests", "--context", "--max-pixels", "--threshold", "--calibration",
        "--no-filter", "--refilter", "--marks", "--threshold-min", "--clip-model", "--clip-weights",
        "--mask-blur", "--min-words", "--min-side", "--device", "--output", "--shard-size",
        "--workers", "--runner",
        "--clip-alpha",
        "--rebuild", "--dry-run", "--extra-body", "--no-canary", "--source-module",
        "--views", "--no-neighbours", "--no-structured",
        "--samples", "--no-measured-checks", "--max-alike", "--max-opening",
        "--judge-endpoint", "--judge-model", "--judge-min",
        "--no-judge-sentences", "--judge-api-key-env", "--judge-extra-body",
    },
    "calibrate": {
        "output", "--to", "--marks", "--false-accept", "--pairs", "--force", "--clip-model",
        "--clip-weights", "--clip-alpha", "--mask-blur", "--device", "--seed", "--judge-endpoint",
        "--judge-model", "--no-canary",
        "--no-judge-sentences", "--judge-api-key-env", "--judge-extra-body",
    },
    "wordings": {"--set", "--count", "--endpoint", "--model", "--output"},
    "verify": {"output", "--workers", "--data-root", "--image-root", "--json"},
    "preview": {"output", "-n", "--config", "--split", "--html", "--image-root"},
    "info": {"output", "--id", "--draw", "--image-root", "--json"},
    "diff": {"now", "before", "--list", "--json"},
    "export": {
        "output", "--format", "--to", "--config", "--split", "--image-root", "--coordinates",
    },
    "subset": {
        "origin", "--sources", "--splits", "--tasks", "--limit", "--ids", "--output", "--json",
    },
    "new-source": {"name", "--format", "--output"},
    "check-source": {"module", "--data-root", "--label-set", "--json"},
    "merge": {"outputs", "--output", "--json"},
    "report": {"output", "--to", "-n", "--data-root"},
    "push": {"output", "--repo", "--public", "--mixed-licences", "--dry-run"},
    "judge": {
        "predictions", "--bench", "--questions", "--shards", "--with-picture", "--image-root",
        "--endpoint", "--model", "--revision", "--temperature", "--max-tokens", "--api-key-env",
        "--concurrency", "--timeout", "--patience", "--output", "--extra-body", "--no-canary",
    },
    "sample-world": {"output", "--size", "--preset", "--seed"},
}  # fmt: skip


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (group,) = [
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return dict(group.choices)


@pytest.fixture
def build(two_splits, tmp_path):
    """Runs `build` on a small data root, with more flags; returns the exit status."""
    root, _ = two_splits
    output = tmp_path / "output"

    def call(*flags: object) -> int:
        words = ["build", "--sources", "coco", "--data-root", root, "--output", output]
        return run([str(word) for word in (*words, "--label-set", "Things", *flags)])

    return call


def error_of(capsys) -> str:
    """Returns the last line on standard error, which is an error without a traceback."""
    captured = capsys.readouterr()
    assert (captured.out, "Traceback" in captured.err) == ("", False)
    line = captured.err.splitlines()[-1]
    assert line.startswith("error: ")
    return str(line.removeprefix("error: "))


def test_every_argument_has_a_help():
    silent = [
        (name, action.dest)
        for name, parser in subparsers().items()
        for action in parser._actions
        if not action.help
    ]
    assert silent == []


def test_the_commands_and_their_flags():
    flags = {
        name: {(action.option_strings or [action.dest])[-1] for action in parser._actions}
        for name, parser in subparsers().items()
    }
    assert flags == {name: flags | EVERYWHERE for name, flags in FLAGS.items()}


@pytest.mark.parametrize("name", FLAGS)
def test_help_shows_an_example_that_parses(name, capsys):
    with pytest.raises(SystemExit) as ended:
        run([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if line.startswith("  regionforge ")]
    assert lines
    for example in lines:
        args, others = make_parser().parse_known_args(example.split()[1:])
        assert (args.command, others) == (name, [])


def test_a_build_from_the_command_line(build, output_of, tmp_path, capsys):
    assert build("--direct_num_workers=1", "--job_name", "mine") == 0  # these two are Beam's
    assert output_of(tmp_path / "output").images() == ["1", "2", "3", "4", "5"]
    shown = capsys.readouterr().out
    assert f'data = load_dataset("{tmp_path / "output"}", "coco")' in shown.replace("\n", "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--frobnicate", "3"], "there is no flag --frobnicate; see `regionforge build --help`"),
        (["--frobnicate=3"], "there is no flag --frobnicate; see"),
        (["-x"], "there is no flag -x; see"),
        (["--shard", "5MB"], "there is no flag --shard; did you mean --shard-size?"),
        (["--job-name", "mine"], "there is no flag --job-name; see"),
        (["--wrokers", "3"], "there is no flag --wrokers; did you mean --workers? Beam has none"),
        (["stray"], "unexpected 'stray': it is neither a flag nor the value of one"),
        (["lvis"], "unexpected 'lvis': it is neither a flag nor the value of one; several values"),
        (["--streaming", "false"], "unexpected 'false'"),
        (["--limit", "0"], "--limit: expected 1 or more"),
        (["--seed", "-1"], "--seed: expected 0 or more"),
        (["--per-image", "0"], "--per-image 0: expected N, SOURCE=N or SOURCE=all, N from 1 to"),
        (["--per-category", "x"], "--per-category x: expected N, SOURCE=N or SOURCE=all"),
        (["--per-category", "vcr=2"], "--per-category vcr=2: source 'vcr' is not asked for"),
        (["--min-words", "0"], "--min-words: expected 1 or more"),
        (["--rec-negatives", "0.6"], "--rec-negatives 0.6: expected 0.5 at most, as each"),
        (["--rec-negatives", "-1"], "--rec-negatives: expected 0 or more"),
        (["--rec-negatives", "nan"], "--rec-negatives: expected"),
        (["--workers", "0"], "--workers 0: expected 1 or more"),
        (["--workers", "100000"], "--workers 100000: expected at most 256"),
        (["--shard-size", "big"], "--shard-size 'big': expected a size such as 500MB or 2GiB"),
        (["--rebuild", "lvis"], "--rebuild lvis: this build has no source 'lvis', but: coco"),
        (["--rebuild", ""], "--rebuild : this build has no source '', but: coco"),
        (["--rebuild", "coco,"], "--rebuild coco,: this build has no source '', but: coco"),
        (["--sources", "coco,coco"], "source 'coco' is given more than once"),
        (["--sources", "cocoa"], "there is no source 'cocoa'; did you mean coco?"),
        (["--sources", "xyz"], "there is no source 'xyz'; expected one of coco, dlc_bench"),
        (["--sources", ""], "there is no source ''; expected one of coco"),
        (["--data-root", "/nowhere"], "--data-root /nowhere: there is no such folder"),
        (["--data-root", "/usr/lbi"], "--data-root /usr/lbi: there is no such folder; did"),
        (["--data-root", "/usr"], "source 'coco' is not complete; missing: /usr/coco/"),
        (["--data-root", ""], "a path is empty"),
        (["--output", ""], "a path is empty"),
        (["--output", "nfs://host/x"], "nfs://host/x: nothing installed here opens nfs:// paths"),
        (["--label-set", "<image>"], "--label-set '<image>' will stand in prompts"),
        (["--label-set", ""], "--label-set: expected visible characters"),
        (["--coco-split", "../x"], "--coco-split '../x': expected letters, digits"),
        (["--coco-images", "x"], "--coco-images goes with --coco-annotations FILE"),
        (["--coco-annotations", "x"], "--coco-annotations x: there is no such file"),
        (["--path", "coco.images"], "--path 'coco.images': expected SOURCE.ROLE=PATH"),
        (["--path", "vcr.images=/x"], "--path 'vcr.images=/x': source 'vcr' is not asked for"),
        (["--path", "coco.sounds=/x"], "--path coco.sounds=/x: source 'coco' reads nothing that"),
        (["--path", "coco.x=nfs://x/y"], "nfs://x/y: nothing installed here opens nfs:// paths"),
        (["--style", "gpt4roi", "--mode", "one_turn_one"], "the gpt4roi style asks about one"),
        (["--runner", "NoSuchRunner"], "--runner NoSuchRunner: Unexpected pipeline runner"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(build, capsys, flags, message):
    assert build(*flags) == 2
    assert error_of(capsys).startswith(message)


@pytest.mark.parametrize("command", ["verify", "preview", "info"])
def test_an_output_that_is_none_is_one_line(command, tmp_path, capsys):
    assert run([command, str(tmp_path)]) == 2
    assert str(tmp_path / "manifest.json") in error_of(capsys)


@pytest.mark.parametrize("command", ["sources", "verify", "preview", "info", "sample-world"])
def test_other_commands_know_no_flags_of_beams(command, tmp_path, capsys):
    words = ["--data-root"] if command == "sources" else []
    assert run([command, *words, str(tmp_path / "x"), "--job_name=mine"]) == 2
    assert error_of(capsys).startswith("there is no flag --job_name; see")
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_with_the_status(new_process, tmp_path):
    done = new_process("verify", tmp_path)
    assert done.returncode == 2
    assert "\nerror: " in f"\n{done.stderr}"
    assert "Traceback" not in done.stderr


def test_an_unusable_file_ends_with_a_line_for_it(build, two_splits, tmp_path, capsys):
    _, splits = two_splits
    splits["val"].file.write_text("{", encoding="utf-8")
    assert build() == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {splits['val'].file} (1 bytes) is not a whole COCO")


def test_sources_says_what_is_found_and_what_is_missing(two_splits, capsys):
    root, _ = two_splits
    assert run(["sources", "coco", "--data-root", str(root)]) == 0
    shown = capsys.readouterr().out.splitlines()
    first = shown.index("  train 2014")
    assert [line.split() for line in shown[first : first + 12]] == [
        words
        for year, state in (("2014", "missing"), ("2017", "found"))
        for split in ("train", "val")
        for words in (
            [split, year],
            [state, split, f"{root}/coco/annotations/instances_{split}{year}.json"],
            [state, "images", f"{root}/coco/{split}{year}"],
        )
    ]


def test_a_dry_run_counts_and_writes_nothing(build, two_splits, tmp_path, capsys):
    _, splits = two_splits
    splits["val"].listed(6, "6.jpg", None)
    splits["val"].save()
    assert build("--dry-run") == 0
    shown = capsys.readouterr().out
    assert "coco/val: image image_missing: 1" in shown
    assert "coco/val: annotation, left out with its image: 1" in shown
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500MB", 500_000_000),
        ("500MiB", 500 * 2**20),
        ("2gb", 2 * 10**9),
        ("2gib", 2**31),
        ("1.5 KB", 1500),
        ("1.5 KiB", 1536),
        (" 7b ", 7),
        ("0.5kB", 500),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["coco.images=/a/b/"], {"coco": {"images": "/a/b"}}),
        (
            ["vcr.images=/a=b/c.d", "coco.images=x", "vcr.questions=q.jsonl"],
            {"vcr": {"images": "/a=b/c.d", "questions": "q.jsonl"}, "coco": {"images": "x"}},
        ),
        (["vcr.a.b=/x"], {"vcr": {"a.b": "/x"}}),
        (["vcr.a=/"], {"vcr": {"a": "/"}}),
        (["vcr.a=/x", "vcr.a=/y"], {"vcr": {"a": "/y"}}),
    ],
)
def test_paths_by_source_and_role(given, expected):
    assert parse_paths(given, ["coco", "vcr"]) == expected


@pytest.mark.parametrize("text", ["", "x", "vcr=/x", "vcr.=/x", "vcr.images", "vcr.images="])
def test_what_is_no_path(text):
    with pytest.raises(UsageError, match=r"expected SOURCE\.ROLE=PATH"):
        parse_paths([text], ["vcr"])


def test_blanks_stand_around_no_name_of_a_source():
    args = make_parser().parse_args(["build", "--sources", "coco, lvis", "--output", "x"])
    assert [source.name for source in recipe_of(args).sources] == ["coco", "lvis"]


@pytest.mark.parametrize("text", [".images=/x", "coco.images=/x", "VCR.images=/x"])
def test_a_path_of_a_source_that_is_not_built(text):
    with pytest.raises(UsageError, match="is not asked for"):
        parse_paths(["vcr.images=/y", text], ["vcr"])


@pytest.mark.parametrize("text", ["", "500", "MB", "-1MB", "1e3MB", "5TB", "0MB", "0.1B", "5 M B"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="expected a size such as 500MB or 2GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is neither YAML nor JSON"),
        ("just words", "expected names of wordings sets, each with a list of strings"),
        ("region_classification: What is it?", "expected names of wordings sets"),
        ("region_classification: [1, 2]", "expected names of wordings sets"),
        ("other_set: [a]", f"no wordings set 'other_set'; the sets are: {', '.join(WORDING_SETS)}"),
        ("region_classification: []", "'region_classification': it is empty"),
        ("region_classification: ['What?']", "expected once each of: <region>; found []"),
        ("region_classification: ['<region> <x>']", "found ['<region>', '<x>']"),
        ("region_classification: ['<region>', '<region>']", "given more than once: '<region>'"),
    ],
)
def test_wordings_that_are_unfit(build, tmp_path, capsys, content, message):
    (tmp_path / "wordings.yaml").write_text(content, encoding="utf-8")
    assert build("--wordings", tmp_path / "wordings.yaml") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "output").exists()


def test_a_wordings_file_that_is_not_there(build, capsys):
    assert build("--wordings", "/nowhere/w.yaml") == 2
    assert error_of(capsys) == (
        "cannot read the wordings file /nowhere/w.yaml: No such file or directory"
    )


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_wordings_of_ones_own(build, output_of, tmp_path, suffix):
    path = tmp_path / f"wordings.{suffix}"
    path.write_text(json.dumps({"region_classification": ["Hm, <region>?"]}), encoding="utf-8")
    assert build("--wordings", path) == 0
    for row in output_of(tmp_path / "output").rows():
        assert "Hm, <region2>?" in row["messages"][2]["content"]
