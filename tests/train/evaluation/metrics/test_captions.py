"""Caption figures: which entries are made of answers, and what cannot be scored."""

import pytest

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.metrics.captions import answer_scores, captions
from train.evaluation.metrics.cider import cider
from train.evaluation.metrics.meteor import Meteor


def answer(
    record: str, references: list[str], text: str | None, source: str = "owner", split: str = "val"
) -> Answer:
    return Answer(
        record=record, number=0, source=source, split=split, turn=0, position=0, item_id=record,
        group="image", references=tuple(references), choices=(), label=None, regions=(), text=text,
    )  # fmt: skip


ANSWERS = [
    answer("1", ["A red star.", "the star"], "a red star"),
    answer("2", ["a blue circle"], "blue, circle!"),
    answer("3", ["a dog", "the dog", "a dog"], None),
]
STAR, CIRCLE = ["a", "red", "star"], ["blue", "circle"]
DOGS = [["a", "dog"], ["the", "dog"], ["a", "dog"]]


def test_each_sentence_is_an_entry_with_one_reference() -> None:
    scored = cider(
        [STAR, STAR, CIRCLE, [], [], []],
        [[STAR], [["the", "star"]], [["a", *CIRCLE]], *([dog] for dog in DOGS)],
    )
    figure, missing = captions(ANSWERS)
    assert (figure.name, figure.count, figure.group) == ("CIDEr", 6, "owner/val")
    assert figure.note == "one reference each"
    assert figure.value == pytest.approx(100 * sum(scored) / 6)
    assert (missing.name, missing.value, missing.count) == ("missing", 1, 3)


def test_grouped_entries_have_all_references_and_another_name() -> None:
    scored = cider([STAR, CIRCLE, []], [[STAR, ["the", "star"]], [["a", *CIRCLE]], DOGS])
    figure, _ = captions(ANSWERS, grouped=True)
    assert (figure.name, figure.count) == ("CIDEr, sentences grouped by region", 3)
    assert figure.value == pytest.approx(100 * sum(scored) / 3)
    assert figure.value != pytest.approx(captions(ANSWERS)[0].value)


def test_splits_and_sources_are_sets_of_their_own() -> None:
    others = [
        answer("4", ["a red star"], "a star", split="test"),
        answer("5", ["a blue star"], "a star", source="other"),
    ]
    mixed = captions([others[0], *ANSWERS, others[1]])
    assert [figure for figure in mixed if figure.group == "owner/val"] == captions(ANSWERS)[:1]
    assert [(figure.group, figure.value) for figure in mixed if figure.group != "owner/val"] == [
        ("other/val", 0.0), ("owner/test", 0.0),  # of one entry each
        ("", 1.0),  # missing
    ]  # fmt: skip


def test_meteor_is_there_only_where_it_can_be_computed() -> None:
    seen = []

    def scorer(*entries) -> Meteor:
        seen.append(entries)
        return Meteor(0.169, [])

    figures = {figure.name: figure for figure in captions(ANSWERS, scorer=scorer)}
    assert figures["METEOR"].value == pytest.approx(16.9)
    assert figures["METEOR"].count == 6
    assert seen[0][0] == [STAR, STAR, CIRCLE, [], [], []]
    assert seen[0][1][2] == [["a", *CIRCLE]]
    assert "METEOR" not in {figure.name for figure in captions(ANSWERS)}


def test_the_score_of_an_answer_is_the_mean_over_its_sentences() -> None:
    scores = answer_scores(ANSWERS)
    weighted = 2 * scores[0] + 1 * scores[1] + 3 * scores[2]
    assert 100 * weighted / 6 == pytest.approx(captions(ANSWERS)[0].value)
    assert scores[2] == 0
    assert answer_scores(ANSWERS[::-1]) == scores[::-1]


def test_the_order_of_answers_changes_nothing() -> None:
    assert captions(ANSWERS[::-1]) == captions(ANSWERS)


def test_one_answer_scores_zero_and_all_missing_too() -> None:
    assert captions([answer("1", ["a star"], "a star")])[0].value == 0
    nothing = [answer(str(number), ["a star"], None) for number in range(3)]
    assert [figure.value for figure in captions(nothing)] == [0, 3]
    assert captions([answer("1", ["a"], ""), answer("2", ["..."], "a")])[0].value == 0


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([], "no entry to score"),
        ([ANSWERS[0], ANSWERS[0]], "'1' turn 0 position 0 is scored 2 times"),
        ([answer("1", [], "a")], "'1' has no reference"),
    ],
)
def test_what_cannot_be_scored_is_an_error(answers, message) -> None:
    with pytest.raises(InputFileError, match=message):
        captions(answers)
    with pytest.raises(InputFileError, match=message):
        answer_scores(answers)
