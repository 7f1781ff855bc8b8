"""The rules that every data set of the catalogue keeps, each shown on a small data root.

The sample world holds files of most sources. For another source NAME, its own tests bring a folder
`NAME/data_root/` beside this file, with a few records in each split and their pictures, laid out as
the owner lays them out.
"""

from pathlib import Path

import pytest

from pipelines.conformance.fixture import Fixture
from pipelines.conformance.rules import RULES
from pipelines.datasets.catalog import CATALOG
from pipelines.sample_world import SOURCES

RELEASES = [(spec, year) for spec in CATALOG.values() for year in spec.years or (None,)]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda spec: f"{spec[0].name} {spec[1]}")
def source(request):
    spec, year = request.param
    if spec.name in SOURCES:
        root = request.getfixturevalue("sample_world")
    else:
        root = Path(__file__).parent / spec.name / "data_root"
        assert root.is_dir(), f"{root}: expected a few files of {spec.name}, as its owner's lie"
    return Fixture(spec, str(root), year=year, label_set=SOURCES.get(spec.name))


@pytest.mark.parametrize("rule", RULES)
def test_a_source_keeps_the_rule(source, rule):
    assert list(RULES[rule](source)) == []
