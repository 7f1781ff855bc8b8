"""Boxes are drawn once for both: `recap` and a build of the source take the same."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipelines.verify import verify
from schemas.ledger import Stage
from schemas.rejection import Kind

CAPS = [
    ("--per-category", 1),
    ("--per-category", 2, "--seed", 7),
    ("--per-image", 3),
    ("--per-category", 2, "--per-image", 2, "--seed", 1),
    ("--limit", 9),
    ("--limit", 12, "--per-category", 1, "--no-guard"),
]


def regions_of(output: Any) -> set[tuple[str, str, str]]:
    """Split, picture and id of every region."""
    return {
        (row["split"], row["image"]["path"].rpartition("/")[2], region["region_id"])
        for row in output.rows()
        for region in row["regions"]
    }


def covered(console: str) -> dict[str, tuple[int, int]]:
    """Captions and drawn regions of each split, as they are said."""
    lines = re.findall(r"v3det/(\w+): captions for ([\d,]+) of ([\d,]+) drawn regions", console)
    return {
        split: (int(number.replace(",", "")), int(regions.replace(",", "")))
        for split, number, regions in lines
    }


def sentences(output: Any, split: str = "train") -> tuple[int, int, int]:
    """Captions read, written, and sampled out in all stages."""
    ledger = output.ledger()
    accounts = [ledger.account("v3det", split, stage, Kind.SENTENCE) for stage in Stage]
    left = sum(account.sampled_out for account in accounts)
    return accounts[0].read, ledger.stored("v3det", split, Kind.SENTENCE), left


@pytest.fixture(scope="module")
def drawn(command_line, sample_world, output_of, tmp_path_factory):
    """The regions that a build without captions takes under some caps."""

    @cache
    def regions(*caps: object) -> set[tuple[str, str, str]]:
        folder = tmp_path_factory.mktemp("plain") / "plain"
        where = ["--sources", "v3det", "--data-root", sample_world, "--output", folder]
        done = command_line("build", *where, *caps)
        assert done.returncode == 0, done.stderr
        return regions_of(output_of(folder))

    return regions


@pytest.mark.parametrize("caps", CAPS)
def test_the_same_caps_take_the_same_regions(
    commands, captioned_by, drawn, output_of, captions_of, tmp_path, caps
):
    folder = captioned_by(*caps)
    captioned = tmp_path / "captioned"
    status, console = commands.build(captioned, *caps, "--recapd", folder, "--merge")
    assert status == 0
    described = set(captions_of(folder))
    assert described == drawn(*caps) == regions_of(output_of(captioned))
    for split, (number, regions) in covered(console).items():
        assert number == regions == sum(key[0] == split for key in described)
    read, kept, left = sentences(output_of(captioned))
    assert (read, left) == (kept, 0)
    assert "`recap`" not in console
    assert verify(str(captioned)).problems == []


def test_caps_leave_something_out(captioned_by, captions_of):
    """Else the test above shows little."""
    number = len(captions_of(captioned_by()))
    for caps in CAPS:
        assert 0 < len(captions_of(captioned_by(*caps))) < number


@pytest.mark.parametrize(
    ("recap", "build", "whole", "why"),
    [
        ((), ("--per-category", 1, "--seed", 3), True, ""),
        ((), ("--per-image", 2, "--seed", 3), True, ""),
        ((), ("--limit", 9), True, ""),
        (("--per-category", 2), ("--per-category", 1), True, ""),
        (
            ("--per-category", 1),
            ("--per-category", 2),
            False,
            "v3det: regions per category: `recap` took 1, the build takes 2",
        ),
        (
            ("--per-image", 2),
            (),
            False,
            "v3det: regions per image: `recap` took 2, the build takes all",
        ),
        (
            ("--limit", 9),
            ("--limit", 15),
            False,
            "v3det: images per split: `recap` took 9, the build takes 15",
        ),
        (
            ("--limit", 9, "--no-guard"),
            (),
            False,
            "v3det: `recap` ran without the guard, the build with it",
        ),
    ],
)
def test_other_caps_decide_nothing_of_what_is_drawn(
    commands, captioned_by, drawn, output_of, captions_of, tmp_path, recap, build, whole, why
):
    folder = captioned_by(*recap)
    captioned = tmp_path / "captioned"
    status, console = commands.build(captioned, *build, "--recapd", folder, "--merge")
    assert status == 0
    regions, described = drawn(*build), set(captions_of(folder))
    assert regions_of(output_of(captioned)) == regions
    assert (regions <= described) is whole
    for split, numbers in covered(console).items():
        here = {key for key in regions if key[0] == split}
        assert numbers == (len(here & described), len(here))
    read, kept, left = sentences(output_of(captioned))
    assert read == sum(key[0] == "train" for key in described)
    assert (kept, read - left) == (covered(console)["train"][0],) * 2
    assert why in console
    assert bool(why) == ("`recap`" in console)
    card = Path(captioned / "README.md").read_text(encoding="utf-8")
    assert not why or f"\n- {why}\n" in card
    assert verify(str(captioned)).problems == []


def test_regions_that_another_seed_drew_are_refused(commands, captioned, tmp_path):
    status, console = commands.finetune(tmp_path / "out", "--recapd", captioned, "--seed", 4)
    assert status == 2
    assert (
        "error: --recapd: the captions are of regions that were drawn with seed 0, and the build "
        "would draw others, with seed 4: give one seed to both"
    ) in console
    assert not (tmp_path / "out").exists()
