"""What caps leave out and what goes with its image, over all sources of the sample world.

Without a limit and without caps of the user's, only the papers' caps leave anything out as
sampled; what the guard's and missing pictures take along is counted apart from that.
"""

from dataclasses import replace

import pytest

from pipelines.cli.parser import make_parser
from pipelines.datasets import catalog
from pipelines.datasets.catalog import CATALOG, papers_caps
from pipelines.sample_world import SOURCES
from pipelines.verify import verify
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.style import Style

NAMES = tuple(name for name in SOURCES if CATALOG[name].tasks)
STATED = (
    "visual_genome: at most 10 regions per image, the papers' cap; "
    "--per-image visual_genome=all takes all"
)


@pytest.fixture(scope="module")
def build(command_line, sample_world, output_of, tmp_path_factory):
    """Builds sources of the sample world; returns the output, and the console's text."""

    def run(names, *words):
        folder = tmp_path_factory.mktemp("left_out") / "out"
        sets = [f"{name}={SOURCES[name]}" for name in names if SOURCES[name]]
        labels = [word for label_set in sets for word in ("--label-set", label_set)]
        inputs = ["--sources", ",".join(names), "--data-root", sample_world, *labels]
        done = command_line("build", *inputs, "--output", folder, *words)
        assert done.returncode == 0, done.stderr
        assert verify(str(folder)).problems == []
        return output_of(folder), done.stdout

    return run


@pytest.fixture(scope="module")
def world(build):
    """All sources, as they are built where nothing is asked for."""
    return build(NAMES)


def card_of(output) -> str:
    return str((output.folder / "README.md").read_text(encoding="utf-8"))


def test_only_papers_caps_sample_out(world):
    output, _ = world
    places = {(source, stage) for source, stage, _ in output.sampled_out()}
    assert places == {("visual_genome", "sample")}


def test_what_hangs_on_a_rejected_image_goes_with_it(world):
    output, console = world
    ledger = output.ledger()
    apart = (Stage.READ, Stage.GUARD)
    taken_along = {
        (source, stage, kind)
        for (source, _, stage, kind), account in ledger.accounts()
        if account.with_image and stage in apart
    }
    assert ("coco", Stage.GUARD, Kind.ANNOTATION) in taken_along
    assert ("v3det", Stage.READ, Kind.ANNOTATION) in taken_along  # pictures that are missing
    for (*_, stage, kind), account in ledger.accounts():
        if stage is Stage.GUARD and kind is not Kind.IMAGE:
            assert account.rejected == {}
            assert account.read == account.kept + account.with_image
    number = output.with_image()[Kind.ANNOTATION]
    assert number > 100
    assert f"left out with a rejected image: annotation {number:,}" in console.replace("\n", " ")
    assert f"\n- annotation: left out with a rejected image: {number}\n" in card_of(output)


def test_a_papers_cap_is_stated_where_it_applies(world, build):
    output, console = world
    assert [line for line in console.splitlines() if "papers' cap" in line] == [STATED]
    words = "at most 10 regions per image of `visual_genome`, by kind of label"
    assert f"{words} (the papers' cap)" in card_of(output)
    for cap, shown in (("all", ""), ("10", words)):
        output, console = build(("visual_genome",), "--per-image", f"visual_genome={cap}")
        assert bool(output.sampled_out()) is (cap != "all")
        assert "papers' cap" not in console + card_of(output)
        assert shown in card_of(output)


def test_help_states_the_caps_of_the_catalog(monkeypatch, capsys):
    genome = replace(CATALOG["visual_genome"], boxes_per_image={Style.GPT4ROI: 7})
    for table in (CATALOG, {**CATALOG, "visual_genome": genome}):
        monkeypatch.setattr(catalog, "CATALOG", table)
        with pytest.raises(SystemExit):
            make_parser().parse_args(["build", "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        _, _, stated = shown.partition("(default: the papers' caps, ")
        for style in Style:
            caps = ", ".join(f"{name}={cap}" for name, cap in papers_caps(style).items())
            assert bool(caps) is (f"in style {style}: {caps}" in stated)
    assert papers_caps(Style.REGIONGPT) == {}
    assert papers_caps(Style.GPT4ROI)["visual_genome"] == 7
