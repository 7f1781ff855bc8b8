"""The header by which the Hub lists a card, and foreign names in the text."""

import re

import pytest
import yaml
from datasets import DatasetInfo, Features

from pipelines.card.hub import hub_features, hub_metadata
from pipelines.card.markdown import code
from schemas.shard import SCHEMA

SHAPES = {"label_set": "Shapes-15"}


def header(output):
    text = (output.folder / "README.md").read_text(encoding="utf-8")
    return yaml.safe_load(text.split("---\n")[1])


def test_the_features_are_those_that_datasets_itself_makes_of_the_schema():
    features = Features.from_arrow_schema(SCHEMA)
    assert hub_features() == features._to_yaml_list()
    assert Features._from_yaml_list(hub_features()) == features


def test_the_header_of_a_build(sample_world, run_build):
    output = run_build(sample_world, request=SHAPES)
    stated = header(output)
    assert list(stated)[:5] == [
        "license", "license_name", "language", "task_categories", "size_categories",
    ]  # fmt: skip
    assert stated["license"] == "other", "the pictures have their own"
    assert stated["size_categories"] == ["n<1K"]
    [info] = stated["dataset_info"]
    assert DatasetInfo._from_yaml_dict(info).features == Features.from_arrow_schema(SCHEMA)
    assert "&id" not in (output.folder / "README.md").read_text(encoding="utf-8"), "no YAML anchor"


def test_no_path_of_this_machine_is_in_a_card(sample_world, run_build):
    for images in ("embed", "reference"):
        output = run_build(sample_world, request=SHAPES, images=images)
        text = (output.folder / "README.md").read_text(encoding="utf-8")
        assert str(output.folder) not in text
        assert str(sample_world) not in text
        assert 'load_dataset("USER/NAME", "coco")' in text
        assert not re.search(r"(?<![\w/])/(?:tmp|home|root|work)\b", text)


@pytest.mark.parametrize(
    ("licences", "images", "expected"),
    [
        (["CC BY 4.0"], "reference", "cc-by-4.0"),
        (["MIT", "MIT"], "reference", "mit"),
        (["CC BY 4.0"], "embed", "other"),
        (["CC BY 4.0", "MIT"], "reference", "other"),
        (["not stated"], "reference", "other"),
    ],
)
def test_the_licence_is_one_of_the_hubs(licences, images, expected):
    stated = hub_metadata(licences, 7, embedded=images == "embed")
    assert stated["license"] == expected
    assert ("license_name" in stated) == (expected == "other")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (1_250_000, "1M<n<10M"), (10**12, "n>1T")],
)
def test_the_size(rows, expected):
    assert hub_metadata(["MIT"], rows, embedded=True)["size_categories"] == [expected]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.json", "`a.json`"),
        ("a`b.json", "``a`b.json``"),
        ("`a``", "``` `a`` ```"),
        ("a|b\n# title", "`a\\|b\\n# title`"),
        ("left\u202eright\x1b[31m", "`left\\u202eright\\x1b[31m`"),
    ],
)
def test_names_are_shown_and_are_no_markup(name, shown):
    assert code(name) == shown
