"""The count of what a format does not hold: nothing is lost in silence."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.sample import region_token

Record = dict[str, Any]  # a row of a shard, as Python objects

MASKS = "masks of regions"
AREAS = "areas that owners state"
CATEGORIES = "categories of regions"
SCORES = "scores of detectors"
CAPTIONS = "detailed captions beside the messages"
ATTRIBUTES = "attributes of regions"
UNNAMED = "regions that no message names"
MESSAGES = "messages"
EVALUATION = "right answers of evaluations"
PROVENANCE = "records' provenance"
# What only some formats lose, and count themselves.
SYSTEM = "system messages"
ALIKE = "regions whose boxes read like another's after rounding"
THIN = "regions whose boxes have no area after rounding"
UNCLASSIFIED = "regions without a category"
UNUSABLE = "records whose picture does not fit them or cannot be used"
DISARMED = "words in angle brackets that a trainer would obey, which are in round ones now"


def _regions(test: Callable[[Record], Any]) -> Callable[[Record], int]:
    return lambda record: sum(1 for region in record["regions"] if test(region))


def _unnamed(record: Record) -> int:
    text = "".join(message["content"] for message in record["messages"])
    numbers = range(1, len(record["regions"]) + 1)
    return sum(1 for number in numbers if region_token(number) not in text)


_COUNTS: Mapping[str, Callable[[Record], int]] = {
    MASKS: _regions(lambda region: region["mask"] is not None),
    AREAS: _regions(lambda region: region["area"] is not None),
    CATEGORIES: _regions(lambda region: region["category"] is not None),
    SCORES: _regions(lambda region: region["score"] is not None),
    CAPTIONS: lambda record: sum(len(region["captions"]) for region in record["regions"]),
    ATTRIBUTES: lambda record: sum(len(region["attributes"]) for region in record["regions"]),
    UNNAMED: _unnamed,
    MESSAGES: lambda record: len(record["messages"]),
    EVALUATION: lambda record: len(record["evaluation"]),
    PROVENANCE: lambda record: 1,
}


class Losses:
    """The counts of what an export loses, by its name."""

    def __init__(self, loses: frozenset[str]) -> None:
        """Count the things of records that a format loses."""
        self._counts = {name: count for name, count in _COUNTS.items() if name in loses}
        self.numbers: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """Count what a format loses of a record."""
        for name, count in self._counts.items():
            self.numbers[name] += count(record)

    def lines(self) -> Iterator[str]:
        """Yield what was lost, e.g. `24 masks of regions`, the largest numbers first."""
        for name, number in (+self.numbers).most_common():
            yield f"{number:,} {name}"
