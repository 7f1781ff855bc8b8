"""Reports: what is chosen, what the pages hold, and what becomes of the folder."""

import re
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

from PIL import Image

from pipelines.cli.parser import run
from pipelines.output.reader import read_manifest, read_rejections
from pipelines.output.records import read_records
from pipelines.report.choose import (
    choose_refs,
    choose_rejections,
    chosen_records,
    image_rank,
    rejected_captions,
)
from schemas.ids import image_of
from schemas.rejection import Kind, Reason, RejectedCaption, Rejection


class Elements(HTMLParser):
    """The elements of a page: names with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))

    def cards(self) -> list[dict[str, str | None]]:
        return [each for _, each in self.all if each.get("class") == "card"]

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [each for tag, each in self.all if tag == name]


def page(folder, name: str) -> Elements:
    return Elements((folder / name).read_text(encoding="utf-8"))


def kept_captions(output) -> list[tuple[str, str, float]]:
    rows = [row for batch in read_records(str(output)) for row in batch.to_pylist()]
    return [
        (row["id"], region["region_id"], region["captions"][0]["clip"])
        for row in rows
        for region in row["regions"]
    ]


def test_all_captions_are_there_once_in_the_order_of_their_scores(recapd, recapd_report):
    cards = page(recapd_report, "captions-0001.html").cards()
    kept = {
        (card["data-id"], card["data-region"]) for card in cards if card["data-outcome"] == "kept"
    }
    assert kept == {(record, region) for record, region, _ in kept_captions(recapd)}
    unlike = [card for card in cards if card["data-outcome"] == Reason.CAPTION_UNLIKE_CROP]
    listed = [
        item
        for item in read_rejections(str(recapd), "recapd")
        if item.reason == Reason.CAPTION_UNLIKE_CROP
    ]
    assert len(unlike) == len(listed) > 20
    assert {card["data-region"] for card in unlike} == {item.id for item in listed}
    scores = [float(str(card["data-clip"])) for card in cards]
    assert scores == sorted(scores)
    assert len({(card["data-id"], card["data-region"]) for card in cards}) == len(cards)


def test_rejected_captions_have_crops_from_other_rows_or_from_the_data_root(
    recapd, recapd_report, tmp_path
):
    with_root = page(recapd_report, "captions-0001.html")
    assert len(with_root.named("img")) == len(with_root.cards())
    assert run(["report", str(recapd), "--to", str(tmp_path / "report")]) == 0
    without = page(tmp_path / "report", "captions-0001.html")
    rows = {image_of(record) for record, *_ in kept_captions(recapd)}
    cards = without.cards()
    shown = [card for card in cards if image_of(f"{card['data-id']}/-/-") in rows]
    shown += [card for card in cards if card["data-outcome"] == "kept"]
    assert 0 < len(without.named("img")) == len(shown) < len(cards)
    text = (tmp_path / "report" / "captions-0001.html").read_text(encoding="utf-8")
    assert "give --data-root to see it" in text


def test_crops_are_what_the_boxes_cut_out_and_never_enlarged(recapd, recapd_report, sample_world):
    elements = page(recapd_report, "captions-0001.html")
    pictures = elements.named("img")
    items = {item.id: item.caption for item in read_rejections(str(recapd), "recapd")}
    compared = 0
    for card, shown in zip(elements.cards(), pictures, strict=True):
        image = Image.open(BytesIO(b64decode(str(shown["src"]).partition(",")[2])))
        assert (str(image.width), str(image.height)) == (shown["width"], shown["height"])
        caption = items.get(str(card["data-region"])) if card["data-outcome"] != "kept" else None
        if caption is None:
            continue
        x0, y0, x1, y1 = caption.box
        if min(x1 - x0, y1 - y0) < 64 or max(x1 - x0, y1 - y0) > 222:
            continue
        with Image.open(sample_world / caption.file) as owners:
            expected = owners.convert("RGB").crop((int(x0), int(y0), int(x1), int(y1)))
        assert abs(image.width - expected.width) <= 2
        means = [
            each.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for each in (image, expected)
        ]
        assert max(abs(a - b) for a, b in zip(*means, strict=True)) < 12
        compared += 1
    assert compared > 3


def test_a_report_needs_nothing_but_its_pages(recapd_report):
    names = {path.name for path in recapd_report.iterdir()}
    assert names == {"index.html", "judge.html", "captions-0001.html", "records-0001.html"}
    for name in names:
        elements = page(recapd_report, name)
        for _, attributes in elements.all:
            for key in ("src", "href"):
                target = (attributes.get(key) or "").partition("#")[0]
                assert not target or target in names or target.startswith("data:"), target
        assert not elements.named("link")
        (policy,) = (
            each["content"]
            for each in elements.named("meta")
            if each.get("http-equiv") == "Content-Security-Policy"
        )
        assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_foreign_text_is_text(mixed, tmp_path, monkeypatch):
    hostile = '</script><img src=x onerror=alert(1)> "quoted" \u202eright'
    output = tmp_path / "output"
    shutil.copytree(mixed, output)

    def changed(refs):
        for row in chosen_records(refs):
            row["messages"][0]["content"] += hostile
            row["licence"] = hostile
            for region in row["regions"]:
                region["category"] = hostile
            yield row

    monkeypatch.setattr("pipelines.report.report.chosen_records", changed)
    assert run(["report", str(output), "--to", str(tmp_path / "report")]) == 0
    for path in (tmp_path / "report").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "<img src=x" not in text
        assert "\u202e" not in text
        handlers = {key for _, each in Elements(text).all for key in each if key.startswith("on")}
        assert handlers == set()
    assert "\\u202eright" in text


def test_fewer_records_are_chosen_by_image_and_the_same_each_time(mixed, tmp_path):
    def shown(name: str) -> list[str | None]:
        folder = tmp_path / name
        assert run(["report", str(mixed), "--to", str(folder), "-n", "10"]) == 0
        return [card["data-id"] for card in page(folder, "captions-0001.html").cards()]

    rows = [name for batch in read_records(str(mixed)) for name in batch.column("id").to_pylist()]
    expected = sorted(rows, key=lambda name: (image_rank(image_of(name)), name))[:10]
    assert sorted(map(str, shown("one"))) == sorted(expected)
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    shown("two")
    assert {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()} == files


def test_rejected_captions_are_chosen_as_records_are():
    def rejected(image: str) -> tuple[Rejection, RejectedCaption]:
        caption = RejectedCaption(image, "a.jpg", (0, 0, 1, 1))
        reason = Reason.CAPTION_SHORT
        item = Rejection("recapd", "train", "caption", Kind.ANNOTATION, "1", reason, "", caption)
        return item, caption

    names = [f"recapd/train/{number}/region_detailed_caption/0" for number in range(50)]
    refs = choose_refs([("path", 0, row, name) for row, name in enumerate(names)], 20)
    rejections = [rejected(str(number)) for number in range(100)]
    chosen = choose_rejections(rejections, refs, everything=False)
    most = max(image_rank(image_of(name)) for name in [ref.id for ref in refs])
    wanted = {
        f"recapd/train/{number}"
        for number in range(100)
        if image_rank(f"recapd/train/{number}") <= most
    }
    assert chosen.rejections.keys() == wanted
    assert {image_of(ref.id) for ref in refs} <= wanted
    assert len(choose_rejections(rejections, refs, everything=True).rejections) == 100


def test_an_earlier_report_is_replaced_and_other_files_are_not_touched(mixed, tmp_path, capsys):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "captions-0099.html").write_text("an earlier page")
    assert run(["report", str(mixed), "--to", str(folder), "-n", "2"]) == 0
    assert not (folder / "captions-0099.html").exists()
    (folder / "notes.html").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    assert run(["report", str(mixed), "--to", str(folder)]) == 2
    assert "holds other files, such as notes.html" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_shared_pictures_of_a_build_by_reference(sample_world, tmp_path):
    output = tmp_path / "output"
    words = ["--sources", "coco", "--label-set", "Shapes-15", "--images", "reference"]
    where = ["--data-root", str(sample_world), "--limit", "4", "--output", str(output)]
    assert run(["build", *words, *where]) == 0
    for name, flags, pictures in (("without", [], False), ("with", where[:2], True)):
        assert run(["report", str(output), "--to", str(tmp_path / name), *flags]) == 0
        assert bool(page(tmp_path / name, "records-0001.html").named("img")) is pictures
    text = (tmp_path / "without" / "records-0001.html").read_text(encoding="utf-8")
    assert "is not in the shard" in text


def test_rejections_record_where_to_look(recapd, sample_world):
    captions = [
        caption
        for _, caption in rejected_captions(str(recapd), read_manifest(str(recapd)).rejected)
    ]
    assert len(captions) > 20
    for caption in captions:
        with Image.open(sample_world / caption.file) as picture:
            x0, y0, x1, y1 = caption.box
            assert 0 <= x0 < x1 <= picture.width
            assert 0 <= y0 < y1 <= picture.height
        assert caption.category
        assert re.search(r"\w+ \w+", caption.text)
        assert caption.clip is not None
        assert caption.clip < 0.5118
