"""The same inputs and recipe give the same bytes, however and wherever they are built."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.runner.launch import LaunchOptions

LABELS = {"label_set": "Shapes-15", "year": 2017}
SHARD_BYTES = 100 * 1024
DEFAULTS: dict[str, Any] = {"shard_bytes": SHARD_BYTES}

RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sampled": {"per_category": 12, "per_image": 3},
    "limited": {"limit": 20},
    "one region per record": {"mode": "one_turn_one"},
    "all regions in one turn": {"mode": "one_turn_all", "seed": 7},
    "GPT4RoI's style": {"style": "gpt4roi"},
    "by reference": {"images": "reference", "shard_bytes": 8 * 1024},
}


def shuffled(root: Path, seed: int) -> Path:
    """The same files with the items of every list in another order."""
    chance = random.Random(seed)
    for path in (root / "coco" / "annotations").iterdir():
        data = json.loads(path.read_bytes())
        for items in data.values():
            if isinstance(items, list):
                chance.shuffle(items)
        path.write_text(json.dumps(data), encoding="utf-8")
    return root


def remains(output):
    """All that a build leaves and that must not depend on how it ran."""
    return output.digests(), output.ledger(), output.rejected()


def flags(recipe) -> list[object]:
    """A recipe as it is typed."""
    options: dict[str, object] = {"shard_size": f"{SHARD_BYTES}B", **recipe}
    words: list[object] = ["--sources", "coco", "--label-set", "Shapes-15"]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", value]
    return words


@pytest.fixture(scope="module")
def built(sample_world, run_build):
    """Builds of the sample world in one process, by recipe."""
    return {
        name: run_build(sample_world, request=LABELS, **DEFAULTS | recipe)
        for name, recipe in RECIPES.items()
    }


@pytest.fixture(scope="module")
def elsewhere(sample_world, tmp_path_factory):
    """The sample world in another place and another order."""
    root = tmp_path_factory.mktemp("else where") / "wörld"
    return shuffled(shutil.copytree(sample_world, root), seed=1)


def test_recipes_differ_and_have_several_shards(built):
    digests = [output.digests() for output in built.values()]
    assert min(map(len, digests)) >= 4
    assert len({frozenset(by_shard.values()) for by_shard in digests}) == len(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_order_and_place_do_not_matter(built, elsewhere, run_build, name):
    options = DEFAULTS | RECIPES[name]
    output = run_build(elsewhere, request=LABELS, **options)
    assert remains(output) == remains(built[name])


@pytest.mark.parametrize("name", RECIPES)
def test_the_number_of_parts_does_not_matter(built, sample_world, run_build, in_parts, name):
    options = DEFAULTS | RECIPES[name]
    output = run_build(sample_world, request=LABELS, launch_options=in_parts, **options)
    assert remains(output) == remains(built[name])
    assert output.manifest() == built[name].manifest()


@pytest.mark.parametrize("name", ["plain", "sampled"])
def test_the_number_of_workers_does_not_matter(
    built, sample_world, new_process, output_of, tmp_path, name
):
    where = ("--data-root", sample_world, "--output", tmp_path)
    done = new_process("build", *flags(RECIPES[name]), *where, "--workers", 2)
    assert done.returncode == 0, done.stderr
    output = output_of(tmp_path)
    assert remains(output) == remains(built[name])
    assert output.manifest() == built[name].manifest()


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONHASHSEED": "4711"},
        {"LC_ALL": "C", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "1"},
    ],
    ids=lambda env: " ".join(f"{name}={value}" for name, value in env.items()),
)
def test_the_environment_does_not_matter(
    built, sample_world, new_process, output_of, tmp_path, env
):
    where = ("--data-root", sample_world, "--output", tmp_path)
    done = new_process("build", *flags(RECIPES["sampled"]), *where, **env)
    assert done.returncode == 0, done.stderr
    assert remains(output_of(tmp_path)) == remains(built["sampled"])


def test_another_seed_draws_otherwise(built, sample_world, run_build):
    options = DEFAULTS | RECIPES["sampled"]
    output = run_build(sample_world, request=LABELS, seed=1, **options)
    assert output.regions().keys() != built["sampled"].regions().keys()


def test_bad_items_are_the_same_in_any_order_and_number_of_parts(coco_file, run_build, in_parts):
    owner = coco_file().good(*range(1, 10))
    owner.data["images"] += [dict(item, width=40 + item["id"]) for item in owner.data["images"][:4]]
    owner.data["annotations"] += [
        dict(item, image_id=9, category_id=2) for item in owner.data["annotations"][::3]
    ]
    owner.data["annotations"] += [dict(item) for item in owner.data["annotations"][1::4]]
    owner.region(997, 98)
    owner.region(998, 98)
    outputs = []
    for seed in range(3):
        for items in owner.data.values():
            random.Random(seed).shuffle(items)
        for launch_options in (LaunchOptions(), in_parts):
            output = run_build(owner.save(), launch_options=launch_options, shard_bytes=20_000)
            outputs.append(remains(output))
    assert all(remaining == outputs[0] for remaining in outputs)
    assert {reason for _, _, reason in outputs[0][2]} >= {"duplicate_id", "unknown_image"}
