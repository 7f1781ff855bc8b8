"""The figures of a report: counts in columns, charts, and the ledger as a flow."""

from collections import Counter

import pytest

from pipelines.output.records import read_records
from pipelines.report.charts import _columns, _numbers, _quantiles, charts
from pipelines.report.flow import flows
from pipelines.report.statistics import Statistics, counted_ids
from schemas.ids import image_of
from schemas.ledger import Account, Ledger, Stage
from schemas.rejection import Kind, Reason


def counted(output) -> Statistics:
    statistics = Statistics()
    paths = sorted(str(path) for path in output.glob("*/*.arrow"))
    ids = [name for *_, name in counted_ids(paths, statistics)]
    assert len(ids) == len(set(ids)) == statistics.records.total()
    return statistics


def records(output) -> list[dict]:
    return [row for batch in read_records(str(output)) for row in batch.to_pylist()]


def test_counts_are_those_of_the_records_one_by_one(mixed):
    statistics, rows = counted(mixed), records(mixed)
    answers = [
        (task, len(message["content"].split()))
        for row in rows
        for task, message in zip(
            row["turn_tasks"],
            [each for each in row["messages"] if each["role"] == "assistant"],
            strict=True,
        )
    ]
    assert statistics.turns == Counter(task for task, _ in answers)
    for task, words in statistics.words.items():
        assert words == Counter(number for of, number in answers if of == task)
    regions = [region for row in rows for region in row["regions"]]
    assert statistics.categories == Counter(each["category"] for each in regions)
    images: dict[str, set] = {}
    for row in rows:
        images.setdefault(image_of(row["id"]), set()).update(
            each["region_id"] for each in row["regions"]
        )
    assert statistics.regions_per_image == Counter(map(len, images.values()))
    assert statistics.box_sides.total() == len(regions)
    assert not statistics.kept_clip


def test_scores_are_counted_as_kept_and_the_threshold_is_marked(recapd):
    statistics = counted(recapd)
    clips = [
        caption["clip"]
        for row in records(recapd)
        for region in row["regions"]
        for caption in region["captions"]
    ]
    assert statistics.kept_clip.total() == len(clips)
    assert min(statistics.kept_clip) / 100 <= min(clips) < min(statistics.kept_clip) / 100 + 0.01
    (clip, *_) = charts(statistics, {}, 0.5118)
    assert clip.marker is not None
    shares = [bool(sum(column.heights)) for column in clip.columns]
    first = shares.index(True)
    assert clip.marker / 100 * len(shares) == pytest.approx(first + 0.18, abs=0.001)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([5], (5, 5, 5)), (list(range(1, 11)), (1, 5, 9)), ([1] * 99 + [500], (1, 1, 1))],
)
def test_quantiles_of_counted_numbers(numbers, expected):
    assert _quantiles(Counter(numbers)) == expected


def test_many_numbers_share_the_last_column():
    chart = _numbers("Regions", Counter({1: 5, 3: 10, 39: 1, 40: 2, 77: 2}))
    assert len(chart.columns) == 40
    assert chart.columns[0].heights == (50,)
    assert chart.columns[1].heights == (0,)
    assert chart.columns[-1].title == "40+: 4"
    assert _numbers("Regions", Counter({3: 1})).columns[0].title == "3: 1"


def test_the_parts_of_a_column_add_up():
    columns = _columns([("a", (3, 1)), ("b", (0, 2))])
    assert [column.heights for column in columns] == [(75, 25), (0, 50)]
    assert columns[0].title == "a: 3 + 1"


def test_the_ledger_flows_over_all_splits_of_a_source():
    def account(read: int, kept: int) -> Account:
        rejected = {Reason.CROWD: read - kept}
        return Account(read=read, kept=kept, rejected=rejected)

    stages = {Stage.SCREEN: {Kind.ANNOTATION: account(10, 8)}, Stage.WRITE: {}}
    val = {Stage.SCREEN: {Kind.ANNOTATION: account(30, 27)}}
    last = {Stage.WRITE: {Kind.ANNOTATION: Account(read=35, kept=20, sampled_out=9, with_image=6)}}
    (flow,) = flows(Ledger(sources={"coco": {"train": stages, "val": {**val, **last}}}))
    screen, write = flow.steps
    assert (flow.source, flow.kind) == ("coco", "annotation")
    assert (screen.read, screen.kept, screen.before, screen.after) == (40, 35, 100, 87.5)
    assert [(loss.reason, loss.number) for loss in screen.losses] == [("crowd", 5)]
    assert [(loss.number, loss.way) for loss in write.losses] == [(9, "sampled"), (6, "image")]
    assert (write.before, write.after) == (87.5, 50)


def test_rare_reasons_are_summed_up():
    reasons = dict.fromkeys(list(Reason)[:9], 2)
    account = Account(read=18, rejected=reasons)
    (flow,) = flows(Ledger(sources={"coco": {"train": {Stage.READ: {Kind.IMAGE: account}}}}))
    losses = flow.steps[0].losses
    assert len(losses) == 7
    assert (losses[-1].reason, losses[-1].number) == ("3 other reasons", 6)


def test_what_a_split_does_not_pass_through_is_passed_by():
    def step(number: int) -> dict[Kind, Account]:
        return {Kind.IMAGE: Account(read=number, kept=number)}

    train = {Stage.READ: step(32), Stage.GUARD: step(32), Stage.SCREEN: step(32)}
    val = {Stage.READ: step(6), Stage.SCREEN: step(6)}
    (flow,) = flows(Ledger(sources={"coco": {"train": train, "val": val}}))
    assert [(each.stage, each.read) for each in flow.steps] == [
        (Stage.READ, 38), (Stage.GUARD, 38), (Stage.SCREEN, 38)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([str(number) for number in range(40)], 20),
        ([f"{2**e}–{2 ** (e + 1)}" for e in range(1, 11)], 5),
        (["a", "b"], 2),
    ],
)
def test_labels_of_columns_leave_each_other_room(labels, shown):
    columns = _columns([(label, (1,)) for label in labels])
    texts = [column.label for column in columns if column.label]
    assert len(texts) == shown
    assert columns[-1].label == labels[-1]
    assert [column.title for column in columns] == [f"{label}: 1" for label in labels]
