"""Every flag of `build` and `recap` sets a field or is listed; and its errors name it."""

import argparse
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel

from pipelines.cli import build_recipe, recap_recipe
from pipelines.cli.arguments import check_flags, from_flags, stated_fields
from pipelines.cli.parser import make_parser, run
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.recipes.recipe import Recipe
from schemas.errors import UsageError

WORDS = {
    "build": ["build", "--sources", "coco", "--output", "unused"],
    "recap": ["recap", "--source", "coco", "--output", "unused"],
}
MODELS: dict[str, list[type[BaseModel]]] = {
    "build": [Recipe],
    "recap": [RecapRecipe, Captioning, Filter],
}
OTHERS = {"build": build_recipe.OTHER_FLAGS, "recap": recap_recipe.OTHER_FLAGS}


def parsed(command: str) -> argparse.Namespace:
    return make_parser().parse_known_args(WORDS[command])[0]


@pytest.mark.parametrize("command", WORDS)
def test_every_flag_is_a_field_or_listed(command):
    check_flags(parsed(command), MODELS[command], OTHERS[command])


@pytest.mark.parametrize("command", WORDS)
def test_a_flag_without_a_home_is_an_error(command):
    args = parsed(command)
    args.sparkle = 3
    with pytest.raises(AssertionError, match=r"neither fields nor listed: \['sparkle'\]"):
        check_flags(args, MODELS[command], OTHERS[command])


@pytest.mark.parametrize("command", WORDS)
def test_a_flag_with_two_homes_is_an_error(command):
    others = OTHERS[command] | {"seed"}
    with pytest.raises(AssertionError, match=r"fields, and listed: \['seed'\]"):
        check_flags(parsed(command), MODELS[command], others)


@pytest.mark.parametrize("command", WORDS)
def test_a_listed_flag_that_is_gone_is_an_error(command):
    with pytest.raises(AssertionError, match=r"listed, and no flags: \['sparkle'\]"):
        check_flags(parsed(command), MODELS[command], OTHERS[command] | {"sparkle"})


@pytest.mark.parametrize("command", WORDS)
def test_a_flag_that_is_not_given_states_nothing(command):
    for model in MODELS[command]:
        assert stated_fields(parsed(command), model) == {}


def test_a_value_is_refused_under_the_name_of_its_flag():
    with pytest.raises(UsageError, match=r"^--top-p: expected 1 or less, not 2$"):
        from_flags(Captioning, {"top_p": 2})
    with pytest.raises(UsageError, match=r"^--refilter: expected "):
        from_flags(Filter, {"threshold": 2}, {"threshold": "--refilter"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--refilter", "7"], "--refilter: expected 1 or less"),
        (["--threshold", "7"], "--threshold: expected 1 or less"),
        (["--no-filter", "--timeout", "0"], "--timeout: expected more than 0"),
        (["--no-filter", "--patience", "0"], "--patience 0: expected more than 0"),
        (["--no-filter", "--temperature", "3"], "--temperature: expected "),
        (["--no-filter", "--max-pixels", "1"], "--max-pixels: expected "),
        (["--no-filter", "--limit", "0"], "--limit: expected 1 or more"),
    ],
)
def test_a_bad_value_for_recap_names_its_flag(flags, message, tmp_path, capsys):
    words = ["recap", "--source", "v3det", "--output", str(tmp_path / "out"), *flags]
    assert run([*words, "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sources", "coco", "--min-words", "3"], "--min-words changes nothing here: it is for"),
        (["--sources", "coco", "--no-box-share", "0"], "--no-box-share changes nothing here"),
        (["--sources", "vcr", "--plain-captions"], "--plain-captions changes nothing here"),
        (["--sources", "coco", "--merge"], "--merge changes nothing here: no source of this build"),
        (["--sources", "llava", "--rec-negatives", "0.1"], "--rec-negatives changes nothing here"),
        (["--recipe", "eval_coco", "--no-box-share", "0"], "--no-box-share changes nothing here"),
    ],
)
def test_a_flag_that_no_source_goes_by_is_refused(words, message, tmp_path, capsys):
    assert run(["build", "--output", str(tmp_path / "out"), *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_flags_that_some_source_goes_by_are_taken():
    words = ["--min-words", "3", "--no-box-share", "0", "--rec-negatives", "0.1", "--no-merge"]
    words += ["--sources", "coco,refcocog,llava", "--output", "unused"]
    recipe = build_recipe.recipe_of(make_parser().parse_known_args(["build", *words])[0])
    assert (recipe.min_words, recipe.no_box_share, recipe.rec_negatives) == (3, 0, 0.1)


def actions(command: str) -> Any:
    """The flags of a command."""
    (commands,) = (
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return commands.choices[command]._actions


def test_help_states_the_default_of_the_field():
    fields = {**Captioning.model_fields, **Filter.model_fields, **RecapRecipe.model_fields}
    shown = {
        action.dest: action.help.rpartition("default: ")[2].rstrip(")")
        for action in actions("recap")
        if action.dest in fields and "default: " in (action.help or "")
    }
    assert len(shown) > 8
    for name in shown.keys() - {"guard", "shard_bytes", "model", "threshold_min"}:
        default = fields[name].default
        assert shown[name] == (f"{default:g}" if isinstance(default, float) else str(default))


def test_help_imports_neither_beam_nor_torch():
    program = (
        "import sys\n"
        "from pipelines.cli.parser import run\n"
        "try: run(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'apache_beam', 'torch', 'openai', 'pyarrow', 'PIL', 'datasets', 'grpc'}\n"
        "print('imported:', *sorted(heavy & sys.modules.keys()))\n"
    )
    for words in (["--help"], ["build", "--help"], ["recap", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "imported:"


@pytest.mark.parametrize(
    ("command", "before", "now"),
    [
        ("build", ["--without-recapd"], "--no-recapd"),
        ("build", ["--without-boxes", "0.5"], "--no-box-share"),
        ("build", ["--without-boxes=0.5"], "--no-box-share"),
        ("wordings", ["--kind", "recap_global"], "--set"),
        ("wordings", ["--n", "3"], "--count"),
    ],
)
def test_a_flag_that_was_renamed_is_named_as_it_is_now(command, before, now, capsys):
    assert run([command, *before]) == 2
    flag = before[0].partition("=")[0]
    assert capsys.readouterr().err == f"error: unknown flag {flag}: its name is {now} now\n"
    assert now in {flag for action in actions(command) for flag in action.option_strings}


OUTPUTS = {
    "build": ["build", "--sources", "coco", "--output"],
    "dry run": ["build", "--sources", "coco", "--dry-run", "--output"],
    "recap": ["recap", "--source", "v3det", "--captioner", "builtin", "--no-filter", "--output"],
    "sample-world": ["sample-world"],
}


@pytest.mark.parametrize("words", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("below", [False, True])
def test_an_output_that_is_a_file_is_refused(words, below, sample_world, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    output = file / "below" / "it" if below else file
    root = [] if words == ["sample-world"] else ["--data-root", str(sample_world)]
    assert run([*words, str(output), *root]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: cannot write into {output}: {file} is not a folder; name another one"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
