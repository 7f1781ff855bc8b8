"""Evaluations of the sample world: sound, opened by name, the same for one and two workers."""

from collections import Counter

import pytest
from datasets import load_dataset

from pipelines.verify import verify

SPLITS = {
    "eval_pope": {"pope/random": 138, "pope/popular": 138, "pope/adversarial": 138},
    "eval_captions": {"refcocog/val": 32, "visual_genome/test": 8},
}


@pytest.fixture(scope="module", params=SPLITS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def build(name, sample_world, command_line, output_of, tmp_path_factory):
    def run(*flags):
        folder = tmp_path_factory.mktemp("output")
        words = ["build", "--recipe", name, "--data-root", sample_world, "--output", folder]
        done = command_line(*words, *flags)
        assert done.returncode == 0, done.stderr
        return output_of(folder)

    return run


@pytest.fixture(scope="module")
def output(build):
    return build()


def test_it_is_sound(name, output):
    output.ledger()
    assert verify(str(output.folder)).problems == []
    assert Counter(f"{row['source']}/{row['split']}" for row in output.rows()) == SPLITS[name]


def test_it_opens_by_the_recipe_s_name(name, output, tmp_path):
    found = load_dataset(str(output.folder), name, cache_dir=str(tmp_path))
    assert {split: data.num_rows for split, data in found.items()} == {
        place.split("/")[1]: number for place, number in SPLITS[name].items()
    }
    for split in found.values():
        assert all(row["references"] for row in split["evaluation"])


def test_workers_decide_nothing(output, build):
    two = build("--workers", 2)
    assert two.digests() == output.digests()
    assert two.ledger() == output.ledger()
    assert two.rejected() == output.rejected()
