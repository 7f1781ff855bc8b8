"""The simulation of filters: its mistakes are what they are called, and named checks see them."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.caption_filters.__main__ import Measured, measured, misses
from bench.caption_filters.mistakes import KINDS, RIGHT, Caption, caption_of
from pipelines.sample_world.coco import pictures
from pipelines.sample_world.look import HARD
from pipelines.sample_world.scene import World
from transforms.caption_denials import denial
from transforms.caption_names import described_other
from transforms.caption_places import Placed, wrong_place

WORLD = World(seed=3, pictures=60, look=replace(HARD, odd=False))


def test_named_checks_find_all_of_their_kind_and_nothing_right() -> None:
    kinds: Counter[str] = Counter()
    for picture in pictures(WORLD):
        scene = picture.scene
        for index, thing in enumerate(scene.things):
            caption = caption_of(scene, index, WORLD.seed)
            kinds[caption.kind] += 1
            others = [each for each in scene.things if each is not thing]
            placed = Placed(
                width=scene.width,
                height=scene.height,
                box=thing.box,
                class_name=thing.shape,
                others=[(each.shape, each.box) for each in others],
            )
            names = sorted({each.shape for each in others} - {thing.shape})
            seen = {
                "object denied": denial(caption.text, thing.shape),
                "neighbour described": described_other(caption.text, thing.shape, names),
                "wrong place": "".join(wrong_place(each, placed) for each in caption.sentences),
            }
            if caption.kind in seen:
                assert seen[caption.kind], caption
            elif caption.kind == RIGHT:
                assert not any(seen.values()), caption
    assert kinds.keys() == {RIGHT, *KINDS}
    shares = {kind: kinds[kind] / kinds.total() for kind in KINDS}
    assert max(shares.values()) < 0.16
    assert min(shares.values()) > 0.02


def test_shares_are_counted() -> None:
    captions = {
        kind: Caption(kind, {"It is so.": True, f"{kind.capitalize()}.": False}) for kind in KINDS
    }
    captions |= {"a": Caption(RIGHT, {"It is so.": True}), "b": Caption(RIGHT, {"It is.": True})}
    kept = {"a": "It is so.", "wrong color": "It is so.", "wrong place": "It is so. Wrong place."}
    row = measured("one", captions, kept)
    assert row.out == {kind: float(kind != "wrong place") for kind in KINDS}
    assert row.right_in == 0.5
    assert row.precision == pytest.approx(2 / 3)
    assert row.false_out == pytest.approx(4 / 5)
    assert row.true_in == pytest.approx(3 / 7)


def test_missed_bars_are_told() -> None:
    good = Measured("", dict.fromkeys(KINDS, 1.0), 0.99, 1.0, 0.9, 0.9)
    bad = Measured("", {**good.out, "wrong place": 0.9}, 0.9, 1.0, 0.8, 0.8)
    names = ("named checks", "words, judge by sentence")
    assert not list(misses(dict.fromkeys(names, good)))
    assert len(list(misses(dict.fromkeys(names, bad)))) == 4
