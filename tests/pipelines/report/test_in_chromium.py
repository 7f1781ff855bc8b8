"""Reports in a browser: they open, draw and take keys without a server or a network."""

import pytest

from bench.chromium import chromium, find_chromium

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs chromium")


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def tab_of(tab):
    """Opens a page of a report in an ordinary window."""

    def show(path, fragment=""):
        tab.size(1280, 800)
        tab.open(path, fragment)
        return tab

    return show


def test_pages_open_without_a_fault_and_fetch_nothing(tab_of, recapd_report):
    for path in sorted(recapd_report.iterdir()):
        assert tab_of(path).problems() == []
