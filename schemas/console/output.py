"""The output of commands: text that is shown as it is, on the two streams and in the log file.

    say("kept: ", ("coco", "bold"))     the narration of a command, on standard output
    result("3 shards: /shards")         its result, on standard output, even with --quiet
    notice("left out: val")             what precedes a result, on standard error
    detail("read 3 files")              what is shown with --verbose only, on standard error
    error("no such folder")             an error, on standard error, even with --quiet

No text is read as markup: the style of a part stands beside it. A terminal gets styles and tables
with rules, or a line for each cell where a table would be cut; a file or a pipe gets plain text,
whose lines are never cut or wrapped.
"""

import copy
import io
import json
from collections.abc import Iterable
from typing import IO, Any

import rich.console
from rich.console import ConsoleOptions
from rich.control import Control
from rich.measure import Measurement
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from schemas.console.settings import SETTINGS
from schemas.visible import visible

Part = str | tuple[str, str]  # text, or text and its style

_LINE_ANEW = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
_UNBOUNDED = 1_000_000  # columns, where lines are never wrapped


def line(*parts: Part) -> Text:
    """Return a line of parts, each a text or a text with its style."""
    text = Text()
    for part in parts:
        words, style = (part, "") if isinstance(part, str) else part
        text.append(visible(words), style)
    return text


class _PlainConsole(rich.console.Console):
    """A console that shows hidden characters as escapes, and reads no markup."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text, with its hidden characters as escapes."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of an object, without hidden characters in their texts."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class Console(_PlainConsole):
    """A console on a stream; what it prints is also written to the log file."""

    def __init__(
        self,
        *,
        stderr: bool = False,
        shown: bool | None = None,
        file: IO[str] | None = None,
        width: int | None = None,
    ) -> None:
        """Prepare a console on standard output, standard error or a file.

        Args:
            stderr: whether it prints on standard error instead of standard output.
            shown: False prints into the log file only; None: unless --quiet or --json forbid it.
            file: a file to print on instead.
            width: the number of columns; None: those of the terminal.
        """
        if shown is None:
            shown = not SETTINGS.quiet and (stderr or not SETTINGS.json)
        super().__init__(stderr=stderr, quiet=not shown, file=file, width=width)

    def print(self, *objects: Any, logged_only: bool = False, **options: Any) -> None:
        """Print objects, on the stream and into the log file, or only into that."""
        if SETTINGS.log is not None:
            SETTINGS.log.write(_plain_text(objects, options))
        if self.quiet or logged_only:
            return
        if self.is_terminal:
            super().print(*(self._fitting(item) for item in objects), **options)
            return
        self.file.write(_plain_text(objects, options))
        self.file.flush()

    def _fitting(self, item: Any) -> Any:
        """Return an object as it is, or a table that would be cut as a line for each cell."""
        if not isinstance(item, Table):
            return item
        unbounded = self.options.update(max_width=_UNBOUNDED)
        is_cut = Measurement.get(self, unbounded, item).minimum > self.width
        return _by_cells(item) if is_cut else item

    def overwrite(self, text: str) -> None:
        """Write a line over the one before it, on a terminal."""
        self.control(_LINE_ANEW)
        super().print(line(text), end="", soft_wrap=True)

    def write(self, text: str) -> None:
        """Write text on where the last one ended, on a terminal."""
        super().print(line(text), end="", soft_wrap=True)

    def rule(self, title: str | Text = "", **options: Any) -> None:
        """Print a title, with a rule beside it on a terminal."""
        if self.is_terminal and not self.quiet:
            super().rule(title, **options)
        else:
            self.print(title)

    def status(self, status: Any, **options: Any) -> Any:
        """Return a live line, whose text is shown as it is."""
        return super().status(line(status) if isinstance(status, str) else status, **options)


def say(*parts: Part) -> None:
    """Print a line of what a command has done, on standard output."""
    _print_line(Console(), parts)


def result(*parts: Part) -> None:
    """Print a line of a command's result, on standard output."""
    _print_line(result_console(), parts)


def notice(*parts: Part) -> None:
    """Print a line of what the user should know beside the result, on standard error."""
    _print_line(Console(stderr=True), parts)


def detail(*parts: Part) -> None:
    """Print a line for those who ask for all details, on standard error."""
    _print_line(Console(stderr=True, shown=SETTINGS.verbose), parts)


def error(*parts: Part) -> None:
    """Print a line on why a command failed, on standard error."""
    _print_line(Console(stderr=True, shown=True), parts)


def result_console() -> Console:
    """Return the console for results that are more than a line: --quiet leaves them."""
    return Console(shown=not SETTINGS.json)


def write_json(document: Any) -> None:
    """Print a document as JSON in ASCII, on standard output."""
    Console(shown=True).print(json.dumps(document, indent=2), soft_wrap=True)


def _print_line(console: Console, parts: Iterable[Part]) -> None:
    console.print(line(*parts), soft_wrap=True)


def _plain_text(objects: Iterable[Any], options: dict[str, Any]) -> str:
    """Return what is printed of objects without a terminal: no styles, no rules, whole lines."""
    shown = io.StringIO()
    console = _PlainConsole(file=shown, width=_UNBOUNDED, color_system=None, force_terminal=False)
    plain = [_without_rules(item) if isinstance(item, Table) else item for item in objects]
    console.print(*plain, **options)
    return "\n".join(text.rstrip() for text in shown.getvalue().split("\n"))


def _by_cells(table: Table) -> Table:
    """Return a table as a list: a line for each cell, after the name of its column."""
    listed = Table.grid(padding=(0, 2, 0, 0))
    listed.title, listed.title_justify = table.title, "left"
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        for column, cell in zip(table.columns, cells, strict=True):
            listed.add_row(column.header, cell)
        listed.add_row()
    return listed


def _without_rules(table: Table) -> Table:
    """Return a table whose columns are two blanks apart."""
    plain = copy.copy(table)
    plain.box, plain.pad_edge, plain.padding = None, False, (0, 2, 0, 0)
    plain.title_justify = "left"
    return plain
