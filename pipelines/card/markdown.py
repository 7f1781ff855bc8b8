"""Foreign names as Markdown: shown as they are, never as markup or code."""

import re

from schemas.visible import one_line

_TICKS = re.compile("`+")


def code(text: str) -> str:
    """Return a name as inline code, on one line; ticks in it do not end it.

    >>> code("a`b.json")
    '``a`b.json``'
    """
    shown = one_line(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, _TICKS.findall(shown)), default=0))
    edge = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{edge}{shown}{edge}{fence}"
