"""Stage 0: dense labels, and towers that `load_towers` opens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from model.checkpoint import load_towers
from model.frame import Frame
from model.presets import proof_regiongpt
from model.processor import processor_for
from train.data.build import Build
from train.data.rows import ShardRows
from train.stage0.dense import Categories, dense_labels
from train.stage0.fitting import Fitting
from train.stage0.tower import finest
from train.stage0.towers import TinyTowers, make_towers

PART = Fitting(steps=3, batch=2, warmup_steps=1)
FEW = TinyTowers(vision=PART, language=PART)


def test_dense_labels_of_a_drawing_by_hand():
    """A box of 40 x 40 pixels in 6 x 6 patches of 10, and a small one on its corner."""
    labels = dense_labels(
        [((40, 40, 60, 60), 2), ((10, 10, 50, 50), 1)], Frame.padded(60, 60, 60, 10), 6
    )
    drawn = """
        . . . . . .
        . . 1 1 . .
        . 1 1 1 1 .
        . 1 1 1 1 .
        . . 1 1 2 2
        . . . . 2 2
    """
    expected = [0 if cell == "." else int(cell) for cell in drawn.split()]
    assert labels.tolist() == expected


def test_labels_lie_in_the_picture_of_the_model():
    """A picture of 60 x 30 is centred: it lies 15 pixels lower in the model's."""
    labels = dense_labels([((0, 0, 30, 20), 1)], Frame.padded(60, 30, 60, 10), 6).reshape(6, 6)
    assert np.argwhere(labels).tolist() == [[2, 0], [2, 1], [2, 2]]


def test_a_region_without_category_is_background():
    regions: list[dict[str, str | None]] = [
        {"category": "red star"},
        {"category": None},
        {"category": "box"},
    ]
    categories = Categories([["red star"], ["box", "red star"]])
    assert categories.names == ["box", "red star"]
    assert [categories.label(region) for region in regions] == [2, 0, 1]


def test_the_tower_learns_from_the_source_that_tells_most_apart(proof_shards):
    """RefCOCOg names shapes alone, LLaVA's rows have no regions."""
    build = Build.open(proof_shards)
    rows = ShardRows(build, build.shards("train"))
    chosen = [rows[number] for number in finest(rows)]
    assert {row["source"] for row in chosen} == {"v3det"}
    assert len(chosen) == sum(config == "v3det" for config in rows.configs())


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train", ["v3det"]))


@pytest.fixture(scope="module")
def towers(rows, tmp_path_factory):
    output = tmp_path_factory.mktemp("towers")
    losses: dict[str, list[float]] = {"vision": [], "language": []}
    make_towers(
        proof_regiongpt(), rows, output, FEW, lambda tower, _, loss: losses[tower].append(loss)
    )
    assert [len(part) for part in losses.values()] == [3, 3]
    return output


def test_a_model_opens_them(towers, rows):
    model = load_towers(proof_regiongpt(), vision=towers / "vision", language=towers / "language")
    tokenizer = AutoTokenizer.from_pretrained(towers / "language")
    words = model.get_input_embeddings().weight
    assert words.shape == (len(tokenizer), 96)  # no row of a compound token is left
    processor = processor_for(model.config, tokenizer)
    batch = processor.collate([processor.encode_row(rows[0], "box")])
    assert torch.isfinite(model(**batch).loss)


def test_the_folders_are_small_and_plain(towers):
    for name, kind in (("vision", "clip_vision_model"), ("language", "llama")):
        folder = towers / name
        assert json.loads((folder / "config.json").read_text())["model_type"] == kind
        assert sum(file.stat().st_size for file in folder.iterdir()) < 4e6
        assert not [file for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pkl")]


def test_two_runs_with_one_seed_are_bit_equal(towers, rows, tmp_path):
    make_towers(proof_regiongpt(), rows, tmp_path, FEW)
    for name in ("vision", "language"):
        assert weights(tmp_path / name) == weights(towers / name)


def test_a_language_model_that_sees_learns_something_else_on_the_same_tower(towers, rows, tmp_path):
    make_towers(proof_regiongpt(), rows, tmp_path, replace(FEW, afterwards=PART))
    assert weights(tmp_path / "vision") == weights(towers / "vision")
    assert weights(tmp_path / "language") != weights(towers / "language")


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
