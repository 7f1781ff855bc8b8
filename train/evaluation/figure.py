"""The figures that metrics return and reports show."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a report.

    >>> Figure(name="accuracy", value=80.61, count=36335).value
    80.61
    """

    name: str  # the field's: "mAP", "accuracy", "CIDEr", "F1"
    value: float  # in per cent where the field gives per cent; CIDEr times 100
    count: int  # the entries that it is over, missing ones among them
    group: str = ""  # the part of the entries, e.g. POPE's "random"; empty: all
    note: str = ""  # what one must know to compare it, e.g. "unit scores"
