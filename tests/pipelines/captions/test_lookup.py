"""Reading captions: where shards lie decides nothing, and of local ones no picture is read."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.captions.lookup import Captioned, open_captions
from pipelines.datasets.common import slices
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.shards.reader import read_batches, read_columns
from schemas.shard import SCHEMA
from schemas.source import SplitInput
from tests.pipelines.reads import Parts

NAMES = ("id", "regions", "provenance")


@pytest.fixture
def shelf(captioned_once, remote_store) -> str:
    """The captions in a remote store: the path of their manifest."""
    paths = [path for path in captioned_once.rglob("*") if path.is_file()]
    content = {
        f"bucket://data/recapd/{path.relative_to(captioned_once)}": path.read_bytes()
        for path in paths
    }
    remote_store(content)
    return "bucket://data/recapd/manifest.json"


def shard_of(folder: Path) -> str:
    return str(next(folder.glob("recapd/train-*.arrow")))


def test_remote_captions_make_the_same_build(
    shelf, captioned_once, sample_world, in_parts, output_of, tmp_path
):
    built = {}
    for name, path in (("far", shelf), ("near", str(captioned_once / "manifest.json"))):
        for launch_options in (LaunchOptions(), in_parts):
            source: dict[str, Any] = {"name": "v3det", "paths": {"recapd": path}}
            recipe = Recipe.model_validate({"sources": [source], "merge": True, "per_category": 2})
            out = tmp_path / f"{name}-{launch_options.parts()}"
            launch(make_plan(recipe, str(sample_world), str(out)), launch_options)
            output = output_of(out)
            built[out.name] = output.digests(), output.rejected(), output.ledger()
    assert len(built) == 4
    assert all(digests == built["near-1"] for digests in built.values())


def misplaced(rows):
    """Rows of captions, also of an unknown image and of one without a picture, and one twice."""
    first, second, *_ = rows
    image = first["id"].split("/")[2]
    others = [first | {"id": first["id"].replace(f"/{image}/", f"/{n}/")} for n in (9999999, 35)]
    return [*rows, *others, second]


@pytest.mark.parametrize("limit", [None, 3])
def test_captions_of_a_divided_split_come_to_their_images(
    altered, sample_world, output_of, tmp_path, monkeypatch, limit
):
    paths = {"recapd": str(altered(misplaced) / "manifest.json")}
    source: dict[str, Any] = {"name": "v3det", "paths": paths}
    recipe = Recipe.model_validate({"sources": [source], "merge": True, "limit": limit})
    opened: list[str] = []

    def noted(split: SplitInput) -> Captioned:
        opened.append(split.split)
        return open_captions(split)

    monkeypatch.setattr("pipelines.divide.open_captions", noted)
    built = []
    for number in (0, 1, 2, 8):
        if number:
            monkeypatch.setattr(slices, "SLICE_BYTES", 500)
        out = tmp_path / f"{number}"
        launch(make_plan(recipe, str(sample_world), str(out)), Parts(number or 1))
        output = output_of(out)
        built.append((output.digests(), output.rejected(), output.ledger()))
    whole, *divided = built
    assert all(outcome == whole for outcome in divided)
    assert sorted(opened) == sorted([*["train"] * 3, *["val"] * 3]), "once for a build"
    assert ("sentence", "unknown_image") in {
        (kind, reason) for kind, _, reason in whole[1]
    } or limit


def test_columns_are_those_of_the_whole_rows(captioned_once):
    path = shard_of(captioned_once)
    whole = pa.Table.from_batches(list(read_batches(path)))
    some = pa.Table.from_batches(list(read_columns(path, NAMES)))
    assert some.equals(whole.select(NAMES))
    assert some.num_rows > 0


def test_pictures_are_not_read(tmp_path):
    path = tmp_path / "large.arrow"
    size = 2**26
    rows = pa.Table.from_pylist(
        [{"id": "one", "image": {"bytes": bytes(size), "path": "x"}, "regions": []}], schema=SCHEMA
    )
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        stream.write_table(rows)
    del rows
    before = pa.total_allocated_bytes()
    (batch,) = read_columns(str(path), NAMES)
    assert batch.column("id").to_pylist() == ["one"]
    assert pa.total_allocated_bytes() - before < 2**20
    assert path.stat().st_size > size


@pytest.mark.parametrize("change", ["dropped", "renamed", "retyped"])
def test_shards_of_other_columns_are_refused(tmp_path, change):
    path = tmp_path / "other.arrow"
    fields = list(SCHEMA)
    position = SCHEMA.get_field_index("regions")
    if change == "dropped":
        del fields[position:]
    elif change == "renamed":
        fields[position] = fields[position].with_name("boxes")
    else:
        fields[position] = pa.field("regions", pa.list_(pa.string()))
    schema = pa.schema(fields)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        stream.write_table(schema.empty_table())
        stream.write_batch(pa.RecordBatch.from_pylist([{"id": "one"}], schema=schema))
    with pytest.raises(pa.ArrowException):
        list(read_columns(str(path), NAMES))
