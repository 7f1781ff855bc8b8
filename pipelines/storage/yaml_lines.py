"""The lines of a YAML document's keys, for messages about them."""

from collections.abc import Iterator
from contextlib import suppress

import yaml

_DEPTH = 8  # of the keys that are looked at


class YamlLines:
    """The lines on which the keys and items of a document stand."""

    def __init__(self, text: str) -> None:
        """Parse a document; one that cannot be parsed has no lines."""
        self._root: yaml.Node | None = None
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)

    def line(self, path: tuple[str | int, ...]) -> int | None:
        """Return the line of what a path leads to, counted from 1, or of the last key on the way.

        For example, ("sources", 0, "name") leads to the name of the first source.
        """
        node, mark = self._root, self._root and self._root.start_mark
        for part in path:
            step = _step(node, part)
            if step is None:
                break
            key, node = step
            mark = key.start_mark
        return mark.line + 1 if mark else None

    def repeated(self) -> Iterator[tuple[tuple[str | int, ...], int]]:
        """Yield the path of each key that stands twice, with its second line."""
        yield from _repeated(self._root, (), set())


def _step(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node of a key or an item below a node, and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # of a repeated key, the last one counts
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _repeated(
    node: yaml.Node | None, path: tuple[str | int, ...], walked: set[int]
) -> Iterator[tuple[tuple[str | int, ...], int]]:
    if node is None or id(node) in walked or len(path) > _DEPTH:
        return
    walked.add(id(node))  # what several aliases stand for is looked at once
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _repeated(item, (*path, number), walked)
    elif isinstance(node, yaml.MappingNode):
        known: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in known:
                yield (*path, name), key.start_mark.line + 1
            known.add(name)
            yield from _repeated(value, (*path, name), walked)
