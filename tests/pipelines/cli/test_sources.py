"""`sources` lists all that a recipe of ours may read."""

import re
import shlex
import shutil

import pytest

from pipelines.cli.parser import run
from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.locate import locate_splits
from pipelines.recipes import recipe_names
from pipelines.recipes.load import load_recipe, make_recipe


@pytest.fixture
def listed(sample_world, capsys) -> list[str]:
    """The lines of `sources` with all names on the sample world, without the space around them."""
    assert run(["sources", *CATALOG, "--data-root", str(sample_world)]) == 0
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_editions_are_listed_as_years_are(listed, sample_world):
    heading = listed.index("train mix665k")
    assert listed[heading + 1].split() == [
        "found", "train", f"{sample_world}/llava/llava_v1_5_mix665k.json"
    ]  # fmt: skip
    assert "train instruct_150k" in listed
    assert {"train 2014", "train 2017"} <= set(listed)


def test_splits_that_are_read_where_asked_for_are_listed(listed, sample_world):
    heading = listed.index("test (read only where it is named)")
    lines = [line.split() for line in listed[heading + 1 : heading + 5]]
    assert ["absent", "test_ids", f"{sample_world}/visual_genome/test_ids.txt", "(optional)"] in (
        lines
    )
    assert sum("read only where it is named" in line for line in listed) == 1


@pytest.mark.parametrize("name", recipe_names())
def test_what_a_recipe_reads_is_listed(name, listed, sample_world):
    stated = load_recipe(name) | {"no_recapd": True}
    for source in stated["sources"]:
        source["paths"] = {}
        if "detections" in str(source) or name == "eval_rec":
            source["paths"] = {"detections": "given.json"}
            source["detection_names"] = "coco"
    text = "\n".join(listed)
    for request in make_recipe(stated, name).sources:
        for located in locate_splits(str(sample_world), request):
            for path in located.roles.values():
                assert path in text or path == "given.json", (dataset(request.name).name, path)


def lines_of(capsys, *words):
    status = run(["sources", *map(str, words)])
    return status, [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_a_verdict_per_source(sample_world, tmp_path, capsys):
    status, lines = lines_of(capsys, "coco", "vcr", "--data-root", sample_world)
    assert status == 0
    assert lines[1] == "complete: train 2014, val 2014, train 2017, val 2017"
    assert sum(line.startswith("get it from") for line in lines) == 2
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    (tmp_path / "coco" / "val2017").mkdir()
    (tmp_path / "coco" / "annotations" / "instances_val2017.json").write_text("{}")
    status, lines = lines_of(capsys, "coco", "--data-root", tmp_path)
    assert (status, lines[1]) == (0, "1 of 4 splits are complete: val 2017")


def test_a_line_for_each_source_where_none_is_named(sample_world, monkeypatch, capsys):
    monkeypatch.chdir(sample_world)
    status, lines = lines_of(capsys)
    assert status == 0
    assert [line.split()[0] for line in lines] == list(CATALOG)
    assert {line.split()[1] for line in lines} == {"complete:"}


def test_where_nothing_is_the_exit_status_says_so(tmp_path, capsys):
    status, lines = lines_of(capsys, "--data-root", tmp_path)
    assert status == 1
    assert {line.partition(" ")[2].strip() for line in lines} == {
        "nothing to read: no split is complete"
    }
    assert run(["sources", "--data-root", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"error: --data-root {tmp_path}/none: there is no such folder\n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [("cocoo", "'cocoo'; did you mean coco?"), ("xyz", "'xyz'; expected one of coco, ")],
)
def test_a_wrong_name(sample_world, capsys, name, message):
    assert run(["sources", name, "--data-root", str(sample_world)]) == 2
    assert f"error: there is no source {message}" in capsys.readouterr().err


def test_the_line_that_is_printed_finds_sources_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["new-source", "birds", "--output", "my birds"]) == 0
    root = "my birds/birds/data_root"
    given = ["--data-root", root, "--source-module", "my birds/birds/birds.py"]
    capsys.readouterr()
    assert run(["sources", *given]) == 0
    (shown,) = re.findall(r"`regionforge (.*)` lists", capsys.readouterr().err)
    assert run([word.replace("NAME", "birds") for word in shlex.split(shown)]) == 0
    shutil.rmtree(tmp_path / root / "birds")
    assert run(["build", "--sources", "birds", "--output", "out", *given]) == 2
    (shown,) = re.findall(r"`regionforge (sources .*)` lists", capsys.readouterr().err)
    assert run(shlex.split(shown)) == 1
    assert "birds/boxes.csv" in capsys.readouterr().out
