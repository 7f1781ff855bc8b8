"""The answers of a choice among listed regions: `Region [2].`, or that no region fits."""

import re

NO_OPTION = "No corresponding options found."  # RegionGPT, Table 1

_CHOICE = re.compile(r"Region \[([0-9]+)\]\.?")


def chosen_number(answer: str) -> str | None:
    """Return the number of the region that an answer chooses, as it is written, or None.

    The stop may be missing: earlier builds had none, and a model may leave it out.

    >>> chosen_number("Region [2]."), chosen_number("Region [2]"), chosen_number(NO_OPTION)
    ('2', '2', None)
    """
    choice = _CHOICE.fullmatch(answer)
    return None if choice is None else choice[1]
