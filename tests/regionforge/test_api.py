"""The functions for Python users: what they take, the order of records, and mistakes."""

import pytest

import regionforge
from pipelines.cli.parser import run
from pipelines.runner.launch import LaunchOptions
from regionforge import api

RECIPE = """
name: mine
sources:
  - {name: coco, label_set: Shapes-15}
  - {name: llava_pretrain}
"""


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plan(recipe_file, sample_world, tmp_path_factory):
    recipe = regionforge.load_recipe(recipe_file, shard_bytes=300_000)
    return regionforge.make_plan(recipe, sample_world, tmp_path_factory.mktemp("output"))


@pytest.fixture(scope="module")
def output(plan):
    """A build of two sources, in several shards."""
    regionforge.launch(plan)
    return plan.output


def ids(output, *selected: str | None) -> list[str]:
    """The ids of all records that are read, in order."""
    batches = regionforge.read_shards(output, *selected)
    return [record_id for batch in batches for record_id in batch.column("id").to_pylist()]


def test_a_recipe_with_other_values(recipe_file):
    recipe = regionforge.load_recipe(str(recipe_file), seed=7, limit=5)
    assert (recipe.name, recipe.seed, recipe.limit) == ("mine", 7, 5)
    assert [source.name for source in recipe.sources] == ["coco", "llava_pretrain"]
    assert regionforge.load_recipe("gpt4roi_stage1").seed == 0


def test_a_recipe_with_captions(sample_world, tmp_path):
    words = ["recap", "--source", "v3det", "--data-root", sample_world, "--limit", "2"]
    words += ["--captioner", "builtin", "--no-filter", "--output", tmp_path]
    assert run([str(word) for word in words]) == 0
    recipe = regionforge.load_recipe("regiongpt_finetune", recapd=tmp_path)
    paths = {source.name: dict(source.paths) for source in recipe.sources if source.paths}
    assert paths == {"v3det": {"recapd": str(tmp_path / "manifest.json")}}


def test_records_come_in_order_and_by_config_and_split(output):
    everything = ids(output)
    assert len(everything) == len(set(everything))
    parts = [
        ids(output, "coco", "train"),
        ids(output, "coco", "val"),
        ids(output, "llava_pretrain"),
    ]
    assert [part for part in parts if not part] == []
    assert everything == [record_id for part in parts for record_id in part]
    assert ids(output, "mine") == everything
    assert ids(output, "coco") == parts[0] + parts[1]
    assert ids(output, None, "val") == parts[1]


def test_records_have_the_schema(output):
    for batch in regionforge.read_shards(output):
        assert batch.schema.equals(regionforge.SCHEMA, check_metadata=True)


def test_an_output_is_verified(output):
    assert regionforge.verify(output).problems == []
    assert regionforge.verify(output, workers=2).ok


def test_how_a_build_is_launched(plan, monkeypatch):
    launched = []
    monkeypatch.setattr(api, "_launch", lambda *given: launched.append(given))
    api.launch(plan)
    api.launch(plan, workers=3, rebuild=True, runner="DataflowRunner")
    api.launch(plan, rebuild=["coco"], update=True)
    dataflow = LaunchOptions(workers=3, rebuild=True, update=False, runner="DataflowRunner")
    assert launched == [
        (plan, LaunchOptions(update=False)),
        (plan, dataflow),
        (plan, LaunchOptions(rebuild=frozenset({"coco"}), update=True)),
    ]


def test_mistakes_are_errors_of_ours(plan, output, recipe_file, tmp_path):
    file = tmp_path / "file"
    file.touch()
    recipe = regionforge.load_recipe(recipe_file)
    for call, message in (
        (lambda: regionforge.load_recipe("mime"), "there is no recipe 'mime'; expected one of "),
        (
            lambda: regionforge.load_recipe(recipe_file, lime=5),
            "lime: there is no such key; did you mean limit?",
        ),
        (lambda: regionforge.load_recipe(recipe_file, limit=0), "limit: expected "),
        (lambda: regionforge.load_recipe("regiongpt_finetune", recapd=tmp_path), "no output is in"),
        (lambda: regionforge.make_plan(recipe, tmp_path, tmp_path / "x"), "'coco' is not complete"),
        (lambda: regionforge.make_plan(recipe, tmp_path, file), "is not a folder"),
        (lambda: regionforge.make_plan(recipe, "", file), "a path is empty"),
        (lambda: regionforge.launch(plan, rebuild=["lvis"]), "no source 'lvis', but: coco, llava"),
        (lambda: regionforge.launch(plan, workers=0), "expected 1 or more"),
        (lambda: regionforge.verify(tmp_path), "no output is in"),
        (lambda: list(regionforge.read_shards(tmp_path)), "no output is in"),
        (
            lambda: list(regionforge.read_shards(output, "lvis")),
            "there are: coco / train, coco / v",
        ),
    ):
        with pytest.raises(regionforge.RegionForgeError, match=message):
            call()
