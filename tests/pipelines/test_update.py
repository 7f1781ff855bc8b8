"""An update: what an owner's file has changed is written anew, shard by shard, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines import write
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from schemas.errors import BuildError
from schemas.layout import INPUT_DIGESTS

UPDATE = LaunchOptions(update=True)
ANNOTATIONS = "coco/annotations/instances_train2017.json"
SOURCES = (
    SourceRequest(name="coco", label_set="Shapes-15"),
    SourceRequest(name="vcr", splits=("val",)),
)


@pytest.fixture(scope="module")
def build(output_of):
    """Builds two sources, whose pictures lie apart, in small shards."""

    def run(root, folder, options=None, seed=0):
        recipe = Recipe(sources=SOURCES, shard_bytes=200_000, seed=seed)
        plan = make_plan(recipe, str(root), str(folder))
        launch(plan, options or LaunchOptions(update=False))
        return output_of(folder)

    return run


@pytest.fixture(scope="module")
def built(build, sample_world, tmp_path_factory):
    return build(sample_world, tmp_path_factory.mktemp("built")).folder


@pytest.fixture
def output(built, output_of, tmp_path):
    return output_of(Path(shutil.copytree(built, tmp_path / "out")))


@pytest.fixture
def world(sample_world, tmp_path):
    return Path(shutil.copytree(sample_world, tmp_path / "world"))


def edit(root: Path, change) -> None:
    """Change an annotation file of COCO."""
    path = root / ANNOTATIONS
    data = json.loads(path.read_bytes())
    change(data)
    path.unlink()  # it may be a link
    path.write_text(json.dumps(data), encoding="utf-8")


def times(output) -> dict[str, int]:
    return {path: (output.folder / path).stat().st_mtime_ns for path in output.digests()}


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the digests of inputs, which tell times; the card names the folder."""
    return {
        name: path.read_bytes().replace(str(folder).encode(), b"OUTPUT")
        for path in folder.rglob("*")
        if path.is_file() and (name := str(path.relative_to(folder))) != INPUT_DIGESTS
    }


def image_of(output, shard):
    """The id of an image of a shard that the build took regions of."""
    return next(int(row["id"].split("/")[2]) for row in output.rows(shard) if row["regions"])


def test_one_changed_annotation_costs_one_shard(world, build, output, tmp_path, capsys):
    before, shard = times(output), "coco/train-00001-of-00004.arrow"
    image = image_of(output, shard)

    def swap(data):
        region = next(item for item in data["annotations"] if item["image_id"] == image)
        others = {item["id"] for item in data["categories"]} - {region["category_id"]}
        region["category_id"] = min(others)

    edit(world, swap)
    capsys.readouterr()
    updated = build(world, tmp_path / "out", UPDATE)
    assert [path for path, time in times(updated).items() if time != before[path]] == [shard]
    number = sum(path.startswith("coco/") for path in before)
    assert f"coco: 1 of {number} shards are new; {number - 1} are kept" in capsys.readouterr().err
    assert content(updated.folder) == content(build(world, tmp_path / "fresh").folder)
    assert verify(str(updated.folder)).problems == []


def test_an_image_that_is_no_longer_listed_leaves_its_shard(world, build, output, tmp_path):
    before, shard = times(output), "coco/train-00002-of-00004.arrow"
    image = image_of(output, shard)

    def drop(data):
        data["images"] = [item for item in data["images"] if item["id"] != image]
        data["annotations"] = [item for item in data["annotations"] if item["image_id"] != image]

    edit(world, drop)
    updated = build(world, tmp_path / "out", UPDATE)
    fresh = build(world, tmp_path / "fresh")
    assert content(updated.folder) == content(fresh.folder)
    if fresh.digests().keys() == before.keys():  # as many shards as before
        assert [path for path, time in times(updated).items() if time != before[path]] == [shard]


def test_a_file_that_says_the_same_in_other_words_costs_no_shard(world, build, output, tmp_path):
    before = times(output)
    edit(world, lambda data: data["annotations"].reverse())
    updated = build(world, tmp_path / "out", UPDATE)
    assert times(updated) == before
    assert content(updated.folder) == content(build(world, tmp_path / "fresh").folder)


def test_an_update_that_is_killed_goes_on(world, build, output, tmp_path, monkeypatch):
    images = [image_of(output, f"coco/train-0000{n}-of-00004.arrow") for n in range(3)]

    def widen(data):
        for item in data["annotations"]:
            if item["image_id"] in images:
                item["area"] += 1

    edit(world, widen)
    write_images, written, deaths = write._write_images, [], [2]

    def until_death(key, *rest):
        written.append(key)
        if len(written) in deaths:
            raise BuildError("killed")
        return write_images(key, *rest)

    monkeypatch.setattr(write, "_write_images", until_death)
    with pytest.raises(BuildError, match="killed"):
        build(world, tmp_path / "out", UPDATE)
    half = times(output)
    written.clear()
    deaths.clear()
    again = build(world, tmp_path / "out")  # the output is the new build's already
    assert len(written) == 2
    assert sum(time != half.get(path) for path, time in times(again).items()) == 2
    assert content(again.folder) == content(build(world, tmp_path / "fresh").folder)


def test_an_unchanged_source_is_not_read(world, build, output, tmp_path, capsys):
    edit(world, lambda data: data["annotations"].pop())
    capsys.readouterr()
    build(world, tmp_path / "out", UPDATE)
    assert "kept as finished: vcr" in capsys.readouterr().err


def test_without_the_flag_the_message_offers_it(world, build, output, tmp_path):
    before = content(output.folder)
    edit(world, lambda data: data["annotations"].pop())
    with pytest.raises(
        BuildError,
        match=r"the input files \(instances_train2017.json\)\. .* with --update, or replace coco",
    ):
        build(world, tmp_path / "out")
    assert content(output.folder) == before


@pytest.mark.parametrize("options", [UPDATE, LaunchOptions(update=False)])
def test_another_setting_is_refused_and_the_flag_is_not_offered(
    world, build, output, tmp_path, options
):
    edit(world, lambda data: data["annotations"].pop())
    with pytest.raises(BuildError, match=r"coco: seed \(0, now 5\)") as caught:
        build(world, tmp_path / "out", options, seed=5)
    assert "--update" not in str(caught.value)


def test_the_flag_contradicts_a_whole_rebuild(command_line, world, tmp_path):
    done = command_line(
        *("build", "--sources", "coco", "--data-root", world, "--output", tmp_path / "out"),
        *("--update", "--rebuild"),
    )
    assert done.returncode == 2
    assert "--update keeps shards, and --rebuild none" in done.stderr


@pytest.mark.parametrize(("role", "same"), [("train", True), ("recapd", False)])
def test_files_that_are_looked_up_late_count_whole(output, role, same):
    identity = output.manifest().identity
    source = identity.sources["coco"]
    other = source.inputs[0].model_copy(update={"role": role, "sha256": "other"})
    changed = source.model_copy(update={"inputs": [*source.inputs, other]})
    sources = {**identity.sources, "coco": changed}
    after = identity.model_copy(update={"sources": sources})
    digests = [each.making_digest_of("coco", roles=("recapd",)) for each in (identity, after)]
    assert (digests[0] == digests[1]) is same
