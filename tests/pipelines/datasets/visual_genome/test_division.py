"""Visual Genome's files are each read once, in slices, and yield what they yield as a whole."""

import gc
import gzip
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from pipelines.datasets.common import bins, slices
from pipelines.datasets.common.bins import deal_out
from pipelines.datasets.visual_genome import division
from pipelines.datasets.visual_genome.dealing import RecordDealer
from pipelines.datasets.visual_genome.division import divide
from pipelines.datasets.visual_genome.records import REGIONS
from pipelines.datasets.visual_genome.source import parse
from pipelines.plan import make_plan
from pipelines.preflight.quick_store import QuickStore
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.errors import BuildError, InputFileError
from schemas.rejection import Kind, Rejection
from schemas.sample import Task
from schemas.source import SourceImage, SplitInput
from tests.pipelines.datasets.divided import counted, entries_of
from tests.pipelines.datasets.visual_genome.drawn_files import Files
from tests.pipelines.reads import Parts

FILES = ("image_data", "region_descriptions", "relationships", "attributes")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Good images, and records that are odd in every way that concerns their image."""
    files = Files(tmp_path_factory.mktemp("root")).good(*range(1, 10))
    files.picture(20, width="wide")
    files.region(201, 20)
    files.relates(202, (1, "man"), "on", (2, "horse"), 20)
    files.regions += [7, {"id": 1}, {"regions": [{"region_id": 5}, 3]}, {"id": "3", "regions": []}]
    files.regions.append({"id": 3, "regions": [{"phrase": "first"}, {"phrase": "second"}]})
    files.regions.append({"id": 3, "regions": [{"phrase": "third"}, {"region_id": 31}]})
    files.region(32, 3, phrase='}, {"id": 1}, {"regions": [')
    files.relationships.append({"image_id": 99, "relationships": [{"predicate": "on"}, 4]})
    files.save()
    attributes = [
        {"image_id": number, "attributes": [files.end(number, "x", attributes=["red"])]}
        for number in (*range(1, 8), 20, 99)
    ]
    (files.folder / "attributes.json").write_text(json.dumps(attributes))
    (files.folder / "predicate_alias.txt").write_text("near,by\n")
    return files


@pytest.fixture
def slice_bytes(monkeypatch):
    """Sets the size of a slice."""
    return lambda size: monkeypatch.setattr(slices, "SLICE_BYTES", size)


def request(split: str = "train") -> dict[str, Any]:
    tasks = (Task.REGION_CAPTION, Task.REGION_RELATIONSHIP, Task.REGION_ATTRIBUTE)
    if split == "test":
        return {"name": "visual_genome", "splits": ["test"]}
    return {"name": "visual_genome", "tasks": tasks}


def split_of(files: Files, split: str = "train", limit: int | None = None) -> SplitInput:
    recipe = Recipe.model_validate({"sources": [request(split)], "limit": limit})
    (only,) = make_plan(recipe, str(files.root), "unused").splits
    return only


@pytest.mark.parametrize("limit", [None, 4])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("size", [1, 300, 2000])
def test_a_divided_split_yields_what_it_yields_as_a_whole(files, slice_bytes, size, split, limit):
    whole_split = split_of(files, split, limit)
    whole = counted(parse(whole_split, FileStore()))
    slice_bytes(size)
    divided = entries_of(divide(whole_split, FileStore(), 2, {}))
    assert counted(divided) == whole
    images = [entry for entry in divided if isinstance(entry, SourceImage)]
    assert len(images) == {"train": limit or 9, "test": 0}[split]


def test_items_without_an_id_keep_their_positions(files, slice_bytes, monkeypatch):
    """Also where records of an image lie in several slices, which arrive in another order."""
    slice_bytes(100)
    monkeypatch.setattr(bins, "deal_out", lambda *args: reversed(list(deal_out(*args))))
    divided = entries_of(divide(split_of(files), FileStore(), 2, {}))
    entries = [entry for entry in divided if isinstance(entry, Rejection)]
    assert Counter(entries) == Counter(
        entry for entry in parse(split_of(files), FileStore()) if isinstance(entry, Rejection)
    )
    names = {entry.id: entry.detail for entry in entries}
    assert {f"regions of image 3[{position}]" for position in (3, 4, 5)} <= names.keys()
    assert {"region_descriptions.json[10]", "region_descriptions.json[11]"} <= names.keys()


def test_totals_are_those_of_the_files(files, slice_bytes):
    slice_bytes(300)
    counts = counted(entries_of(divide(split_of(files), FileStore(), 2, {})))
    content = {name: json.loads((files.folder / f"{name}.json").read_bytes()) for name in FILES}
    assert counts["count image read"] == len(content["image_data"])
    regions = [record for record in content["region_descriptions"] if record != 7]
    unreadable = len(content["region_descriptions"]) - len(regions)
    unreadable += sum("regions" not in record for record in regions)
    items = sum(len(record.get("regions", ())) for record in regions)
    assert counts["count sentence read"] == items + unreadable
    related = sum(len(record["relationships"]) for record in content["relationships"])
    assert counts["count relationship read"] == related


def changed(split: SplitInput, role: str, content: bytes, folder) -> SplitInput:
    path = folder / f"{role}.json"
    path.write_bytes(content)
    return replace(split, files={**split.files, role: str(path)})


@pytest.mark.parametrize(
    "spoil",
    [
        gzip.compress,
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.decode().encode("utf-16"),
        lambda content: content.replace(b'"second"', b"NaN"),
        lambda content: content.replace(b'"thing 91"', b'"\\ud83d"'),
    ],
)
def test_what_is_packed_or_not_sound_is_read_as_a_whole(files, slice_bytes, tmp_path, spoil):
    split = split_of(files)
    content = (files.folder / "region_descriptions.json").read_bytes()
    assert spoil(content) != content
    spoiled = changed(split, "region_descriptions", spoil(content), tmp_path)
    whole = counted(parse(spoiled, FileStore()))
    slice_bytes(300)
    assert counted(entries_of(divide(spoiled, FileStore(), 2, {}))) == whole
    assert sum(entry.startswith("SourceImage") for entry in whole) == 9


@pytest.mark.parametrize("role", FILES)
def test_a_file_that_is_cut_is_refused_in_the_same_words(files, slice_bytes, tmp_path, role):
    content = (files.folder / f"{role}.json").read_bytes()
    split = changed(split_of(files), role, content[: len(content) * 2 // 3], tmp_path)
    said = []
    for size in (300, 10**6):
        slice_bytes(size)
        with pytest.raises(InputFileError) as raised:
            entries_of(divide(split, FileStore(), 2, {}))
        said.append(str(raised.value))
    assert said[0] == said[1]
    assert f"{role}.json ({len(content) * 2 // 3} bytes) is not a whole file" in said[0]


@pytest.fixture(scope="module")
def whole(files, run_build):
    """The build of the files as a whole."""
    return run_build(files.root, request=request(), guard=False)


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_each_byte_is_read_once_to_build_from(
    files, whole, run_build, slice_bytes, bytes_read, parts
):
    slice_bytes(500)
    output = run_build(files.root, request=request(), guard=False, launch_options=Parts(parts))
    assert output.digests() == whole.digests()
    assert output.ledger() == whole.ledger()
    assert output.rejected() == whole.rejected()
    for name in FILES:
        path = files.folder / f"{name}.json"
        assert bytes_read["stages", str(path)] == path.stat().st_size, name


def two_splits(files: Files, folder: Path) -> dict[str, Any]:
    """The request for both splits, of which the second has three images."""
    listed = folder / "test_ids.txt"
    listed.write_text("3\n5\n20\n")
    return {
        "name": "visual_genome",
        "splits": ["train", "test"],
        "paths": {"test_ids": str(listed)},
    }


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_splits_that_share_files_are_read_together(
    files, run_build, slice_bytes, bytes_read, tmp_path, parts
):
    both = two_splits(files, tmp_path)
    apart = run_build(files.root, request=both, guard=False)
    bytes_read.clear()
    slice_bytes(500)
    output = run_build(files.root, request=both, guard=False, launch_options=Parts(parts))
    assert output.digests() == apart.digests()
    assert output.ledger() == apart.ledger()
    assert output.rejected() == apart.rejected()
    assert {row["id"].split("/")[1] for row in output.rows()} == {"train", "test"}
    for name in FILES[:3]:
        path, size = (
            str(files.folder / f"{name}.json"),
            (files.folder / f"{name}.json").stat().st_size,
        )
        assert bytes_read["stages", path] == size, name
        assert bytes_read["look", path] + bytes_read["fingerprint", path] == size, name


@pytest.mark.parametrize(
    ("file", "splits"),
    [
        ("region_descriptions.json", {"train", "test"}),
        ("relationships.json", {"train"}),
        ("test_ids.txt", {"test"}),
    ],
)
def test_a_file_that_cannot_be_read_rejects_the_splits_that_want_it(
    files, run_build, slice_bytes, monkeypatch, tmp_path, output_of, file, splits
):
    both, out = two_splits(files, tmp_path), tmp_path / "out"

    def failing(reading):
        def read(store, path):
            if path.endswith(file) and not isinstance(store, QuickStore):
                raise InputFileError(f"cannot read {path}: connection reset")
            return reading(store, path)

        return read

    slice_bytes(500)
    for name in ("read", "open"):
        monkeypatch.setattr(FileStore, name, failing(getattr(FileStore, name)))
    with pytest.raises(BuildError, match=rf"cannot read .*{file}: connection reset$"):
        run_build(files.root, out, request=both, guard=False, launch_options=Parts(2))
    accounts = list(output_of(out).ledger().accounts())
    files_of = {split: account for (_, split, _, kind), account in accounts if kind == Kind.FILE}
    assert {split for split, account in files_of.items() if account.rejected} == splits
    assert {split for split, account in files_of.items() if account.kept} == {
        "train",
        "test",
    } - splits
    kept = {split for (_, split, _, kind), some in accounts if kind == Kind.IMAGE and some.kept}
    assert kept == {"train", "test"} - splits


def test_what_is_dealt_out_waits_for_its_bin(files, slice_bytes, monkeypatch):
    slice_bytes(300)
    monkeypatch.setattr(division, "_BIN_IMAGES", 1)
    split = divide(split_of(files), FileStore(), 1, {})
    dealt = [
        page for path, dealer in split.dealers for page in deal_out(path, FileStore(), [dealer])
    ]
    assert len(dealt) > 30
    assert len({some.number for some, _ in split.bins}) == 9


@pytest.fixture
def traced() -> Iterator[None]:
    """Counts the bytes that are held."""
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("number", [1, 7])
def test_no_more_than_slices_are_held_of_a_file(traced, slice_bytes, monkeypatch, tmp_path, number):
    slice_bytes(100_000)
    monkeypatch.setattr(slices, "_MORE_BYTES", 5_000)
    path = tmp_path / "region_descriptions.json"
    region = b'{"region_id": %d, "phrase": "' + b"a long phrase " * 10 + b'"}'
    record = b'{"id": %d, "regions": [' + b",".join([region] * 9) + b"]}"
    path.write_bytes(b"[" + b",".join(record % ((n,) * 10) for n in range(2_000)) + b"]")
    images: Any = SimpleNamespace(members=None, leaves_out=lambda _: False)
    dealer = RecordDealer(role="regions", name="", kind=REGIONS, images=images, bins=number)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    dealt = sum(len(content) for *_, content in deal_out(str(path), FileStore(), [dealer]))
    size = path.stat().st_size
    assert size > 3_000_000
    assert dealt > 0.99 * size
    assert dealer.read == 9 * 2_000
    assert tracemalloc.get_traced_memory()[1] - before < 1_000_000
