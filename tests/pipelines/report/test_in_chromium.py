"""Reports in a browser: they open, draw and take keys without a server or a network."""

import json
import shutil
import time

import pytest

from bench.chromium import Page, chromium, find_chromium
from pipelines.cli.parser import run

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="needs chromium")

CURRENT = "document.querySelector('.card.current')"
SHOWN = "[...document.querySelectorAll('.card:not([hidden])')]"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def tab_of(tab, tmp_path):
    """Opens a page of a copy of a report, whose marks are of no other test."""

    def show(report, name, fragment="", size=(1280, 800)):
        copy = tmp_path / report.name
        if not copy.exists():
            shutil.copytree(report, copy)
            for path in copy.glob("*.html"):  # a browser keeps marks by this name
                text = path.read_text(encoding="utf-8")
                named = text.replace('data-report="', f'data-report="{tmp_path.name} ')
                path.write_text(named, encoding="utf-8")
        tab.size(*size)
        tab.open(copy / name, fragment)
        return tab

    return show


def whole_in_view(page: Page) -> bool:
    """Whether all of the current card lies below the bar and above the window's lower edge."""
    return bool(
        page.run(
            f"(() => {{ const card = {CURRENT}.getBoundingClientRect();"
            "const bar = document.querySelector('.bar').getBoundingClientRect();"
            "return card.top >= bar.bottom && card.bottom <= innerHeight; })()"
        )
    )


def saved_marks(page: Page, folder) -> dict:
    """The file that the key for saving writes."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.press("s")
    path = folder / "marks.json"
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("size", [(1280, 800), (400, 800)])
def test_pages_open_without_a_fault_and_fetch_nothing(tab_of, recapd_report, mixed_report, size):
    for report in (recapd_report, mixed_report):
        for path in sorted(report.iterdir()):
            page = tab_of(report, path.name, size=size)
            assert page.problems() == [], path
            width = page.run("document.documentElement.scrollWidth")
            assert width <= size[0], f"{path.name} is wider than the window"


def test_a_hundred_captions_are_judged_by_a_hundred_keys_without_scrolling(
    tab_of, recapd_report, tmp_path
):
    page = tab_of(recapd_report, "judge.html")
    assert page.run(f"{SHOWN}.length") >= 100
    judged = {}
    for number in range(100):
        assert whole_in_view(page), number
        clip, name = page.run(f"[{CURRENT}.dataset.clip, {CURRENT}.dataset.region]")
        mark = "good" if float(clip) > 0.5 else "bad"
        judged[name] = (float(clip), mark)
        page.press(mark[0])
    saved = saved_marks(page, tmp_path)
    assert {each["region"]: (each["clip"], each["mark"]) for each in saved["marks"]} == judged
    assert saved["scorer"].endswith("view box")
    assert "100 of " in page.run("document.getElementById('tally').textContent")


def test_marks_are_there_when_a_page_is_opened_again_and_can_be_undone(
    tab_of, recapd_report, tmp_path
):
    page = tab_of(recapd_report, "judge.html")
    first = page.run(f"{CURRENT}.dataset.region")
    for key in "gbg":
        page.press(key)
    page.press("u")
    assert page.run("document.querySelectorAll('.card[data-mark=good]').length") == 1
    page.open(tmp_path / recapd_report.name / "judge.html")
    marks = f"{SHOWN}.slice(0, 3).map((card) => card.dataset.mark)"
    assert page.run(marks) == ["good", "bad", ""]
    assert page.run(f"{SHOWN}[0].dataset.region") == first
    assert page.run(f"{SHOWN}.indexOf({CURRENT})") == 2, "the first one without a mark"


def test_arrows_move_within_and_between_rows(tab_of, recapd_report):
    page = tab_of(recapd_report, "judge.html")
    columns = page.run(
        "getComputedStyle(document.querySelector('.cards')).gridTemplateColumns.split(' ').length"
    )
    assert columns == 3
    for key, expected in (("ArrowDown", 3), ("ArrowRight", 4), ("ArrowUp", 1), ("ArrowLeft", 0)):
        page.press(key)
        assert page.run(f"{SHOWN}.indexOf({CURRENT})") == expected


def test_a_filter_of_the_index_goes_with_its_pages(tab_of, many_report):
    page = tab_of(many_report, "index.html")
    page.run(
        "(() => { const s = document.getElementById('outcome'); s.value = 'caption_short';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    links = "[...document.querySelectorAll('#pages a:not([hidden])')]"
    listed = page.run(f"{links}.map((link) => link.getAttribute('href').split('#')[0])")
    assert listed == ["captions-0001.html", "captions-0003.html"]
    page.events.clear()
    page.run(f"void setTimeout(() => {links}[0].click())")
    page.wait("Page.loadEventFired")
    assert page.run("location.pathname").endswith("captions-0001.html")
    outcomes = f"[...new Set({SHOWN}.map((card) => card.dataset.outcome))]"
    assert page.run(outcomes) == ["caption_short"]
    page.events.clear()
    page.press("n")
    page.wait("Page.loadEventFired")
    assert page.run("location.pathname").endswith("captions-0003.html")
    assert page.run(outcomes) == ["caption_short"]
    assert page.run("document.getElementById('after').hasAttribute('href')") is False


def test_cards_are_ordered_by_score(tab_of, recapd_report):
    page = tab_of(recapd_report, "judge.html")
    for order, reverse in (("up", False), ("down", True)):
        page.run(
            f"(() => {{ const s = document.getElementById('order'); s.value = '{order}';"
            "s.dispatchEvent(new Event('change')); })()"
        )
        scores = page.run(f"{SHOWN}.map((card) => Number(card.dataset.clip))")
        assert scores == sorted(scores, reverse=reverse)


def test_records_are_turned_over_by_keys_from_page_to_page(tab_of, mixed_report):
    page = tab_of(mixed_report, "records-0001.html", "#99")
    place = "document.getElementById('place').textContent"
    for key, expected in (("ArrowRight", 100), ("ArrowRight", 101), ("ArrowLeft", 100)):
        page.events.clear()
        page.press(key)
        if (key, expected) != ("ArrowRight", 100):
            page.wait("Page.loadEventFired")  # of the next page, or of the one before
        assert page.run(place).startswith(f"{expected} of ")
    assert page.run("document.querySelectorAll('.sample:not([hidden])').length") == 1


def test_pictures_are_not_blown_up(tab_of, mixed_report, recapd_report):
    for report, name in ((mixed_report, "records-0001.html"), (recapd_report, "judge.html")):
        page = tab_of(report, name)
        factors = page.run(
            "[...document.querySelectorAll('article:not([hidden]) img')].map((image) => "
            "image.getBoundingClientRect().width / image.naturalWidth)"
        )
        assert 0 < max(factors) <= 1.001, name


def test_foreign_text_breaks_neither_lines_nor_directions(tab_of, coco_file, run_build, tmp_path):
    owner = coco_file().good(1, 2)
    owner.data["categories"][0]["name"] = "x" * 300
    owner.data["categories"][1]["name"] = "كرسي أحمر (1)"
    output = run_build(owner.save(), request={"label_set": "Things"}).folder
    assert run(["report", str(output), "--to", str(tmp_path / "odd")]) == 0
    for path in sorted((tmp_path / "odd").iterdir()):
        page = tab_of(tmp_path / "odd", path.name)
        assert page.problems() == []
        assert page.run("document.documentElement.scrollWidth") <= 1280, path.name
    directions = page.run(
        "[...document.querySelectorAll('.legend .name, .turn p')].map("
        "(each) => getComputedStyle(each).unicodeBidi)"
    )
    assert set(directions) == {"plaintext"}


def test_numbers_of_regions_stay_on_their_thumbnail(tab_of, mixed_report):
    page = tab_of(mixed_report, "captions-0001.html")
    beyond = page.run(
        "[...document.querySelectorAll('.frame .number')].map((each) => {"
        "const [tag, frame] = [each, each.parentElement].map((e) => e.getBoundingClientRect());"
        "return Math.max(tag.right - frame.right, tag.bottom - frame.bottom); })"
    )
    assert len(beyond) > 100
    assert max(beyond) < 1


def test_regions_lie_on_the_picture(tab_of, recapd_report):
    page = tab_of(recapd_report, "records-0001.html")
    inside = page.run(
        "(() => { const box = (each) => each.getBoundingClientRect();"
        "const sample = document.querySelector('.sample:not([hidden])');"
        "const image = box(sample.querySelector('img'));"
        "return [...sample.querySelectorAll('rect.box, path.outline')].map((each) => {"
        "const { left, right, top, bottom } = box(each);"
        "return left > image.left - 3 && right < image.right + 3"
        " && top > image.top - 3 && bottom < image.bottom + 3; }); })()"
    )
    assert len(inside) >= 2
    assert all(inside)


def test_pages_of_a_hundred_thousand_cards_hold_few_of_them(tab, tmp_path, many_cards):
    report = many_cards(tmp_path / "report", 100_000)
    tab.size(1280, 800)
    for name in ("captions-0003.html", "index.html"):
        assert (report / name).stat().st_size < 4_000_000
        tab.open(report / name)
        assert tab.problems() == []
        assert tab.run("document.querySelectorAll('*').length") < 20_000
    assert tab.run("document.getElementById('count').textContent").startswith("100,000 cards")
