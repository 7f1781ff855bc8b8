"""METEOR through the published Java program; skipped by name where it is absent."""

import json
from pathlib import Path

import pytest

from schemas.errors import RegionForgeError
from train.evaluation.metrics import meteor as module
from train.evaluation.metrics.meteor import meteor, meteor_absence

GOLDEN = json.loads(Path(__file__).with_name("golden_captions.json").read_text(encoding="utf-8"))
LINES = [line for _, line in GOLDEN["phrases"]]
GROUP = 3

needs_meteor = pytest.mark.skipif(
    bool(meteor_absence()), reason=f"METEOR cannot be computed: {meteor_absence()}"
)


def caption_of(number: int) -> list[str]:
    """The rule of `make_golden_captions.py`."""
    words = LINES[number].split()
    return words[: len(words) // 2] + LINES[(number + 1) % len(LINES)].split()


@needs_meteor
def test_values_are_the_published_ones() -> None:
    captions = [caption_of(number) for number in range(len(LINES))]
    single = meteor(captions, [[line.split()] for line in LINES])
    assert single.entries == pytest.approx(GOLDEN["single"]["meteor_entries"], abs=1e-9)
    assert single.total == pytest.approx(GOLDEN["single"]["meteor"], abs=1e-9)
    assert single.total != pytest.approx(sum(single.entries) / len(single.entries), abs=1e-3)


@needs_meteor
def test_values_of_several_references_are_the_published_ones() -> None:
    starts = range(0, len(LINES), GROUP)
    references = [[line.split() for line in LINES[start : start + GROUP]] for start in starts]
    grouped = meteor([caption_of(start) for start in starts], references)
    assert grouped.entries == pytest.approx(GOLDEN["grouped"]["meteor_entries"], abs=1e-9)
    assert grouped.total == pytest.approx(GOLDEN["grouped"]["meteor"], abs=1e-9)


@needs_meteor
def test_odd_entries() -> None:
    captions = [["a", "red", "dog"], [], ["é"], ["ä"]]
    scores = meteor(captions, [[["a", "red", "dog"]], [["a"]], [["é"]], [["ö"]]])
    assert scores.entries[:2] == [1.0, 0.0]
    assert scores.entries[2] > scores.entries[3] == 0  # letters are told apart in any locale


def test_an_absent_package_is_named(monkeypatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert meteor_absence() == "pycocoevalcap is not installed"
    with pytest.raises(RegionForgeError, match="cannot be computed: pycocoevalcap is not inst"):
        meteor([["a"]], [[["a"]]])


@pytest.mark.parametrize("script", ["exit 1", "while read line; do echo no number; done"])
def test_a_program_that_fails_is_an_error(script, monkeypatch, tmp_path) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setattr(module, "meteor_absence", lambda: "")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(RegionForgeError, match="METEOR's program failed"):
        meteor([["a"]], [[["a"]]])
