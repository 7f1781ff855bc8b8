"""A build for other machines: its paths lie where they can be reached, and its graph is small."""

from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from msgspec.structs import replace as changed

from pipelines.build import build
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import Plan, make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.runner.remote import check_paths
from schemas.errors import UsageError

SOURCES = ("coco", "refcocog", "visual_genome", "flickr30k", "vcr", "v3det", "llava")
MB = 1024 * 1024


@pytest.fixture(scope="module")
def plan(sample_world) -> Plan:
    """A plan of seven sources of the sample world, with caps."""
    requests = (SourceRequest(name=name, label_set=_labels(name)) for name in SOURCES)
    recipe = Recipe(sources=tuple(requests), per_category=5, per_image=3)
    return make_plan(recipe, str(sample_world), "unused")


def _labels(name: str) -> str | None:
    return "Shapes-15" if name == "coco" else None


@pytest.fixture(scope="module")
def graph(plan) -> beam_runner_api_pb2.Pipeline:
    """The pipeline of the plan as runners get it."""
    root = beam.Pipeline()
    build(root, plan, 16)
    return root.to_runner_api()


def test_local_paths_are_refused_where_the_workers_are_elsewhere(plan):
    with pytest.raises(UsageError, match=r"^--runner DataflowRunner: unused is on this machine"):
        launch(plan, LaunchOptions(runner="DataflowRunner"))
    stored = replace(plan, output="gs://bucket/out")
    with pytest.raises(UsageError, match=r"/coco/.*\. Give --data-root in a store"):
        check_paths(stored, "dataflowrunner")
    reached = [
        changed(
            split,
            files={role: f"gs://bucket/{role}" for role in split.files},
            pictures="gs://bucket/pictures",
        )
        for split in plan.splits
    ]
    check_paths(replace(stored, splits=tuple(reached)), "DataflowRunner")
    check_paths(plan, "PortableRunner")


def test_the_graph_is_small_enough_to_be_sent(graph):
    payloads = [len(part.spec.payload) for part in graph.components.transforms.values()]
    assert max(payloads) < MB, "one function with all that it holds"
    assert graph.ByteSize() < 2 * MB, "Dataflow takes 10 MB"


def test_groups_have_keys_that_every_runner_knows(graph):
    """A pickled key may be spelled in two ways, and then groups fall apart."""
    parts = graph.components
    groups = [
        part
        for part in parts.transforms.values()
        if part.spec.urn == "beam:transform:group_by_key:v1"
    ]
    assert len(groups) > 5
    for group in groups:
        (collection,) = group.inputs.values()
        pair = parts.coders[parts.pcollections[collection].coder_id]
        assert pair.spec.urn == "beam:coder:kv:v1"
        assert not _pickled(parts, pair.component_coder_ids[0]), group.unique_name


def _pickled(parts, coder_id: str) -> bool:
    coder = parts.coders[coder_id]
    unknown = (
        coder.spec.urn.startswith("beam:coder:pickled_python") and not coder.component_coder_ids
    )
    return unknown or any(_pickled(parts, part) for part in coder.component_coder_ids)
