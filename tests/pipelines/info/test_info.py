"""What `info` counts is what the records hold, and a record that is looked up is the whole one."""

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from pipelines.cli.parser import run
from pipelines.info.figures import SplitFigures, Spread
from schemas.shard import SCHEMA

FIRST = "coco/train/1/region_classification/0"


@pytest.fixture(scope="module")
def built(sample_world, tmp_path_factory, output_of):
    """A build of several sources in several shards."""
    folder = tmp_path_factory.mktemp("built") / "output"
    words = ["--sources", "coco,llava,refcocog", "--label-set", "coco=Shapes-15", "--output"]
    words += [str(folder), "--data-root", str(sample_world), "--shard-size", "300KB"]
    assert run(["build", *words]) == 0
    return output_of(folder)


@pytest.fixture
def document(capsys):
    """Runs a command with --json, and returns the document."""

    def call(*words):
        capsys.readouterr()
        assert run([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def test_the_figures_are_those_of_the_records(built, document):
    shown = document("info", built.folder)
    rows = built.rows()
    assert shown["records"] == len(rows)
    assert sum(split["shards"] for split in shown["splits"]) == shown["shards"]
    assert shown["shards"] > len(shown["splits"])
    assert len(shown["splits"]) == 6
    for split in shown["splits"]:
        records = [
            r for r in rows if (r["source"], r["split"]) == (split["source"], split["split"])
        ]
        regions = [region for record in records for region in record["regions"]]
        shown_records = [record for record in records if record["image"]]
        pictures = {r["id"].rsplit("/", 2)[0]: max(r["width"], r["height"]) for r in shown_records}
        assert split["records"] == len(records)
        assert split["pictures"] == len(pictures)
        assert split["regions"] == len(regions)
        assert split["masks"] == sum(region["mask"] is not None for region in regions)
        assert split["regions_of_a_record"]["most"] == max(len(r["regions"]) for r in records)
        assert split["longer_side"]["least"] == min(pictures.values())
        sides = [(r["bbox"][2] - r["bbox"][0]) * (r["bbox"][3] - r["bbox"][1]) for r in regions]
        small, upto = (sum(area < side**2 for area in sides) for side in (32, 96))
        sizes = {"small": small, "medium": upto - small, "large": len(sides) - upto}
        assert split["boxes"] == sizes


def test_words_and_categories_are_those_of_the_records(built, document):
    shown = document("info", built.folder)
    for task in shown["tasks"]:
        answers = [
            answer["content"].split()
            for record in built.rows(f"{task['source']}/*.arrow")
            for kind, answer in zip(record["turn_tasks"], record["messages"][1::2], strict=True)
            if kind == task["task"]
        ]
        lengths = sorted(map(len, answers))
        words = task["words_of_an_answer"]
        assert (task["turns"], task["words"]) == (len(lengths), sum(lengths))
        assert (words["least"], words["most"]) == (lengths[0], lengths[-1])
        assert words["median"] == lengths[(len(lengths) - 1) // 2]
    named = Counter(
        region["category"] for record in built.rows("coco/*.arrow") for region in record["regions"]
    )
    assert shown["categories"]["coco"] == named
    assert sum(shown["licences"].values()) == shown["records"]


def test_the_spread_of_numbers():
    assert Spread.of(Counter({3: 2, 10: 1})) == (3, 3, 16 / 3, 10)
    assert Spread.of(Counter({1: 1, 2: 1})) == (1, 1, 1.5, 2)
    assert Spread.of(Counter()) is None


def test_text_only_records_are_no_pictures():
    sizes = {"llava/train/a/t/0": 30, "llava/train/b/t/0": None, "llava/train/c/t/0": 40}
    rows: list[dict[str, Any]] = [
        {"id": name, "width": side, "height": side and 20, "regions": [], "messages": []}
        for name, side in sizes.items()
    ]
    figures = SplitFigures()
    figures.add(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    assert (figures.records, figures.pictures) == (3, 2)
    assert figures.sides == {30: 1, 40: 1}


def test_a_record_by_its_id(built, document, capsys):
    for record in (built.rows()[0], built.rows()[-1]):
        shown = document("info", built.folder, "--id", record["id"])["record"]
        assert shown["messages"] == record["messages"]
        assert shown["regions"] == record["regions"]
        assert shown["provenance"] == record["provenance"]
        assert shown["image"] == {
            "path": record["image"]["path"],
            "bytes": len(record["image"]["bytes"]),
        }
        assert run(["info", str(built.folder), "--id", record["id"]]) == 0
        text = capsys.readouterr().out
        assert record["id"] in text
        assert f"prompts: {record['provenance']['prompts'][0]}" in text


def test_a_part_of_an_id_names_those_that_begin_with_it(built, capsys):
    record = next(iter(built.rows("refcocog/val*.arrow")))["id"]
    picture = record.rsplit("/", 2)[0]
    assert run(["info", str(built.folder), "--id", picture]) == 2
    assert f"of this picture: {picture}/" in capsys.readouterr().err
    assert run(["info", str(built.folder), "--id", picture[:-1]]) == 2  # of no picture
    assert "of this picture" not in capsys.readouterr().err


def test_an_id_that_is_not_there_names_those_of_its_picture(built, capsys):
    record = next(iter(built.rows("refcocog/val*.arrow")))["id"]
    other = f"{record.rsplit('/', 1)[0]}/999"
    assert run(["info", str(built.folder), "--id", other]) == 2
    error = capsys.readouterr().err
    assert f"--id {other}: no record" in error
    assert f"of this picture: {record.rsplit('/', 2)[0]}/" in error
    assert run(["info", str(built.folder), "--id", "nonsense"]) == 2
    assert "source/split/picture/task/number" in capsys.readouterr().err


def test_a_drawing_marks_the_regions_and_nothing_else(coco_file, run_build, tmp_path):
    coco = coco_file()
    coco.picture(1, (300, 200))
    coco.region(11, 1, bbox=[100, 100, 80, 60], segmentation=[])
    output = run_build(coco.save())
    target = tmp_path / "drawn.png"
    assert run(["info", str(output.folder), "--id", FIRST, "--draw", str(target)]) == 0
    with Image.open(coco.pictures / "1.jpg") as file:
        plain = file.convert("RGB")
    with Image.open(target) as file:
        assert file.format == "PNG"
        drawn = file.convert("RGB")
    assert drawn.size == plain.size
    red = (0xFF, 0x6B, 0x6B)  # the colour of a first region
    assert [drawn.getpixel(at) for at in ((100, 130), (140, 160), (180, 130))] == [red] * 3
    assert drawn.getpixel((140, 130)) == plain.getpixel((140, 130))
    assert drawn.getpixel((20, 20)) == plain.getpixel((20, 20))


def test_a_mask_is_tinted_inside(coco_file, run_build, tmp_path):
    coco = coco_file()
    coco.picture(1, (300, 200))
    coco.region(
        11, 1, bbox=[100, 100, 80, 60], segmentation=[[100, 100, 100, 160, 140, 160, 140, 100]]
    )
    output = run_build(coco.save())
    target = tmp_path / "drawn.PNG"
    assert run(["info", str(output.folder), "--id", FIRST, "--draw", str(target)]) == 0
    with Image.open(coco.pictures / "1.jpg") as plain, Image.open(target) as drawn:
        assert drawn.getpixel((120, 130)) != plain.convert("RGB").getpixel((120, 130))
        assert drawn.getpixel((160, 130)) == plain.convert("RGB").getpixel((160, 130))


def test_a_picture_that_is_not_there_is_not_drawn(coco_file, run_build, tmp_path, capsys):
    coco = coco_file().good(1).save()
    output = run_build(coco, images="reference")
    words = ["info", str(output.folder), "--id", FIRST, "--draw", str(tmp_path / "x.png")]
    assert run(words) == 2
    assert "give --image-root" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
    assert run([*words, "--image-root", str(coco.pictures)]) == 0
    assert (tmp_path / "x.png").exists()
    assert run([*words[:-1], str(tmp_path / "x.jpg")]) == 2
    assert "ends with .png" in capsys.readouterr().err


def test_a_damaged_shard_is_named(coco_file, run_build, capsys):
    output = run_build(coco_file().good(1, 2).save())
    (shard,) = output.folder.glob("coco/*.arrow")
    with pa.ipc.open_stream(shard.read_bytes()) as stream:
        table = stream.read_all()
    with pa.OSFile(str(shard), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table.slice(1))
    assert run(["info", str(output.folder)]) == 1
    assert f"the shard {shard} has 1 rows, expected 2" in capsys.readouterr().err
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size // 2)
    assert run(["info", str(output.folder)]) == 1
    assert f"the shard {shard}" in capsys.readouterr().err
