"""A source as plan and command line see it: no releases, paths of one's own, optional files."""

import json
from dataclasses import replace

import pytest

from pipelines.cli.parser import run
from pipelines.datasets import catalog
from pipelines.datasets.spec import DatasetSpec, Located, SourceRequest
from pipelines.locate import locate_splits, missing_files
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.storage.files import fingerprint
from schemas.errors import UsageError
from schemas.sample import Task
from schemas.style import Style


def locate(root: str, request: SourceRequest) -> list[Located]:
    below = f"{root}/birds"
    own = request.paths
    return [
        Located(
            split="all_birds",
            files={"songs": own.get("songs", f"{below}/songs")},
            optional={"names": own.get("names", f"{below}/names.json")},
            pictures=own.get("images", f"{below}/images"),
            folder="birds/images",
            licence="CC0",
        )
    ]


SPEC = DatasetSpec(
    name="birds",
    title="Birds",
    licence="CC0",
    obtain="https://example.org/birds",
    splits=("all_birds",),
    tasks=dict.fromkeys(Style, (Task.REGION_CAPTION,)),
    boxes_per_image={Style.GPT4ROI: 7},
    locate=locate,
    parse=lambda split, store: iter(()),
    picture_name=lambda image: None,
    papers=("A. Bird. Songs. 2020.",),
    task_definition=None,
)


@pytest.fixture(autouse=True)
def with_birds(monkeypatch):
    known = {**catalog.CATALOG, "birds": SPEC}
    monkeypatch.setattr(catalog, "CATALOG", known)


@pytest.fixture
def _only_birds(monkeypatch):
    monkeypatch.setattr(catalog, "CATALOG", {"birds": SPEC})


@pytest.fixture
def root(tmp_path):
    """A data root with a folder of annotations, a folder of pictures, and nothing optional."""
    for name in ("songs", "images"):
        folder = tmp_path / "root" / "birds" / name
        folder.mkdir(parents=True)
        (folder / "1").write_text(name, encoding="utf-8")
    return tmp_path / "root"


def plan(root, **paths: str):
    request = SourceRequest(name="birds", paths=paths)
    return make_plan(Recipe(sources=(request,)), str(root), "unused")


@pytest.mark.usefixtures("_only_birds")
def test_a_source_without_releases_is_listed_without_a_year(root, capsys):
    assert run(["sources", "birds", "--data-root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "birds  Birds; licence: CC0",
        "  complete: all_birds",
        "  get it from https://example.org/birds",
        "  all_birds",
        f"    found   songs  {root}/birds/songs",
        f"    absent  names  {root}/birds/names.json (optional)",
        f"    found   images {root}/birds/images",
    ]


@pytest.mark.usefixtures("_only_birds")
def test_a_file_is_listed_by_its_role_and_whether_it_is_there(root, capsys):
    (root / "birds" / "names.json").write_text("[]", encoding="utf-8")
    (root / "birds" / "songs").rename(root / "songs")
    assert run(["sources", "birds", "--data-root", str(root)]) == 1
    assert capsys.readouterr().out.splitlines()[4:] == [
        f"    missing songs  {root}/birds/songs",
        f"    found   names  {root}/birds/names.json (optional)",
        f"    found   images {root}/birds/images",
    ]


def test_a_folder_of_annotations_is_an_input(root):
    (split,), (entry,) = plan(root).splits, plan(root).identity.inputs
    assert split.files == {"songs": f"{root}/birds/songs"}
    assert (entry.role, entry.name) == ("songs", "songs")
    assert (entry.sha256, entry.bytes) == fingerprint(f"{root}/birds/songs")


def test_an_optional_file_is_taken_where_it_is_there(root):
    names = root / "birds" / "names.json"
    names.write_text(json.dumps(["owl"]), encoding="utf-8")
    (split,) = plan(root).splits
    assert split.files == {"songs": f"{root}/birds/songs", "names": str(names)}
    assert [entry.role for entry in plan(root).identity.inputs] == ["names", "songs"]


def test_an_optional_file_is_never_missed(root):
    (located,) = locate_splits(str(root), SourceRequest(name="birds"))
    assert missing_files(located) == []


def test_paths_of_ones_own_change_what_is_read_and_not_what_it_is(root, tmp_path):
    (root / "birds").rename(tmp_path / "mine")
    with pytest.raises(UsageError, match=f"missing: {root}/birds/songs, {root}/birds/images"):
        plan(root)
    mine = {name: str(tmp_path / "mine" / name) for name in ("songs", "images")}
    changed = plan(root, **mine)
    assert changed.splits[0].files == {"songs": mine["songs"]}
    assert changed.splits[0].pictures == mine["images"]
    (tmp_path / "mine").rename(root / "birds")
    assert plan(root).identity == changed.identity


def test_a_path_that_is_not_there_is_missing(root):
    with pytest.raises(UsageError, match="missing: /nowhere/songs"):
        plan(root, songs="/nowhere/songs")


def test_a_path_under_an_unknown_role_is_an_error(root):
    with pytest.raises(UsageError, match=r"--path birds\.sound=/x: source 'birds' reads nothing"):
        plan(root, sound="/x")
    with pytest.raises(UsageError, match=r"'sound'; its roles are: songs, names, images$"):
        plan(root, sound=f"{root}/birds/songs")


def test_a_source_without_tasks_in_a_style_is_an_error(monkeypatch):
    one_style = replace(SPEC, tasks={Style.REGIONGPT: (Task.REGION_CAPTION,), Style.GPT4ROI: ()})
    for spec in (one_style, replace(SPEC, tasks={Style.REGIONGPT: (Task.REGION_CAPTION,)})):
        monkeypatch.setitem(catalog.CATALOG, "birds", spec)
        birds = SourceRequest(name="birds")
        assert resolve(Recipe(sources=(birds,))).tasks == {"birds": (Task.REGION_CAPTION,)}
        message = "source 'birds' has no tasks in the gpt4roi style, but in: regiongpt"
        with pytest.raises(UsageError, match=message):
            resolve(Recipe(sources=(SourceRequest(name="coco"), birds), style=Style.GPT4ROI))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"style": Style.GPT4ROI}, {"birds": 7, "coco": 100}),
        ({"style": Style.GPT4ROI, "per_image": 3}, {"birds": 3, "coco": 3}),
        ({"per_image": 3}, {"birds": 3, "coco": 3}),
    ],
)
def test_each_source_has_the_cap_of_its_paper(options, expected):
    sources = (SourceRequest(name="birds"), SourceRequest(name="coco"))
    resolved = resolve(Recipe(sources=sources, **options))
    assert resolved.caps.per_image == expected
    assert resolved.tasks == {
        "birds": (Task.REGION_CAPTION,),
        "coco": (Task.REGION_CLASSIFICATION,),
    }
