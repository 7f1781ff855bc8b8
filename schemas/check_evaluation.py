"""The rules of a record's `evaluation`, without which answers cannot be scored."""

from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def evaluation_problems(row: Row) -> Iterator[str]:
    """Yield the problems of a record's `evaluation`; none where it has no evaluation."""
    evaluation = row["evaluation"]
    if evaluation is None:
        return
    if nulls := list(_nulls(evaluation)):
        yield from (f"evaluation: {name} is null, expected a value" for name in nulls)
        return
    yield from (
        f"evaluation: {line}" for line in _problems(evaluation, row["messages"][-1]["content"])
    )


def _nulls(evaluation: Row) -> Iterator[str]:
    for name in ("item_id", "group", "references", "choices"):
        if evaluation[name] is None or (
            name in ("references", "choices") and None in evaluation[name]
        ):
            yield name


def _problems(evaluation: Row, answer: str) -> Iterator[str]:
    references, choices, label = (
        evaluation["references"],
        evaluation["choices"],
        evaluation["label"],
    )
    for name in ("item_id", "group"):
        if not evaluation[name].strip():
            yield f"{name} is empty, expected the owner's"
    if not references:
        yield "there are no references, expected the right answers"
    elif answer not in references:
        yield (
            f"the last answer is {answer!r}, expected one of the references, such as "
            f"{references[0]!r}"
        )
    if not choices:
        if label is not None:
            yield f"label is {label} without choices, expected null"
    elif label is None or not 0 <= label < len(choices):
        yield f"label is {label}, expected 0 to {len(choices) - 1} for {len(choices)} choices"
    elif answer != choices[label]:
        yield f"the last answer is {answer!r}, expected choice {label}, {choices[label]!r}"
