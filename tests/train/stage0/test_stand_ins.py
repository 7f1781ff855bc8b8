"""Classes in place of a connector's embeddings: categories, or what a tower sees in a picture."""

import numpy as np
import pytest
import torch
from torch import nn

from model.frame import Frame
from model.image_processor import RegionImageProcessor
from model.presets import proof_regiongpt
from train.data.build import Build
from train.data.rows import Row, ShardRows
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting
from train.stage0.language import CompoundLanguage, Phase, build_tokenizer, train_language
from train.stage0.stand_ins import Classes, StandIns, from_categories, from_pictures, most_frequent
from train.stage0.tower import DenseTower

CONFIG = proof_regiongpt()
TEXT_ROW: Row = {"image": None, "regions": []}


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train", ["v3det"]))


def test_the_most_frequent_class_of_a_drawing_by_hand():
    """There is more background in the large box than anything else."""
    drawn = """
        . . . . . .
        . . 1 2 . .
        . 2 . . . .
        . . . . . .
        . . . 2 3 3
        . . . . 3 3
    """
    patches = np.array([0 if cell == "." else int(cell) for cell in drawn.split()])
    frame = Frame.padded(60, 60, 60, 10)
    assert most_frequent(patches, (10, 10, 50, 50), frame) == 2
    assert most_frequent(patches, (40, 40, 60, 60), frame) == 3
    assert most_frequent(patches, (0, 50, 40, 60), frame) == 0


class Halves(nn.Module):
    """A tower that sees class 5 in each patch of the upper half of a picture, and 7 below."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 9)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(pixels), 9, 9, 9)
        logits[:, :5, :, 5] = 1
        logits[:, 5:, :, 7] = 1
        return logits.flatten(1, 2)


def test_regions_and_patches_are_what_a_tower_sees(rows):
    tower: DenseTower = Halves()
    stand_ins = from_pictures(tower, RegionImageProcessor.from_config(CONFIG))
    bare = rows[2] | {"regions": []}
    first, text, picture, second = stand_ins.of([rows[0], TEXT_ROW, bare, rows[1]])
    assert stand_ins.count == 9
    assert text.patches.size == len(text.regions) == len(picture.regions) == 0
    assert picture.patches.tolist() == [5] * 45 + [7] * 36
    for row, seen in ((rows[0], first), (rows[1], second)):
        assert seen.patches.size == 0
        assert len(seen.regions) == len(row["regions"])
        for region, label in zip(row["regions"], seen.regions, strict=True):
            _, y0, _, y1 = region["bbox"]
            if not y0 < 40 < y1:
                assert label == (5 if y1 < 40 else 7)


def test_categories_leave_pictures_out(rows):
    categories = Categories(rows.categories())
    stand_ins = from_categories(categories)
    (classes,) = stand_ins.of([rows[0]])
    assert stand_ins.count == len(categories)
    assert classes.patches.size == 0
    assert [categories.names[label - 1] for label in classes.regions] == [
        region["category"] for region in rows[0]["regions"]
    ]


@pytest.mark.parametrize("patches", [0, 81])
def test_a_language_model_reads_the_classes_in_their_order(rows, monkeypatch, patches):
    read: list[torch.Tensor] = []
    forward = CompoundLanguage.forward

    def reading(self, ids, labels):
        read.append(ids)
        return forward(self, ids, labels)

    def classes(some):
        count = len(some[0]["regions"])
        return [Classes(patches=np.arange(patches), regions=range(100, 100 + count))]

    monkeypatch.setattr(CompoundLanguage, "forward", reading)
    tokenizer = build_tokenizer(CONFIG, rows)
    phases = [Phase([7], Fitting(steps=1, batch=1))]
    stand_ins = StandIns(count=110, of=classes)
    train_language(CONFIG, rows, stand_ins, tokenizer, phases, lambda step, loss: None)
    compounds = read[0][0] - len(tokenizer)
    regions = len(rows[7]["regions"])
    expected = [*range(patches), *range(100, 100 + regions)]
    assert compounds[compounds >= 0].tolist() == expected
