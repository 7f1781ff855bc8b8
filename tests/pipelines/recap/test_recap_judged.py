"""Whole runs of `recap` on typical answers at known rates: what is kept, and what is rejected."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.recipes.recap import MIN_WORDS
from pipelines.verify import verify

ANSWERS = Path(__file__).parents[2] / "transforms/caption_answers.jsonl"
# Of a hundred answers, so many of each verdict.
RATES = {
    "kept": 60,
    "caption_meta": 14,
    "caption_denies": 8,
    "caption_markup": 5,
    "caption_short": 4,
    "caption_other_class": 3,
    "caption_copies_global": 2,
    "caption_refusal": 2,
    "caption_repetitive": 1,
    "caption_other_language": 1,
}
GLOBAL = "A wide scene with several things, of which each one stands at some distance from others."
OTHER = "It is plain and smooth, with clear edges and an even color, and rests on a light ground."
Judged = dict[str, Any]  # a line of the list, see `tests/transforms/test_caption_answers.py`


def drawn(rates: dict[str, int]) -> Iterator[Judged]:
    """Yield answers of the list, of each verdict as many as asked for."""
    lines = [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]
    for verdict, number in rates.items():
        of_verdict = [line for line in lines if line["verdict"] == verdict]
        assert len(of_verdict) >= number
        yield from of_verdict[:number]


def add(owner: Any, rules: list[Judged], number: int, answer: Judged) -> None:
    """Add a picture whose first region gets an answer, in both wordings of the request."""
    categories = owner.data["categories"]

    def category(name: str) -> int:
        known = {each["name"]: each["id"] for each in categories}
        if name not in known:
            categories.append({"id": len(categories) + 10, "name": name})
        return int(known.get(name, categories[-1]["id"]))

    owner.picture(number)
    names = [answer["class"], *answer.get("others", ())]
    for position, name in enumerate(names, 1):
        region_id = number * 10 + position
        owner.region(region_id, number, category_id=category(name))
        said = {"answer": answer["answer"], "finish": answer.get("finish", "stop")}
        said = said if position == 1 else {"answer": OTHER}
        rules.append({"match": f"region/{region_id}/", **said})
    rules.append({"match": f"/{number}/image/", "answer": answer.get("global", GLOBAL)})


def test_answers_at_known_rates(coco_file, serve, recap) -> None:
    owner = coco_file()
    rules: list[Judged] = []
    answers = dict(enumerate(drawn(RATES), 1))  # by the number of the picture
    for number, answer in answers.items():
        add(owner, rules, number, answer)
    captioned = recap(owner.save(), serve(*rules), min_words=MIN_WORDS)
    assert verify(str(captioned.folder)).problems == []

    kept, rejected = captioned.captions(), captioned.rejected()
    table = Counter[tuple[str, str]]()
    for number, answer in answers.items():
        region_id = f"{number}1"
        verdict = "kept" if region_id in kept else rejected[region_id]
        table[answer["verdict"], verdict] += 1
        if verdict == "kept":
            assert kept[region_id] == answer.get("caption", answer["answer"])
    for (expected, verdict), number in sorted(table.items()):
        print(f"{expected:24} {verdict:24} {number:4}")
    assert table == {(verdict, verdict): number for verdict, number in RATES.items()}
    others = sum(len(answer.get("others", ())) for answer in answers.values())
    assert (len(kept), len(rejected)) == (RATES["kept"] + others, 100 - RATES["kept"])

    card = (captioned.folder / "README.md").read_text("utf-8")
    share = 100 * len(kept) / (100 + others)
    row = f"| from 0 | {100 + others} | {len(kept)} | {len(kept)} | {share:.1f} % |"
    assert row in card, "no scorer: what passed the checks is kept"


def test_small_regions_are_left_out(coco_file, serve, recap) -> None:
    owner = coco_file().good(1)
    server = serve()
    captioned = recap(owner.save(), server, min_side=12)
    assert captioned.rejected() == {"11": "region_small"}
    assert set(captioned.captions()) == {"12"}
    assert not [line for line in server.log() if "/region/11/" in line["id"]]
    assert verify(str(captioned.folder)).problems == []


def test_the_share_that_was_cut_is_shown_once(coco_file, serve, recap, capfd) -> None:
    owner = coco_file().good(*range(1, 40))
    said = "It is plain and smooth. It rests on a light ground. Its ed"
    captioned = recap(owner.save(), serve({"match": "image/", "answer": said, "finish": "length"}))
    assert captioned.rejected() == {}
    lines = [line for line in capfd.readouterr().err.splitlines() if "of the first 100" in line]
    assert len(lines) == 1
    share = re.search(r"(\d+) % of the first 100 answers were cut", lines[0])
    assert share
    assert 30 <= int(share[1]) <= 39, "one answer of three is that of an image"
