"""What a recipe or a flag says of a source is heeded, or refused in one line."""

import pytest
import yaml

from pipelines.cli import build_recipe
from pipelines.cli.parser import make_parser
from pipelines.recipes import recipe_names
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import check_sources, resolve
from schemas.errors import UsageError

NO_OWN_FILE = "expected none: it takes no file of your own; `paths` says where its owner's lie"
BESIDE_OWN_FILE = "expected only beside `annotations`; `paths` says where its owner's files lie"
OWN = {"name": "coco", "annotations": "/a.json", "images": "/b", "label_set": "Mine"}


def refusal(source) -> str:
    with pytest.raises(UsageError) as refused:
        resolve(make_recipe({"name": "mine", "sources": [{"name": "pope"}, source]}, "mine.yaml"))
    return str(refused.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"name": "refcocog", "annotations": "/nowhere"}, f"annotations '/nowhere': {NO_OWN_FILE}"),
        ({"name": "lvis", "images": "/x"}, f"images '/x': {NO_OWN_FILE}"),
        ({"name": "refcocog", "split": "train"}, f"split 'train': {NO_OWN_FILE}"),
        ({"name": "coco", "images": "/x"}, f"images '/x': {BESIDE_OWN_FILE}"),
        ({"name": "coco", "split": "mine"}, f"split 'mine': {BESIDE_OWN_FILE}"),
        ({"name": "coco", "year": 1999}, "year 1999: expected one of 2014, 2017"),
        ({"name": "vcr", "year": 2017}, "year 2017: expected none: there is one only"),
        ({**OWN, "year": 2017}, "year 2017: expected none beside `annotations`"),
        (
            {"name": "llava", "edition": "1m"},
            "edition '1m': expected one of instruct_150k, mix665k",
        ),
        ({"name": "flickr30k", "edition": "zz"}, "edition 'zz': expected none: there is one only"),
        (
            {"name": "refcoco", "label_set": "X"},
            "label_set 'X': expected none: no prompt names its categories",
        ),
        (
            {"name": "refcoco", "suffix_share": 0.5},
            "suffix_share 0.5: expected none: no prompt names its categories",
        ),
        (
            {"name": "llava", "detection_names": "coco"},
            "detection_names 'coco': expected none without a path of `detections`",
        ),
        (
            {
                "name": "llava",
                "detection_names": "coco",
                "paths": {"detections": "/d", "detection_names": "/n"},
            },
            "detection_names 'coco': expected none beside a path of `detection_names`",
        ),
    ],
)
def test_what_a_source_does_not_take_is_refused(source, expected):
    assert refusal(source) == f"recipe 'mine': source {source['name']!r}: {expected}"


@pytest.mark.parametrize(
    "source",
    [
        {**OWN, "split": "dev"},
        {"name": "coco", "year": 2014, "label_set": "Mine"},
        {"name": "v3det", "label_set": "Mine"},
        {"name": "v3det", "suffix_share": 0},
        {"name": "llava", "edition": "mix665k"},
        {"name": "llava", "detection_names": "lvis", "paths": {"detections": "/d"}},
        {"name": "llava", "paths": {"detections": "/d", "detection_names": "/n"}},
        {"name": "vcr", "year": None, "edition": None, "annotations": None, "split": None},
    ],
)
def test_what_a_source_takes(source):
    check_sources(make_recipe({"sources": [source]}, "mine.yaml"))


def test_what_was_not_said_of_a_file_of_ones_own_is_spelled_out():
    (own,) = resolve(make_recipe({"sources": [OWN]}, "mine.yaml")).identity()["sources"]
    assert (own["split"], own["year"]) == ("train", None)


@pytest.fixture
def recipe_of(tmp_path):
    """What flags come to, with a recipe of the user's or ours, if one is named."""

    def make(*flags: str, stated=None) -> Recipe:
        if stated is not None:
            (tmp_path / "mine.yaml").write_text(yaml.safe_dump(stated), encoding="utf-8")
            flags = ("--recipe", str(tmp_path / "mine.yaml"), *flags)
        args, _ = make_parser().parse_known_args(["build", "--output", "unused", *flags])
        return build_recipe.recipe_of(args)

    return make


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sources", "vcr", "--coco-year", "2014"], "--coco-year goes with the source coco"),
        (["--sources", "vcr", "--coco-split", "x"], "--coco-split goes with the source coco"),
        (
            ["--sources", "coco", "--coco-split", "x"],
            f"--coco-split x: source 'coco': {BESIDE_OWN_FILE}",
        ),
        (
            ["--sources", "vcr", "--label-set", "X"],
            "--label-set X: source 'vcr': expected none: no pr",
        ),
    ],
)
def test_a_flag_that_would_go_unnoticed_is_refused(recipe_of, flags, message):
    with pytest.raises(UsageError, match=message):
        resolve(recipe_of(*flags))


def test_a_cap_of_one_source_stands_wherever_it_is_given(recipe_of):
    for first, then in (("coco=1", "2"), ("2", "coco=1")):
        flags = ("--per-category", first, "--per-category", then, "--per-image", "all")
        caps = resolve(recipe_of("--sources", "coco,lvis", *flags)).caps
        assert (caps.per_category, caps.per_image) == ({"coco": 1, "lvis": 2}, {})


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "eval_rec"])
def test_our_recipes_hold_nothing_that_goes_unnoticed(name):
    resolve(make_recipe(load_recipe(name) | {"no_recapd": True}, name))


def test_a_file_of_ones_own_takes_the_place_of_a_recipes_year_and_splits(recipe_of):
    own = ("--coco-annotations", "/a.json", "--coco-images", "/b", "--label-set", "coco=Mine")
    source = recipe_of("--recipe", "gpt4roi_stage1", *own).sources[0]
    assert (source.annotations, source.year, source.splits) == ("/a.json", None, None)
    with pytest.raises(UsageError, match="year 2014: expected none beside `annotations`"):
        resolve(recipe_of("--recipe", "gpt4roi_stage1", *own, "--coco-year", "2014"))


def test_the_names_of_detections_by_flag_take_the_place_of_a_recipes(recipe_of):
    paths = {"detections": "/d", "detection_names": "/n"}
    flags = ("--detections", "llava=/e", "--detection-names")
    stated = {"sources": [{"name": "llava", "paths": paths}]}
    (source,) = recipe_of(*flags, "lvis", stated=stated).sources
    assert (source.detection_names, source.paths) == ("lvis", {"detections": "/e"})
    stated = {"sources": [{"name": "llava", "detection_names": "coco"}]}
    (source,) = recipe_of(*flags, "/m", stated=stated).sources
    expected = {"detections": "/e", "detection_names": "/m"}
    assert (source.detection_names, source.paths) == (None, expected)
