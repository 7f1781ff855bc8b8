"""A source that is finished and unchanged stays as it is, unread, whatever the others do."""

import json
import os
import shutil
from pathlib import Path

import pytest

from pipelines import entries
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.storage import files
from pipelines.verify import verify
from schemas.errors import BuildError, InputFileError
from schemas.layout import INPUT_DIGESTS

LABELS = {"coco": "Shapes-15", "lvis": "Shapes-15"}
SETTINGS = {"limit": 12, "shard_bytes": 60_000}
COCO = LaunchOptions(rebuild=frozenset({"coco"}))


@pytest.fixture(scope="module")
def build(sample_world, output_of):
    """Builds sources of the sample world, each with some fields of its own."""

    def run(folder: Path, options=None, *, root=sample_world, recipe=SETTINGS, **sources):
        requests = tuple(
            SourceRequest(name=name, **{"label_set": LABELS.get(name)} | fields)
            for name, fields in sources.items()
        )
        plan = make_plan(Recipe(sources=requests, **recipe), str(root), str(folder))
        launch(plan, options or LaunchOptions())
        return output_of(folder)

    return run


@pytest.fixture(scope="module")
def both(build, tmp_path_factory):
    """An output with both sources."""
    return build(tmp_path_factory.mktemp("both"), coco={}, lvis={}).folder


@pytest.fixture
def output(both, tmp_path):
    return Path(shutil.copytree(both, tmp_path / "output"))


@pytest.fixture
def sources_read(monkeypatch):
    """The sources that are read, as they are."""
    names, parse = [], entries.parse

    def note(split):
        names.append(split.source)
        return parse(split)

    monkeypatch.setattr(entries, "parse", note)
    return names


def content(folder: Path) -> dict[str, bytes]:
    """Every file but the digests of inputs, which tell times; the card names the folder."""
    return {
        name: path.read_bytes().replace(str(folder).encode(), b"OUTPUT")
        for path in folder.rglob("*")
        if path.is_file() and (name := str(path.relative_to(folder))) != INPUT_DIGESTS
    }


def times(folder: Path, below: str = "") -> dict[str, int]:
    return {
        str(path): os.stat(path).st_mtime_ns
        for path in (folder / below).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"per_category": 5}, r"coco: per_category \(none, now 5\)"),
        ({"label_set": "mine"}, r"coco: label_set \('Shapes-15', now 'mine'\)"),
    ],
)
def test_a_flag_of_one_source_leaves_the_other_alone(build, output, sources_read, field, message):
    before = content(output)
    with pytest.raises(BuildError, match=f"{message}. .* with --rebuild coco"):
        build(output, coco=field, lvis={})
    assert content(output) == before
    lvis = times(output, "lvis")
    build(output, COCO, coco=field, lvis={})
    assert set(sources_read) == {"coco"}
    assert times(output, "lvis") == lvis
    now = content(output)
    assert now["_rejected/lvis.jsonl"] == before["_rejected/lvis.jsonl"]
    assert now["_state/coco.json"] != before["_state/coco.json"]
    assert verify(str(output)).problems == []


def test_a_source_that_is_replaced_alone_is_as_in_a_fresh_build(build, output, tmp_path):
    changed = {"coco": {"per_category": 5}, "lvis": {}}
    fresh = build(tmp_path / "fresh", **changed).folder
    assert content(build(output, COCO, **changed).folder) == content(fresh)


@pytest.mark.parametrize("first", ["coco", "lvis"])
def test_a_source_that_is_added_is_as_in_a_fresh_build(build, both, tmp_path, sources_read, first):
    build(tmp_path, **{first: {}})
    shards = times(tmp_path, first)
    sources_read.clear()
    build(tmp_path, coco={}, lvis={})
    assert set(sources_read) == {"coco", "lvis"} - {first}
    assert times(tmp_path, first) == shards
    assert content(tmp_path) == content(both)


def test_a_cap_of_a_new_source_is_none_of_the_others(build, tmp_path):
    caps = {"coco": {}, "lvis": {"per_category": 2}}
    build(tmp_path / "grown", coco={})
    grown, fresh = build(tmp_path / "grown", **caps), build(tmp_path / "fresh", **caps)
    assert content(grown.folder) == content(fresh.folder)


def test_a_source_that_is_left_out_is_refused(build, output):
    with pytest.raises(BuildError, match="holds lvis, which this build leaves out"):
        build(output, coco={})
    assert set(build(output, LaunchOptions(rebuild=True), coco={}).manifest().rejected) == {"coco"}
    assert not [name for name in content(output) if "lvis" in name]


def test_a_finished_build_is_up_to_date(build, both, sources_read, capsys):
    before = times(both)
    build(both, coco={}, lvis={})
    assert (sources_read, times(both)) == ([], before)
    assert "up to date: nothing is read" in capsys.readouterr().err


def test_late_pictures_are_found_and_the_other_source_is_not_read(
    build, sample_world, tmp_path, sources_read
):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    sources = {"coco": {"splits": ("val",)}, "vcr": {"splits": ("train",)}}
    before = build(tmp_path / "out", root=root, **sources)
    name = before.rows("coco/*.arrow")[0]["image"]["path"]
    picture = root / "coco" / "val2017" / name
    small = picture.read_bytes()
    for changed in (small + b"\0", None, small):
        sources_read.clear()
        vcr = times(tmp_path / "out", "vcr")
        picture.unlink() if changed is None else picture.write_bytes(changed)
        build(tmp_path / "out", root=root, **sources)
        assert set(sources_read) == {"coco"}
        assert times(tmp_path / "out", "vcr") == vcr
        fresh = build(tmp_path / f"fresh {changed and len(changed)}", root=root, **sources)
        assert content(tmp_path / "out") == content(fresh.folder)


def test_pictures_that_are_all_gone_cost_no_shard(build, sample_world, tmp_path):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    for file in root.rglob("*.json"):
        os.utime(file, (0, 0))  # long ago, so that the digests are remembered
    out = build(tmp_path / "out", root=root, coco={"splits": ("val",)}).folder
    before = content(out)
    for picture in (root / "coco" / "val2017").iterdir():
        picture.unlink()
    with pytest.raises(InputFileError, match="val2017"):
        build(out, root=root, coco={"splits": ("val",)})
    assert content(out) == before


def test_each_folder_of_pictures_is_listed_once(build, output, monkeypatch):
    listed, walk = [], files.walk

    def note(folder, **options):
        listed.append(folder)
        return walk(folder, **options)

    monkeypatch.setattr(files, "walk", note)
    build(output, coco={}, lvis={})
    pictures = [Path(folder).name for folder in listed if not folder.startswith(str(output))]
    assert pictures == ["coco"], "which holds the folders of both splits"


def in_order_of_writing(folder: Path) -> list[Path]:
    """The files that describe a build, in the order in which they are completed."""
    names = [
        *sorted(folder.glob("_state/coco/*")),
        *sorted(folder.glob("_rejected/*")),
        *(folder / "_state" / f"{config}.json" for config in ("coco", "lvis")),
        *(folder / name for name in ("ledger.json", "README.md", "manifest.json")),
    ]
    assert len(names) > 8
    return names


def test_a_run_that_is_killed_between_two_files_goes_on(build, both, tmp_path, sources_read):
    for number in range(1, len(in_order_of_writing(both)) + 1):
        sources_read.clear()
        folder = Path(shutil.copytree(both, tmp_path / str(number)))
        lost = in_order_of_writing(folder)[-number:]
        for path in lost:
            path.unlink()
        half = lost[0].with_name(f".tmp-{lost[0].name}-{'0' * 32}")
        half.write_bytes(b"half")
        build(folder, coco={}, lvis={})
        assert content(folder) == content(both), lost[0]
        assert bool(sources_read) == (folder / "_state" / "lvis.json" in lost)


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b'{"inputs": {}}', b"\xff"])
def test_a_state_that_cannot_be_read_costs_a_reading(build, both, output, sources_read, damage):
    (output / "_state" / "lvis.json").write_bytes(damage)
    build(output, coco={}, lvis={})
    assert set(sources_read) == {"lvis"}
    assert content(output) == content(both)


@pytest.mark.parametrize("lost", ["_rejected/lvis.jsonl", "lvis/*-00000-*.arrow"])
def test_a_source_that_lost_a_file_is_read_again(build, both, output, sources_read, lost):
    for path in output.glob(lost):
        path.unlink()
    build(output, coco={}, lvis={})
    assert set(sources_read) == {"lvis"}
    assert content(output) == content(both)


def test_a_list_of_rejected_items_that_breaks_off_is_written_again(build, both, output):
    path = output / "_rejected" / "lvis.jsonl"
    os.truncate(path, path.stat().st_size - 1)
    build(output, coco={}, lvis={})
    assert content(output) == content(both)


def test_a_source_that_cannot_be_read_does_not_cost_the_others(
    build, both, tmp_path, sources_read, monkeypatch
):
    parse = entries.parse

    def fail(split):
        if split.source == "lvis":
            raise InputFileError("lvis_v1_train.json breaks off")
        return parse(split)

    with monkeypatch.context() as patch:
        patch.setattr(entries, "parse", fail)
        with pytest.raises(BuildError, match="breaks off"):
            build(tmp_path, coco={}, lvis={})
    sources_read.clear()
    build(tmp_path, coco={}, lvis={})
    assert set(sources_read) == {"lvis"}
    assert content(tmp_path) == content(both)


def test_a_finished_source_keeps_its_builder(build, output, monkeypatch):
    lvis = times(output, "lvis")
    monkeypatch.setattr("pipelines.plan.BUILDER", "regionforge 99")
    build(output, coco={}, lvis={})
    build(output, COCO, coco={"per_category": 5}, lvis={})
    assert times(output, "lvis") == lvis
    identity = build(output, coco={"per_category": 5}, lvis={}).manifest().identity
    assert identity.builder == identity.sources["coco"].builder == "regionforge 99"
    assert identity.sources["lvis"].builder != "regionforge 99"
    assert verify(str(output)).problems == []
    next(output.glob("lvis/*-00000-*.arrow")).unlink()
    rows = build(output, coco={"per_category": 5}, lvis={}).rows("lvis/*.arrow")
    assert {row["provenance"]["builder"] for row in rows} == {"regionforge 99"}
    assert verify(str(output)).problems == []


def test_a_source_that_is_not_read_again_keeps_its_turn_counts(build, both, output, sources_read):
    before = (both / "manifest.json").read_bytes()
    (output / "manifest.json").unlink()
    build(output, coco={}, lvis={})
    assert sources_read == []
    assert (output / "manifest.json").read_bytes() == before
    manifest = json.loads(before)
    assert all(shard["turns"] for shard in manifest["shards"] if shard["rows"])
    manifest["shards"][0]["turns"]["region_classification"]["words"] += 1
    (output / "manifest.json").write_text(json.dumps(manifest))
    assert any(
        "turns of region_classification with" in line for line in verify(str(output)).problems
    )
