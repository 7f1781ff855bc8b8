"""HTML elements as functions: all text is escaped when an element is made, without exception."""

from collections.abc import Iterable
from html import escape

from schemas.visible import visible

_VOID = {"img", "input", "meta"}  # elements without an end tag


class Html(str):
    """Text that is already markup and is not escaped again."""

    __slots__ = ()


def markup(content: str) -> Html:
    """Return markup as it is, and other values escaped, with hidden characters made visible."""
    return content if isinstance(content, Html) else Html(escape(visible(content)))


def element(kind: str, /, *children: str, **attributes: str | float) -> Html:
    """Return an HTML element: `element("b", "a < b", id="x")` is `<b id="x">a &lt; b</b>`.

    Args:
        kind: name of the element.
        children: markup or text inside the element.
        attributes: values by name; `class_` stands for `class`, `data_region` for `data-region`.
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{markup(str(value))}"'
        for key, value in attributes.items()
    )
    if kind in _VOID:
        return Html(f"<{kind}{pairs}>")
    return Html(f"<{kind}{pairs}>{joined(children)}</{kind}>")


def joined(parts: Iterable[str]) -> Html:
    """Return parts joined as markup."""
    return Html("".join(map(markup, parts)))
