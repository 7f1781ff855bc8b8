"""The talks that a captioner learns from, and the count of what becomes of a model's captions."""

import json
import re

import pytest

import regionforge
from bench import captioner
from bench.serving import served
from bench.taught import about_the_object, requests, wordings, write_taught
from model.tiny import write_tiny_model
from pipelines.cli.parser import run
from pipelines.recap.client.chat import encode_request
from pipelines.sample_world.scene import World
from pipelines.sample_world.v3det import write_v3det
from pipelines.sample_world.world import LOOKS

COUNTS = re.compile(r"(\d+) regions: (\d+) captions kept, rejected: (.*)\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The folder of a few pictures."""
    folder = tmp_path_factory.mktemp("world")
    write_v3det(folder, World(seed=3, pictures=8, look=LOOKS["proof"]))
    return folder


@pytest.fixture(scope="module")
def taught(world, tmp_path_factory):
    """The folder of the rows that are made of them."""
    folder = tmp_path_factory.mktemp("taught") / "rows"
    write_taught(world, folder, 2)
    return folder


def records(folder):
    """All records of an output."""
    batches = regionforge.read_shards(folder)
    return [record for batch in batches for record in batch.to_pylist()]


def test_the_rows_have_the_texts_of_requests_and_what_an_object_alone_shows(taught):
    texts = {text.replace("<region>", "<region1>") for text in wordings()}
    assert set(requests()) < set(wordings())
    talks = [record["messages"] for record in records(taught)]
    assert talks
    for asked, answered, *_ in talks:
        assert asked["content"].removeprefix("<image>\n") in texts
        assert re.match(r"(The \w+ \w+ looks mainly|Within its bounds)", answered["content"])
        assert "of the picture" not in answered["content"]


def test_true_captions_are_all_right_and_none_is_lost(taught, capsys):
    regions = sum(len(record["regions"]) for record in records(taught))
    assert captioner.judge(taught) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{regions} regions: {regions} captions kept, rejected: none\n")
    assert f"both {regions}: 1.000 " in shown


def test_wrong_captions_and_lost_regions_are_a_failure(taught, monkeypatch):
    monkeypatch.setattr(captioner, "_asked", lambda folder: 10_000)
    assert captioner.judge(taught) == 1
    monkeypatch.undo()
    monkeypatch.setattr(captioner, "LEAST", 1.1)
    assert captioner.judge(taught) == 1


@pytest.mark.parametrize(
    ("colour", "kept"),
    [
        ("It looks mainly red.", "The red star looks mainly red. It is about as wide as tall."),
        (
            "Within its bounds, red stands out.",
            "Within its bounds, red stands out. The red star is about as wide as tall.",
        ),
    ],
)
def test_what_a_region_does_not_show_is_left_out(colour, kept):
    whole = (
        f"The red star is in the lower left of the picture and takes up less than a tenth of it. "
        f"{colour} It is about as wide as tall. It lies above the blue cross."
    )
    assert about_the_object(whole) == kept


def test_a_served_model_is_asked_about_each_region_and_none_is_lost(
    world, tmp_path, monkeypatch, capsys
):
    bodies = []

    def encode(*parts):
        bodies.append(json.loads(encoded := encode_request(*parts)))
        return encoded

    monkeypatch.setattr("pipelines.recap.client.captioner.encode_request", encode)
    monkeypatch.setattr(captioner, "_ours", lambda *words: run([str(word) for word in words]))
    write_tiny_model(tmp_path / "tiny")
    with served(str(tmp_path / "tiny"), batch=8) as address:
        captioner.caption(world, tmp_path / "captions", address, "tiny", 1)
    capsys.readouterr()
    captioner.judge(tmp_path / "captions")
    match = COUNTS.match(capsys.readouterr().out)
    assert match
    asked, kept = int(match[1]), int(match[2])
    rejected = {} if match[3] == "none" else json.loads(match[3].replace("'", '"'))
    assert asked == kept + sum(rejected.values()) > 2
    assert not {"caption_failed", "caption_unasked"} & rejected.keys(), "the server answers"
    texts = {text.replace("<region>", "region1") for text in requests()}
    assert len(bodies) >= asked
    for body in bodies:
        (region,) = body["regions"]
        assert len(region["bbox"]) == 4
        picture, text = body["messages"][0]["content"]
        assert picture["type"] == "image_url"
        assert text["text"] in texts
