"""An output is refused by source and key, and named sources alone can be replaced."""

from pathlib import Path

import pytest

from pipelines.output.begin import begin
from pipelines.output.check import check_output
from pipelines.output.identity import changed_values, identity_differences
from schemas.errors import BuildError
from schemas.layout import IDENTITY
from schemas.manifest import BuildIdentity, InputFile, SourceIdentity
from schemas.shard import VERSION

FILE = InputFile(source="coco", split="train", role="train", name="a.json", bytes=3, sha256="0")
COCO = SourceIdentity(
    builder="regionforge 1",
    version=1,
    settings={"seed": 0, "label_set": "COCO-80", "per_category": None},
    wordings={"region_caption": "1a"},
    inputs=[FILE],
    guard={"coco": "2b"},
)
LVIS = COCO.model_copy(update={"inputs": []})
BUILD = BuildIdentity(
    schema_version=VERSION,
    builder="regionforge 1",
    recipe={"name": "all", "images": "embed", "shard_bytes": 500, "seed": 0},
    sources={"coco": COCO, "lvis": LVIS},
)
SHARDS = {
    config: [f"{config}/train-00000-of-00001.arrow", f"_state/{config}/train-00000.json"]
    for config in ("coco", "lvis", "recapd")
}
ENDS = ["manifest.json", "README.md", "ledger.json", "_rejected/lvis.jsonl"]
JOURNAL = "_state/captions/recapd/train-07.jsonl"


def with_source(config: str, **changes: object) -> BuildIdentity:
    """The build with some fields of a source changed."""
    changed = BUILD.sources[config].model_copy(update=changes)
    return BUILD.model_copy(update={"sources": {**BUILD.sources, config: changed}})


def with_settings(config: str, **settings: object) -> BuildIdentity:
    return with_source(config, settings={**COCO.settings, **settings})


@pytest.fixture
def output(tmp_path):
    """An output that holds the build of both sources."""
    for name in (*SHARDS["coco"], *SHARDS["lvis"], *ENDS, "notes.txt", "coco/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / IDENTITY).write_text(BUILD.model_dump_json())
    return tmp_path


def names(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (with_settings("coco", label_set="mine"), "coco: label_set ('COCO-80', now 'mine')."),
        (with_settings("coco", per_category=5), "coco: per_category (none, now 5)."),
        (with_source("coco", version=2), "coco: the version of its code (1, now 2)."),
        (
            with_source("coco", inputs=[FILE.model_copy(update={"sha256": "1"})]),
            "coco: the input files (a.json).",
        ),
        (
            with_source("coco", wordings={"region_caption": "1a", "region_choice": "3c"}),
            "coco: the wordings (region_choice).",
        ),
        (
            with_source("coco", guard={"coco": "4d"}),
            "coco: the pictures of evaluations in the guard (coco).",
        ),
    ],
)
def test_a_source_that_differs_is_named_with_the_key(output, now, message):
    before = names(output)
    with pytest.raises(BuildError) as refused:
        check_output(str(output), now)
    assert str(refused.value) == (
        f"{output} holds another build, which differs in {message} Choose another --output, or "
        "replace coco alone with --rebuild coco."
    )
    assert names(output) == before


def test_sources_that_differ_are_all_named(output):
    now = with_settings("coco", seed=1)
    now.sources["lvis"] = now.sources["coco"].model_copy(update={"inputs": []})
    expected = (
        r"in coco: seed \(0, now 1\); lvis: seed \(0, now 1\)\. .* replace coco and lvis alone "
        r"with --rebuild coco,lvis\."
    )
    for rebuild, match in ((False, expected), (frozenset({"coco"}), r"in lvis: seed .* lvis\.")):
        with pytest.raises(BuildError, match=match):
            check_output(str(output), now, rebuild=rebuild)


def test_a_named_source_is_replaced_alone(output):
    before, now = names(output), with_settings("coco", label_set="mine")
    held = check_output(str(output), now, rebuild=frozenset({"coco"}))
    assert held.configs == {"lvis"}
    begin(str(output), now, held)
    assert before - names(output) == {*SHARDS["coco"], *ENDS}
    assert BuildIdentity.model_validate_json((output / IDENTITY).read_bytes()) == now


def test_all_is_replaced_but_what_is_kept(output):
    (output / JOURNAL).parent.mkdir(parents=True)
    (output / JOURNAL).write_bytes(b"x")
    held = check_output(str(output), BUILD, rebuild=True)
    begin(str(output), BUILD, held, keep="_state/captions")
    assert names(output) == {"notes.txt", "coco/notes.txt", JOURNAL, IDENTITY}


def test_a_source_that_the_build_leaves_out_is_named(output):
    now = BUILD.model_copy(update={"sources": {"coco": COCO}})
    for rebuild in (False, frozenset({"coco"})):
        with pytest.raises(BuildError, match=r"holds lvis, which this build leaves out\. Choose"):
            check_output(str(output), now, rebuild=rebuild)
    assert check_output(str(output), now, rebuild=True).configs == set()


def test_a_source_is_added(output):
    now = BUILD.model_copy(update={"sources": {**BUILD.sources, "vcr": LVIS}})
    assert check_output(str(output), now).configs == {"coco", "lvis"}
    assert identity_differences(BUILD, now) == ["vcr (new)"]


def test_a_source_of_which_nothing_is_there_may_differ(output):
    for name in SHARDS["coco"]:
        (output / name).unlink()
    assert check_output(str(output), with_settings("coco", seed=1)).configs == {"lvis"}


def test_what_belongs_to_the_whole_output_is_compared_once(output):
    recipe = BUILD.recipe | {"images": "reference", "seed": 5, "rec_negatives": 1.0}
    now = BUILD.model_copy(update={"recipe": recipe})
    expected = r"differs in images \('embed', now 'reference'\)\. .*everything with --rebuild\."
    for rebuild in (False, frozenset({"coco"})):
        with pytest.raises(BuildError, match=expected):
            check_output(str(output), now, rebuild=rebuild)


def test_another_builder_is_no_difference(output):
    now = with_source("coco", builder="regionforge 2")
    now = now.model_copy(update={"builder": "regionforge 2"})
    assert check_output(str(output), now).configs == {"coco", "lvis"}
    assert now.digest_of("coco") != BUILD.digest_of("coco")
    assert now.digest_of("lvis") == BUILD.digest_of("lvis")
    assert now.sources["coco"].same_as(COCO)
    assert not with_source("coco", version=2).sources["coco"].same_as(COCO)


@pytest.mark.parametrize(
    ("recipe", "advice"),
    [
        ({}, "build it again with --rebuild"),
        ({"captioning": {}}, "build again with `regionforge recap`; captions are kept"),
    ],
)
def test_an_output_of_another_schema_says_what_to_type(output, recipe, advice):
    old = {"schema_version": "1", "builder": "regionforge 0", "recipe": recipe, "inputs": []}
    (output / IDENTITY).write_text(str(old).replace("'", '"'))
    for rebuild in (False, frozenset({"coco"})):
        with pytest.raises(BuildError, match=f"of schema 1, by .* {VERSION}: {advice}.*, or choo"):
            check_output(str(output), BUILD, rebuild=rebuild)
    assert check_output(str(output), BUILD, rebuild=True).configs == set()


def test_settings_are_shown_in_words():
    first, second = {"tasks": None, "ids": None, "limit": 3}, {"tasks": ["vqa", "x"], "limit": None}
    (line,) = changed_values({"subset": None, "seed": 0}, {"subset": [first, second], "seed": 0})
    assert line == "subset (none, now limit 3, tasks 'vqa', 'x')"
