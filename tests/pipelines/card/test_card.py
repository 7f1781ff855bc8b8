"""The dataset card: how a build is opened, where it comes from, and what is in it."""

import re
from typing import Any

import pytest

from pipelines.card.captioning import captioning_section
from pipelines.card.card import card_of
from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import BUILTIN_MODEL, Captioning, Filter, RecapRecipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from schemas.ledger import Ledger
from schemas.manifest import Manifest, Shard, SizeCount
from schemas.rejection import Reason
from schemas.shard import DESCRIPTIONS, SCHEMA, fields

SHAPES = {"label_set": "Shapes-15"}


def card(output) -> str:
    return str((output.folder / "README.md").read_text(encoding="utf-8"))


def section(output, title: str) -> str:
    return card(output).split(f"\n## {title}\n")[1].split("\n## ")[0]


def run_code(output, **replaced: str) -> dict[str, Any]:
    """Run the one piece of code that a card shows, with its folder in place of the Hub's name."""
    text = section(output, "Loading").replace("USER/NAME", str(output.folder))
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for before, after in replaced.items():
        code = code.replace(f'"/{before}"', f'"{after}"')
    names: dict[str, Any] = {}
    exec(code, names)
    return names


@pytest.fixture(scope="module")
def llava(sample_world, output_of, tmp_path_factory):
    """Conversations about pictures and about none, which are not opened."""
    folder = tmp_path_factory.mktemp("llava")
    sources = (SourceRequest(name="llava", edition="mix665k"),)
    recipe = Recipe(sources=sources, images="reference", guard=False)
    launch(make_plan(recipe, str(sample_world), str(folder)), LaunchOptions())
    return output_of(folder)


def test_the_lines_that_open_a_build_run(sample_world, run_build):
    output = run_build(sample_world, request=SHAPES)
    row = run_code(output)["data"]["train"][0]
    assert row["image"].size == (row["width"], row["height"])


def test_the_lines_that_open_pictures_referred_to_run(sample_world, run_build, llava):
    coco = run_build(sample_world, request=SHAPES, images="reference")
    for output in (coco, llava):
        names = run_code(output, data=str(sample_world))
        record, picture = names["record"], names["picture"]
        assert picture.size == (record["width"], record["height"])
        picture.load()


def test_a_file_of_ones_own_is_called_so_and_no_other(coco_file, run_build, llava):
    users_own = run_build(coco_file().good().save())
    assert "| `coco` (a user's own file) | train |" in section(users_own, "Sources")
    assert "Microsoft COCO" not in section(users_own, "Citing")
    title = CATALOG["llava"].title
    assert f"| `llava` ({title}) | train |" in section(llava, "Sources")


def test_pictures_that_lie_elsewhere_do_not_make_a_file_ones_own(two_splits, run_build):
    root, _ = two_splits
    paths = {"images": str(root / "coco" / "train2017")}
    output = run_build(root, request={**SHAPES, "paths": paths, "splits": ("train",)})
    assert "| `coco` (COCO detection) | train |" in section(output, "Sources")


def test_every_reason_is_listed(coco_file, run_build, output_of, tmp_path):
    file = coco_file().good().save()
    rejected = {str(reason): 50 - number for number, reason in enumerate(Reason)}
    assert len(rejected) > 20
    read = {"read": {"annotation": {"read": sum(rejected.values()), "rejected": rejected}}}
    ledger = Ledger.model_validate({"sources": {"coco": {"train": read}}})
    plan = make_plan(Recipe(sources=(file.request(),)), "", str(tmp_path))
    (tmp_path / "README.md").write_bytes(card_of(plan, run_build(file).manifest(), ledger))
    listed = section(output_of(tmp_path), "Left out")
    for reason, number in rejected.items():
        assert f"\n- annotation: {reason}: {number}\n" in listed


RECAP: dict[str, Any] = {"sources": (SourceRequest(name="v3det"),), "guard": False}


def planned(recipe, sample_world):
    """The plan of a recipe, and the manifest of a run that captioned two regions of three."""
    plan = make_recap_plan(recipe, str(sample_world), "unused")
    more: dict[str, Any] = {
        "config": "recapd",
        "split": "train",
        "of": 2,
        "rows": 1,
        "bytes": 1,
        "sha256": "",
    }
    sizes = [
        {
            "16": SizeCount(regions=2, captioned=2, kept=1),
            "128": SizeCount(regions=1, captioned=1, kept=1),
        },
        {"16": SizeCount(regions=1, captioned=1, kept=1)},
    ]
    shards = [
        Shard(index=index, path=f"{index}", sizes=each, **more) for index, each in enumerate(sizes)
    ]
    return plan, Manifest(identity=plan.identity, shards=shards, rejected={})


def test_captions_of_our_own_captioner_that_nobody_filtered(sample_world, output_of, tmp_path):
    builtin = Captioning(captioner="builtin")
    recipe = RecapRecipe(**RECAP, captioning=builtin, filter=Filter(), limit=2)
    tools = CaptionTools(captioner=BuiltinCaptioner, scorer=None, concurrent_images=2)
    run_recap(recipe, make_recap_plan(recipe, str(sample_world), str(tmp_path)), tools)
    lines = section(output_of(tmp_path), "How regions were captioned")
    assert lines.strip().splitlines()[:2] == [
        f"- by `{BUILTIN_MODEL}`, our own, which says only what it measures",
        "- no caption was scored, and none left out for how well it fits its crop",
    ]


@pytest.mark.parametrize(
    ("captioning", "given"),
    [
        ({}, "the caption of the whole image and the name of the annotated class"),
        ({"class_name": False}, "the caption of the whole image"),
        ({"class_name": False, "global_caption": False}, "nothing"),
    ],
)
def test_captions_of_a_model_that_were_filtered(sample_world, captioning, given):
    recipe = RecapRecipe(
        **RECAP,
        captioning=Captioning(model="Owner/Model-7B", temperature=0.2, top_p=1, **captioning),
        filter=Filter(threshold=0.215, threshold_min=0.1, scorer="ViT-L-14 openai, QuickGELU"),
    )
    lines = captioning_section(planned(recipe, sample_world)[1]).splitlines()
    assert lines[2:] == [
        "- by the model `Owner/Model-7B`, at temperature 0.2 and top-p 1, in 512 tokens at most",
        f"- beside the crop of a region it was given {given}",
        "- answers are left out that are no captions: below 15 words, about the picture or the "
        "request, a list, a denial, in another language, and so on; `_rejected/` has each with "
        "its reason",
        "- captions are here whose CLIP similarity with their crop, a mean over sentences weighted "
        "by their words (`regions.captions.clip`), is 0.215 or more, and of each sentence 0.1 or "
        "more (`regions.captions.clip_min`), by `ViT-L-14 openai, QuickGELU, view box`; the others "
        "are in `_rejected/`",
        "",
        "| shorter side of the region, pixels | regions | captioned | kept | share kept |",
        "|---|---:|---:|---:|---:|",
        "| from 16 | 3 | 3 | 2 | 66.7 % |",
        "| from 128 | 1 | 1 | 1 | 100.0 % |",
    ]


def test_other_builds_say_nothing_of_captioning(llava):
    assert "How regions were captioned" not in card(llava)


def test_every_source_has_a_paper_to_cite():
    for spec in CATALOG.values():
        assert spec.papers
        assert all(re.search(r"\. [^.]*(19|20)\d\d\.$", paper) for paper in spec.papers)


def test_the_papers_of_a_build_are_each_cited_once(llava):
    cited = section(llava, "Citing")
    for title in ("Visual Instruction Tuning. NeurIPS 2023", "Microsoft COCO", "RegionGPT: "):
        assert cited.count(title) == 1


def names_of(kind, above: str = "") -> list[str]:
    names = []
    for field in kind:
        name = f"{above}{field.name}"
        inner = getattr(field.type, "value_type", field.type)
        names += [name, *(names_of(inner, f"{name}.") if hasattr(inner, "fields") else [])]
    return names


def test_every_field_is_described(llava):
    names = names_of(SCHEMA)
    assert "evaluation.label" in names
    assert [field.name for field in fields()] == names == list(DESCRIPTIONS)
    table = section(llava, "Fields")
    for field in fields():
        assert f"| `{field.name}` | {field.type} | {field.holds} |" in table
    types = {field.name: field.type for field in fields()}
    assert types["regions"] == "list of struct"
    assert types["regions.bbox"] == "4 x float32"
    assert types["evaluation.references"] == "list of string"
