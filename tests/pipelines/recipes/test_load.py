"""Recipes of a user's own: what is taken, and what is refused in one line."""

from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from pipelines.cli import build_recipe
from pipelines.cli.parser import make_parser
from pipelines.recipes.load import load_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from schemas.errors import UsageError


def own_recipe(folder: Path, **changes) -> str:
    stated = {"name": "mine", "sources": [{"name": "v3det", "splits": ["train"]}]} | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(stated), encoding="utf-8")
    return str(path)


def test_a_recipe_of_ones_own(sample_world, command_line, output_of, tmp_path):
    output = tmp_path / "output"
    where = ("--data-root", sample_world, "--output", output)
    done = command_line("build", "--recipe", own_recipe(tmp_path, per_image=2), *where)
    assert done.returncode == 0, done.stderr
    assert f'data = load_dataset("{output}", "mine")\n' in done.stdout
    rows = output_of(output).rows()
    assert len(load_dataset(str(output), "mine", split="train")) == len(rows)
    assert max(len(row["regions"]) for row in rows) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"sources": [{"name": "coco", "bogus": 1}]},
            "sources.0.bogus: there is no such key; the keys are name, splits",
        ),
        ({"speed": 9}, "recipe .*mine.yaml: speed: there is no such key; did you mean seed"),
        ({"sources": []}, "sources: expected a list of one at least, each with a name"),
        ({"sources": "coco"}, "sources: expected a list of one at least, each with a name"),
        ({"sources": [{"name": ["coco"]}]}, "sources.0.name: expected text, not"),
        (
            {"sources": [{"name": "coco", "paths": None}]},
            "sources.0.paths: expected keys with values, not nothing",
        ),
        ({"guard_paths": ["x"]}, "guard_paths: expected paths by data set and role"),
        (
            {"name": "mix/a"},
            "name: expected a letter or digit, then letters, digits, dots and dashes",
        ),
        ({"name": ""}, "name: expected a letter or digit, then letters, digits, dots and dashes"),
        ({"name": "recapd"}, "a recipe cannot be named 'recapd'"),
        ({"sources": [{"name": "cocoa"}]}, "no source 'cocoa'; did you mean coco"),
        ({"sources": [{"name": "coco", "splits": ["dev"]}]}, "source 'coco' has no split 'dev'"),
        ({"sources": [{"name": "coco", "tasks": ["image_caption"]}]}, "cannot be used for image_c"),
        (
            {"sources": [{"name": "coco", "tasks": ["singing"]}]},
            "sources.0.tasks.0: expected region_classification, .*, not .singing.",
        ),
        ({"merge": True, "mode": "one_turn_one"}, "tasks are merged in the mode multi_turn_all"),
        ({"evaluation": True, "merge": True}, "an evaluation merges no tasks"),
        ({"evaluation": True, "style": "gpt4roi"}, "and has the regiongpt style"),
        (
            {"evaluation": True, "sources": [{"name": "flickr30k"}]},
            "no evaluation is done on source .flickr30k.",
        ),
        ({"name": "coco"}, "a recipe cannot be named 'coco'"),
        ({"per_category": 0}, "per_category: expected 1 or more, not 0"),
        ({"masks": "wobbly"}, "masks: expected annotated, dilated, eroded, not .wobbly."),
    ],
)
def test_a_recipe_that_cannot_be_is_one_line(
    sample_world, command_line, tmp_path, changes, message
):
    where = ("--data-root", sample_world, "--output", tmp_path / "output")
    done = command_line("build", "--recipe", own_recipe(tmp_path, **changes), *where)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    with pytest.raises(UsageError, match=message):
        raise UsageError(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- a\n- b\n", "expected keys such as name, style and sources"),
        (b"name: [", "the recipe .*broken.yaml is neither YAML nor JSON: while parsing"),
        (b"\xff\xfe\x00", "is neither YAML nor JSON"),
        (b"", "expected keys such as"),
    ],
)
def test_a_file_that_holds_no_recipe(tmp_path, content, message):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_recipe(str(path))


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="there is no recipe 'nope'; expected one of eval_c"):
        load_recipe("nope")
    with pytest.raises(UsageError, match="cannot read the recipe"):
        load_recipe(str(tmp_path / "none.yaml"))


def recipe_of(tmp_path, *flags, **changes) -> Recipe:
    """What a recipe file and flags come to."""
    words = ["build", "--recipe", own_recipe(tmp_path, **changes), "--output", "unused", *flags]
    args, _ = make_parser().parse_known_args(words)
    return build_recipe.recipe_of(args)


def test_a_cap_can_be_lifted(tmp_path):
    sources = [{"name": "coco", "per_category": 3}, {"name": "lvis", "per_category": "all"}]
    stated = {"sources": sources, "per_category": 5, "style": "gpt4roi"}
    assert resolve(recipe_of(tmp_path, **stated)).caps.per_category == {"coco": 3}
    assert resolve(recipe_of(tmp_path, **stated)).caps.per_image == {"coco": 100, "lvis": 100}
    flags = ("--per-image", "coco=all", "--per-category", "20", "--per-category", "coco=all")
    caps = resolve(recipe_of(tmp_path, *flags, **stated)).caps
    assert (caps.per_category, caps.per_image) == ({"lvis": 20}, {"lvis": 100})
    caps = resolve(recipe_of(tmp_path, "--per-category", "all", **stated)).caps
    assert caps.per_category == {}


def test_what_a_file_says_stands_unless_a_flag_says_otherwise(tmp_path):
    source = {"name": "coco", "annotations": "x", "images": "y", "label_set": "W", "split": "val"}
    lists = {"pope": {"random": "/a", "popular": "/b"}}
    stated = {"sources": [source], "guard_paths": lists}
    recipe = recipe_of(tmp_path, **stated)
    assert (recipe.sources[0].split, recipe.guard_paths) == ("val", lists)
    flags = ("--coco-split", "dev", "--path", "pope.popular=/c", "--path", "flickr30k.val=/d")
    recipe = recipe_of(tmp_path, *flags, **stated)
    assert recipe.sources[0].split == "dev"
    assert recipe.guard_paths == {
        "pope": {"random": "/a", "popular": "/c"},
        "flickr30k": {"val": "/d"},
    }
