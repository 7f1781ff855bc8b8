"""Odd values of flags and of recipe files end with one line; the order of flags decides nothing."""

from itertools import permutations

import pytest

from pipelines.cli.arguments import folder, parse_caps, parse_size
from pipelines.recipes.load import load_recipe, load_wordings, make_recipe
from schemas.errors import UsageError

BEYOND = "9" * 23  # what no 64 bits hold
MANY_DIGITS = "9" * 5_000  # more than Python takes for an int


@pytest.mark.parametrize("key", ["per_category", "per_image"])
def test_a_cap_of_one_source_overrules_one_of_all(key):
    for given in permutations(["coco=1", "2", "vcr=all"]):
        caps = parse_caps(key, given, ["coco", "vcr", "lvis"])
        assert caps == {"lvis": 2, "coco": 1, "vcr": "all"}


@pytest.mark.parametrize("number", [BEYOND, MANY_DIGITS, "1000000001", "-1", "1.5", "\u0662", ""])
@pytest.mark.parametrize("source_prefix", ["", "coco="])
def test_a_cap_out_of_bounds_is_a_line(source_prefix, number):
    with pytest.raises(UsageError, match="or SOURCE=all, N from 1 to 1,000,000,000") as refused:
        parse_caps("per_image", [source_prefix + number], ["coco"])
    assert len(str(refused.value)) < 300
    assert parse_caps("per_image", [f"{source_prefix}1000000000"], ["coco"]).popitem()[1] == 10**9


@pytest.mark.parametrize(
    "size", ["9" * 400 + "MB", MANY_DIGITS + "B", "1025GiB", "1024.5GiB", "1100GB"]
)
def test_a_size_out_of_bounds_is_a_line(size):
    with pytest.raises(UsageError, match=r"such as 500MB or 2GiB, of at most 1024GiB$") as refused:
        parse_size(size)
    assert len(str(refused.value)) < 300
    assert parse_size("1024GiB") == 2**40


@pytest.mark.parametrize(
    ("stated", "location"),
    [
        ({"per_category": int(BEYOND)}, "per_category"),
        ({"per_image": int(BEYOND)}, "per_image"),
        ({"limit": int(BEYOND)}, "limit"),
        ({"min_words": int(BEYOND)}, "min_words"),
        ({"seed": int(BEYOND)}, "seed"),
        ({"shard_bytes": 2**40 + 1}, "shard_bytes"),
        ({"sources": [{"name": "coco", "per_image": int(BEYOND)}]}, r"sources\.0\.per_image"),
        ({"sources": [{"name": "coco", "per_category": 10**9 + 1}]}, r"sources\.0\.per_category"),
    ],
)
def test_a_number_out_of_bounds_in_a_recipe_is_a_line(stated, location):
    with pytest.raises(UsageError, match=rf"^recipe mine\.yaml: {location}.*: expected "):
        make_recipe({"sources": [{"name": "coco"}]} | stated, "mine.yaml")


@pytest.mark.parametrize("load", [load_recipe, load_wordings])
@pytest.mark.parametrize(
    "content",
    [
        "seed: 2020-13-45",
        "seed: " + "[" * 3_000,
        f"per_image: {MANY_DIGITS}",
        'seed: !!int ""',
        "seed: !!timestamp x",
        "seed: !!bool x",
        "seed: 0001-01-01T00:00:00+99:99",
        "seed: *nowhere",
    ],
)
def test_a_file_that_is_no_yaml_is_a_line(tmp_path, load, content):
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.yaml is neither YAML nor JSON: .") as refused:
        load(str(path))
    assert "\n" not in str(refused.value)


def test_a_path_that_is_no_utf_8_is_a_line():
    with pytest.raises(UsageError, match=r"^'/data/\\udcff': expected a path in UTF-8$"):
        folder("/data/\udcff")
