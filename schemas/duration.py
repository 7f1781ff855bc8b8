"""Lengths of time in words, for all that is said of a run: one form for seconds, hours and days."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS = ((_DAY, _HOUR, "d", "h"), (_HOUR, _MINUTE, "h", "min"), (_MINUTE, 1, "min", "s"))


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: "0.4 s", "42 s", "5 min 20 s", "2 h 5 min".

    Days go with hours: "3 d 4 h". A part of zero is left out: "2 h".
    """
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    for unit, part, name, part_name in _UNITS:
        whole, rest = divmod(round(seconds / part), unit // part)
        if whole:
            return f"{whole:,} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{round(seconds)} s"
