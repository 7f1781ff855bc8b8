"""Mistakes of a command line end it before any input is looked at."""

import os

import pytest

from pipelines import plan
from pipelines.cli.parser import run
from pipelines.preflight.inputs import InputCheck
from pipelines.preflight.room import SizeEstimate
from pipelines.recap import plan as recap_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage import files


@pytest.fixture
def refused(command_line, monkeypatch, tmp_path):
    """Runs a command that must end before it looks at its inputs, and returns its error."""

    def look(*_: object, **__: object) -> None:
        raise AssertionError("inputs were looked at")

    for module in (plan, recap_plan):
        monkeypatch.setattr(module, "plan_resolved", look)

    def error_of(command: str, *words: object) -> str:
        done = command_line(command, "--output", tmp_path / "output", *words)
        assert done.returncode == 2
        assert not (tmp_path / "output").exists()
        return str(done.stderr).splitlines()[-1].removeprefix("error: ")

    return error_of


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workers", "0"], "--workers 0: expected 1 or more"),
        (["--workers", "9999"], "--workers 9999: expected at most 256"),
        (["--runner", "NoSuchRunner"], "--runner NoSuchRunner: Unexpected pipeline runner"),
        (["--shard-size", "5"], "--shard-size '5': expected a size such as 500MB or 2GiB"),
        (["--shard-size", "2PB"], "--shard-size '2PB': expected a size such as 500MB or 2GiB"),
        (["--limit", "0"], "--limit: expected 1 or more"),
        (
            ["--no-guard", "--require-guard"],
            "--require-guard: the guard is turned off, by --no-guard or the recipe",
        ),
        (
            ["--runner", "DataflowRunner", "--workers", "2"],
            "--workers 2 is for local runs: leave it out, for --runner DataflowRunner decides by",
        ),
        (
            ["--coco-annotations", "f", "--coco-images", "d", "--coco-year", "2014"],
            "--coco-year 2014: source 'coco': expected none beside `annotations`",
        ),
    ],
)
def test_a_flag_of_build(refused, flags, message):
    assert refused("build", "--sources", "coco", *flags).startswith(message)


def test_a_flag_that_a_source_does_not_take_is_named_and_no_recipe(refused):
    error = refused("build", "--sources", "visual_genome", "--label-set", "Mine")
    assert error == (
        "--label-set Mine: source 'visual_genome': expected none: no prompt names its categories"
    )
    words = ["--no-filter", "--captioner", "builtin", "--label-set", "Mine"]
    error = refused("recap", "--source", "visual_genome", *words)
    assert error.startswith("--label-set Mine: source 'visual_genome': expected none")


@pytest.mark.parametrize(
    ("sources", "flag", "message"),
    [
        ("coco", "cocco=Mine", "--label-set 'cocco=Mine': source 'cocco' is not asked for"),
        ("coco", "lvis=Mine", "--label-set 'lvis=Mine': source 'lvis' is not asked for"),
        ("vcr,lvis", "Mine", "--label-set 'Mine': say of which source, e.g. lvis=Mine"),
    ],
)
def test_the_source_of_a_label_set(refused, sources, flag, message):
    assert refused("build", "--sources", sources, "--label-set", flag) == message


def test_missing_files_are_named_once(command_line, tmp_path):
    (tmp_path / "vcr").mkdir()
    for name in ("train.jsonl", "val.jsonl"):
        (tmp_path / "vcr" / name).touch()
    words = ["--sources", "vcr", "--data-root", tmp_path, "--output", tmp_path / "output"]
    error = command_line("build", *words).stderr
    assert f"source 'vcr' is not complete; missing: {tmp_path}/vcr/vcr1images. Get" in error


@pytest.mark.parametrize("flag", ["--style", "--mode"])
def test_a_wrong_choice_is_told_the_right_words(flag, capsys):
    assert run(["build", "--sources", "coco", "--output", "x", flag, "other"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {flag}: expected one of ")
    assert error.endswith(", not 'other'\n")
    assert "<" not in error


def test_a_recipe_is_named(refused, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nsources: [{name: vcr, label_set: Mine}]", encoding="utf-8")
    error = refused("build", "--recipe", path)
    assert error.startswith("recipe 'mine': source 'vcr': label_set 'Mine': expected none")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--no-guard", "--require-guard", "--captioner", "builtin"], "--require-guard: the guard"),
        (["--limit", "0", "--captioner", "builtin"], "--limit: expected "),
        (["--endpoint", "http://x/v1", "--model", "m", "--concurrency", "0"], "--concurrency"),
        (["--endpoint", "nowhere", "--model", "m"], "--endpoint"),
    ],
)
def test_a_flag_of_recap(refused, flags, message):
    assert refused("recap", "--source", "coco", "--no-filter", *flags).startswith(message)


def test_another_build_in_the_output_ends_a_build_before_its_inputs_are_read(
    two_splits, command_line, monkeypatch, tmp_path
):
    words = ["build", "--sources", "coco", "--label-set", "T", "--data-root", two_splits[0]]
    words += ["--output", tmp_path / "output"]
    assert command_line(*words).returncode == 0
    for name in ("check_inputs", "load_guard", "_fingerprints"):
        monkeypatch.setattr(plan, name, unstarted)
    done = command_line(*words, "--seed", "1", "--per-image", "3")
    assert done.returncode == 1
    assert "holds another build, which differs in coco: per_image (none, now 3), seed (0," in (
        done.stderr.replace("\n", " ")
    )
    assert "--rebuild coco" in done.stderr
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("x", encoding="utf-8")
    done = command_line(*words[:-1], tmp_path / "notes")
    assert "holds files that no build of ours wrote" in done.stderr
    with pytest.raises(AssertionError, match="the pipeline started"):
        command_line(*words, "--seed", "1", "--rebuild")


def test_unchanged_inputs_of_a_finished_build_are_not_looked_at_again(
    coco_file, run_build, monkeypatch
):
    owner = coco_file().good().save()
    os.utime(owner.file, (1, 1))  # a file that was changed just now is not trusted
    output = run_build(owner)
    looks: list[object] = []

    def look(*asked: object) -> tuple[InputCheck, None]:
        looks.append(asked)
        return InputCheck(SizeEstimate()), None

    monkeypatch.setattr("pipelines.preflight.inputs._look", look)
    recipe = Recipe(sources=(owner.request(),))
    plan.make_plan(recipe, "", str(output.folder))
    assert looks == []
    (output.folder / "manifest.json").unlink()
    plan.make_plan(recipe, "", str(output.folder))
    assert len(looks) == 1


@pytest.fixture
def little_disk(monkeypatch):
    """A disk without a free byte."""
    monkeypatch.setattr(files, "free_bytes", lambda path: 0)


def unstarted(*_: object, **__: object) -> None:
    raise AssertionError("the pipeline started")


def test_a_full_disk_ends_a_build_before_its_pipeline(
    two_splits, command_line, monkeypatch, tmp_path, little_disk
):
    monkeypatch.setattr("pipelines.runner.launch.begin", unstarted)
    words = ["build", "--sources", "coco", "--label-set", "T", "--data-root", two_splits[0]]
    done = command_line(*words, "--output", tmp_path / "output")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {tmp_path}/output: the output takes about " in done.stderr
    assert "and 0 bytes are free there. Make room" in done.stderr
    dry = command_line(*words, "--output", tmp_path / "output", "--dry-run")
    assert dry.returncode == 1
    assert "would write about" in dry.stdout
    assert "0 bytes are free there" in " ".join(dry.stdout.split())
    assert "the output takes about" in dry.stderr


def test_a_disk_that_may_be_too_small_is_a_line(two_splits, command_line, tmp_path, little_disk):
    words = ["build", "--sources", "coco", "--label-set", "T", "--data-root", two_splits[0]]
    done = command_line(*words, "--output", tmp_path / "output", "--images", "reference")
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("disk: ")]
    assert "It may not fit. Make room" in line
