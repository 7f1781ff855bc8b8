"""The rules of a record's `evaluation`, without which answers cannot be scored."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_LISTS = ("references", "choices")
_REQUIRED = ("turn", "position", "item_id", "group", *_LISTS)


def evaluation_problems(row: Row) -> Iterator[str]:
    """Yield the problems of a record's `evaluation`; none where it has no entries."""
    entries = row["evaluation"]
    answers = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
    if None in entries:
        yield "evaluation: an entry is null, expected a value"
        return
    places = Counter((entry["turn"], entry["position"]) for entry in entries)
    parts = Counter(entry["turn"] for entry in entries)
    for entry in entries:
        whole = parts[entry["turn"]] == 1
        yield from (f"evaluation: {line}" for line in _problems(entry, answers, whole=whole))
    for (turn, position), count in places.items():
        if count > 1:
            yield (
                f"evaluation: {count} entries are of turn {turn}, position {position}, expected "
                "each once"
            )


def _problems(entry: Row, answers: Sequence[str], *, whole: bool) -> Iterator[str]:
    """Yield the problems of an entry; `whole` is False where it is of a part of an answer."""
    if nulls := list(_nulls(entry)):
        yield from (f"{name} is null, expected a value" for name in nulls)
        return
    for name in ("item_id", "group"):
        if not entry[name].strip():
            yield f"{name} is empty, expected the owner's"
    if entry["position"] < 0:
        yield f"position is {entry['position']}, expected 0 or more"
    turn = entry["turn"]
    if not 0 <= turn < len(answers):
        yield f"turn is {turn}, expected 0 to {len(answers) - 1}, an assistant turn"
        return
    yield from _wrong_references(entry, answers[turn], whole=whole)
    yield from _wrong_choice(entry, answers[turn], whole=whole)


def _wrong_references(entry: Row, answer: str, *, whole: bool) -> Iterator[str]:
    references = entry["references"]
    if not references:
        yield "there are no references, expected the right answers"
    elif not _is_answer(references, answer, whole=whole):
        yield (
            f"the answer of turn {entry['turn']} is {answer!r}, expected one of the references, "
            f"such as {references[0]!r}"
        )


def _wrong_choice(entry: Row, answer: str, *, whole: bool) -> Iterator[str]:
    choices, label = entry["choices"], entry["label"]
    if not choices:
        if label is not None:
            yield f"label is {label} without choices, expected null"
    elif label is None or not 0 <= label < len(choices):
        yield f"label is {label}, expected 0 to {len(choices) - 1} for {len(choices)} choices"
    elif not _is_answer([choices[label]], answer, whole=whole):
        yield (
            f"the answer of turn {entry['turn']} is {answer!r}, expected choice {label}, "
            f"{choices[label]!r}"
        )


def _nulls(entry: Row) -> Iterator[str]:
    for name in _REQUIRED:
        if entry[name] is None or (name in _LISTS and None in entry[name]):
            yield name


def _is_answer(right: Sequence[str], answer: str, *, whole: bool) -> bool:
    """Return whether an answer is one of the right texts or, in parts, holds one of them."""
    return answer in right if whole else any(text in answer for text in right)
