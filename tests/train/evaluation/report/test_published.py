"""The published numbers against the papers' own text, and against themselves."""

import re

import pytest

from train.evaluation.benchmarks import BENCHMARKS
from train.evaluation.report.lines import Line
from train.evaluation.report.published import published

KEYS = ("coco", "coco_dilated", "coco_eroded", "captions", "rec", "pope", "lvis", "dlc", "gar")


def values(line: Line) -> dict[str, float]:
    return {f"{figure.group} {figure.name}".strip(): figure.value for figure in line.figures}


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+(?![\dM])", text)]


@pytest.fixture(scope="module")
def paper(samples) -> str:
    texts = [
        samples.parent / "papers" / name for name in ("regiongpt.txt", "regiongpt_supplement.txt")
    ]
    if not all(path.is_file() for path in texts):
        pytest.skip("the papers' texts are not beside the samples")
    return "\n".join(path.read_text(encoding="utf-8") for path in texts)


def table(paper: str, number: int) -> str:
    """The lines of a table: what stands before its caption, back to the last blank paragraph."""
    before = re.split(rf"^Table {number}\. ", paper, flags=re.MULTILINE)[0]
    rows: list[str] = []
    for line in reversed(before.splitlines()):
        if rows and not re.search(r"\t|\d\.\d", line):
            break
        if line.strip():
            rows.append(line)
    return "\n".join(reversed(rows))


@pytest.mark.parametrize(
    ("key", "number", "count"),
    [
        ("coco", 3, 9),
        ("coco", 6, 16),
        ("coco", 7, 16),
        ("coco", 11, 3),
        ("coco", 12, 4),
        ("coco", 15, 4),
        ("coco", 16, 2),
        ("captions", 4, 12),
        ("rec", 5, 10),
        ("pope", 8, 105),
    ],
)
def test_the_numbers_are_those_of_the_papers_table(key, number, count, paper) -> None:
    source = f"RegionGPT, Table {number}"
    ours = [
        figure.value for line in published(key) if line.source == source for figure in line.figures
    ]
    theirs = numbers(table(paper, number))
    if number == 16:
        theirs = theirs[:2]  # dilated and eroded masks are benchmarks of their own
    assert len(ours) == count
    assert sorted(ours) == sorted(theirs)


def test_figures_are_in_the_right_cells(paper) -> None:
    by_method = {line.method: values(line) for line in published("pope")}
    rows = [line.split("\t") for line in table(paper, 8).splitlines()]
    order = ["RegionGPT", "Shikra", "InstructBLIP", "MiniGPT-4", "LLaVA", "MM-GPT", "mPLUG-Owl"]
    names = {"Accuracy": "accuracy", "Precision": "precision", "Recall": "recall"}
    names |= {"F1": "F1", "Yes": "yes-ratio"}
    seen = [row for row in rows if len(row) == 9 and row[1].split()[0] in names]
    groups = ["random"] * 5 + ["popular"] * 5 + ["adversarial"] * 5
    assert len(seen) == 15
    for group, row in zip(groups, seen, strict=True):
        name = names[row[1].split()[0]]
        theirs = [float(number) for number in row[2:]]
        assert [by_method[method][f"{group} {name}"] for method in order] == theirs


def test_ablations_are_in_the_right_cells(paper) -> None:
    lines = {(line.source, line.method): values(line) for line in published("coco")}
    for number, transposed in ((6, True), (7, False)):
        rows = [numbers(row.split("\t", 1)[1]) for row in table(paper, number).splitlines()[1:]]
        rows = [list(row) for row in zip(*rows, strict=True)] if transposed else rows
        mine = [
            [line[name] for name in ("mAP", "AP small", "AP medium", "AP large")]
            for (source, _), line in lines.items()
            if source == f"RegionGPT, Table {number}"
        ]
        assert mine == rows
    inputs = [values(line) for line in (published("coco_dilated")[0], published("coco_eroded")[0])]
    assert [line["mAP"] for line in inputs] == [71.0, 68.2]


def test_f1_follows_from_precision_and_recall_except_where_a_note_says_so() -> None:
    for line in published("pope"):
        found = values(line)
        for group in ("random", "popular", "adversarial"):
            precision, recall = found[f"{group} precision"], found[f"{group} recall"]
            fits = found[f"{group} F1"] == pytest.approx(
                2 * precision * recall / (precision + recall), abs=0.02
            )
            misprint = "F1" in line.note and group == "adversarial"
            assert fits != misprint, (line.method, group)


def test_judged_lines_name_their_judge_and_their_averages_fit() -> None:
    for line in published("dlc"):
        found = values(line)
        assert line.judge.startswith(("Llama 3.1 8B", "GPT-4o"))
        assert found["Avg"] == pytest.approx((found["Pos"] + found["Neg"]) / 2, abs=0.11)
    judged = [line for line in published("gar") if line.judge]
    assert {name for line in judged for name in values(line)} == {"Simple", "Detailed"}


def test_the_answers_of_gar_bench_give_its_numbers() -> None:
    lines = {(line.method, bool(line.judge)): values(line) for line in published("gar")}
    counts = {"GAR-1B": (203, 54, 71), "GAR-8B": (245, 62, 74)}
    for method, (choices, simple, detailed) in counts.items():
        assert lines[method, False]["accuracy"] == pytest.approx(100 * choices / 424, abs=0.05)
        assert lines[method, True]["Simple"] == pytest.approx(100 * simple / 97, abs=0.05)
        assert lines[method, True]["Detailed"] == pytest.approx(100 * detailed / 107, abs=0.05)


@pytest.mark.parametrize("key", KEYS)
def test_every_line_has_a_source_and_no_line_twice(key) -> None:
    lines = published(key)
    assert all(line.source and line.figures for line in lines)
    assert len({(line.method, line.source, line.judge) for line in lines}) == len(lines) > 2


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_every_benchmark_has_its_key(benchmark) -> None:
    assert published(benchmark.published) is not None


def test_benchmarks_without_published_numbers_have_none() -> None:
    assert published("vcr") == published("v3det") == ()
    with pytest.raises(KeyError):
        published("other")
