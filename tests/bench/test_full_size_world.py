"""The data of the benchmarks is data: every source builds from it, and nothing is wrong with it."""

import json
from pathlib import Path

import pytest

from bench.full_size_world import prose
from bench.full_size_world.data_root import WRITERS, write_data_root
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify.output import verify

SCALE = 1 / 2_000
OURS = {"coco": "Words", "lvis": "Words"}  # label sets: the names are none of the owners'
READ = {  # at this scale: images, annotations and items
    "coco": {"image": 59, "annotation": 430},
    "flickr30k": {"image": 17, "sentence": 85},
    "llava": {"dialogue": 79},
    "llava_pretrain": {"image": 279, "dialogue": 279},
    "lvis": {"image": 50, "annotation": 635, "category": 1_203},
    "refcoco": {"annotation": 98},
    "refcoco_plus": {"annotation": 98},
    "refcocog": {"annotation": 104},
    "v3det": {"image": 92, "annotation": 679, "category": 13_204},
    "vcr": {"question": 119},
    "visual_genome": {"image": 54, "sentence": 2_704, "relationship": 1_158},
}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("full_size")
    write_data_root(root, SCALE, WRITERS)
    return root


def test_all_sources_have_a_full_size() -> None:
    assert READ.keys() == WRITERS.keys() <= CATALOG.keys()


@pytest.mark.parametrize("source", WRITERS)
def test_a_source_builds_from_it(source, data_root, tmp_path):
    request = SourceRequest(name=source, label_set=OURS.get(source))
    recipe = Recipe(sources=(request,), images="reference", guard=False)
    output = str(tmp_path / "out")
    launch(make_plan(recipe, str(data_root), output), LaunchOptions())
    assert verify(output, image_root=str(data_root)).problems == []
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_bytes())
    splits = ledger["sources"][source].values()
    stages = [split["read"] for split in splits]
    for kind, number in READ[source].items():
        assert sum(stage[kind]["read"] for stage in stages if kind in stage) == number
    refused = [
        key for stage in stages for account in stage.values() for key in account.get("rejected", ())
    ]
    assert set(refused) <= {"duplicate", "no_regions"}


def test_it_is_the_same_every_time_and_stays(data_root, tmp_path):
    write_data_root(tmp_path, SCALE, ["lvis", "visual_genome"])
    for name in ("lvis/lvis_v1_train.json", "visual_genome/relationships.json"):
        assert (tmp_path / name).read_bytes() == (data_root / name).read_bytes()
    (tmp_path / "lvis" / "lvis_v1_train.json").write_bytes(b"kept")
    write_data_root(tmp_path, SCALE, ["lvis"])
    assert (tmp_path / "lvis" / "lvis_v1_train.json").read_bytes() == b"kept"
    write_data_root(tmp_path, SCALE / 2, ["lvis"])
    assert (tmp_path / "lvis" / "lvis_v1_train.json").stat().st_size > 1_000


def test_words_are_many_and_few_of_them_are_common():
    phrases = prose.phrases("test", 20_000, 5.3)
    words = [word for phrase in phrases for word in phrase.split()]
    assert 5.0 < len(words) / len(phrases) < 5.6
    assert len(set(phrases)) > 0.95 * len(phrases)
    assert len(set(words)) > 0.6 * prose.WORDS
    assert 0.02 < words.count("the") / len(words) < 0.1
    assert len(set(prose.names(13_168))) == 13_168
