"""The three files: complete, harmless whatever the texts are, and the same every time."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from schemas.errors import InputFileError
from train.evaluation.figure import Figure
from train.evaluation.report import Case, Line, Mark, Report, published, write_report

EVIL = '<script>alert(1)</script> | **b** `c` [x](http://e.vil) "q" \u202e\x1b[31m & \ud800'


def report(**facts) -> Report:
    line = Line(
        method="this run",
        figures=[
            Figure(name="accuracy", value=81.2345, count=36335, note="unit | scores"),
            Figure(name="mAP", value=70.5, count=36335, note=EVIL),
        ],
    )
    usual = {"title": "eval_coco", "facts": {"checkpoint": "runs/a"}, "ours": [line]}
    return Report(**(usual | {"published": published("coco")} | facts))


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (1000, 500), "navy").save(out, "PNG")
    return out.getvalue()


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and the text inside."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_json_holds_all_figures(tmp_path) -> None:
    write_report(tmp_path / "new", report())
    content = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert content["facts"] == {"checkpoint": "runs/a"}
    assert content["figures"][0] == {
        "method": "this run", "judge": "", "name": "accuracy", "value": 81.2345, "count": 36335,
        "group": "", "note": "unit | scores",
    }  # fmt: skip
    assert content["published"][0] == {
        "method": "RegionGPT", "judge": "", "source": "RegionGPT, Table 3",
        "what differs": "the paper's text says 80.86 for this accuracy",
        "name": "mAP", "value": 70.0, "count": 0, "group": "", "note": "",
    }  # fmt: skip


def test_markdown_has_ours_above_theirs_and_no_markup_of_others(tmp_path) -> None:
    write_report(tmp_path, report(notes=["note: *care*"]))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    compared = [row for row in rows if row.startswith(("| this run | 70.50 |", "| RegionGPT |"))]
    assert compared[0].startswith("| this run | 70.50 | 81.23 | – |")
    assert compared[1].startswith("| RegionGPT | 70.0 | 80.61 | – | – | – | RegionGPT, Table 3 |")
    assert "| this run |  | accuracy | 81.23 | 36,335 | unit \\| scores |" in rows
    widths = {
        len(re.findall(r"(?<!\\)\|", row)) for row in rows if row.startswith("| this run |  ")
    }
    assert widths == {7}
    assert "<script" not in text
    assert "\x1b" not in text
    assert "- note: \\*care\\*" in text


def test_the_page_fetches_nothing_and_runs_only_its_own_script(tmp_path, answer) -> None:
    evil = answer(text=EVIL, references=(EVIL,), group=EVIL)
    case = Case(answer=evil, mark=Mark(False), part=EVIL, question=f"{EVIL} <region1>")
    bad = report(title=EVIL, facts={EVIL: EVIL}, notes=[EVIL])
    write_report(tmp_path, bad, [case], lambda _: picture())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.all("script")) == 1
    assert page.all("link") == page.all("a") == page.all("iframe") == []
    addresses = [attributes.get("src") or attributes.get("href") for _, attributes in page.elements]
    assert all(each.startswith("data:image/jpeg;base64,") for each in addresses if each)
    policy = page.all("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "\\u202e\\x1b[31m" in page.text
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_the_policy_allows_the_script_that_is_there(tmp_path) -> None:
    import hashlib

    write_report(tmp_path, report())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in text


def test_the_picture_is_small_and_its_regions_are_drawn(tmp_path, answer) -> None:
    case = Case(answer=answer(), mark=Mark(True), part="", question="What is <region1>?")
    write_report(tmp_path, report(), [case], lambda _: picture())
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    (image,) = page.all("img")
    data = base64.b64decode((image["src"] or "").partition("base64,")[2])
    with Image.open(BytesIO(data)) as shown:
        assert shown.size == (480, 240)
    assert page.all("svg")[0]["viewbox"] == "0 0 1000 500"  # boxes are in the picture's pixels
    (box,) = page.all("rect")
    assert [box[name] for name in ("x", "y", "width", "height")] == ["4", "6", "16", "24"]
    assert box["class"] == "asked"
    assert page.all("mark")[0]["style"] == f"background:{box['stroke']}"


def test_a_case_shows_question_expected_answer_and_score(tmp_path, answer) -> None:
    choices = ("left", "right")
    likely = answer("r/1", choices=choices, label=1, text="left", choice_loglik=(-0.5, -1.25))
    missing = answer("r/2", references=("dog", "hound"), text=None)
    cases = [
        Case(answer=likely, mark=Mark(False), part="a", question="Where?"),
        Case(answer=missing, mark=Mark(None, 1.5), part="b", question="What?"),
        Case(answer=answer("r/3", score=0.75), mark=Mark(True), part="b", question="What?"),
    ]
    write_report(tmp_path, report(), cases)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [each.get("class") for each in page.all("li")] == ["", "truth"]
    for words in ("Where?", "left (-0.50)", "right (-1.25)", "dog\nhound", "no answer"):
        assert words in page.text
    assert "1.50 of 10" in page.text
    assert "0.750" in page.text
    options = [each["value"] for each in page.all("option")]
    assert options == ["", "a", "b", "", "wrong", "right"]
    assert [each["data-verdict"] for each in page.all("article")] == ["wrong", "", "right"]


@pytest.mark.parametrize("content", [b"no picture", InputFileError("gone: <b>")])
def test_a_picture_that_cannot_be_shown_is_named(content, tmp_path, answer) -> None:
    def picture_of(_):
        if isinstance(content, Exception):
            raise content
        return content

    case = Case(answer=answer(), mark=Mark(True), part="", question="?")
    write_report(tmp_path, report(), [case], picture_of)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "The picture cannot be shown: " in page.text
    assert page.all("img") == page.all("rect") == []


def test_equal_reports_are_equal_bytes_and_nothing_else_is_left(tmp_path, answer) -> None:
    case = Case(answer=answer(), mark=Mark(True), part="", question="?")
    for name in ("a", "b"):
        write_report(tmp_path / name, report(), [case], lambda _: picture())
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["report.html", "report.json", "report.md"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_figure_that_is_no_number_writes_nothing(tmp_path) -> None:
    line = Line(method="this run", figures=[Figure(name="mAP", value=float("nan"), count=1)])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_report(tmp_path, report(ours=[line]))
    assert list(tmp_path.iterdir()) == []
