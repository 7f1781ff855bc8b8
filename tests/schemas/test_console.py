"""The console: what is printed is text to read, on a terminal as in a file."""

import io
import json
import re
import unicodedata

import pytest
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from schemas.console import Console, error, line, notice, result, say, write_json
from schemas.visible import visible

HOSTILE = (
    "\x1b[31mred",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x9b2J",
    "left\u202eright",
    "zero\u200bwidth\ufeff",
    "over\rwritten",
    "bell\a\b\b\btab\t",
    "cut\udcff",
    "\u2028separated\u2029",
)
MARKUP = "[bold]not bold[/bold] [link=http://evil.example]x[/link] :skull:"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def hidden(text):
    return {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


def table(text):
    made = Table(title=text)
    made.add_column(text)
    made.add_row(text)
    made.add_row(Text(text))
    return made


@pytest.mark.parametrize("text", [*HOSTILE, MARKUP])
@pytest.mark.parametrize(
    "shape", [str, Text, line, table, lambda text: Padding(Text(text), (1, 1), expand=False)]
)
def test_no_hidden_character_is_printed(shape, text):
    stream = io.StringIO()
    console = Console(file=stream)
    console.print(shape(text))
    console.rule(text)
    assert hidden(stream.getvalue()) <= {"\n"}
    assert visible(text).strip() in stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("shape", [str, line, table])
def test_a_terminal_gets_the_styles_of_ours_alone(shape, text, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")  # which takes no styles: what is left would be foreign
    stream = Terminal()
    console = Console(file=stream, width=300)
    console.print(shape(text))
    console.rule(text)
    assert hidden(stream.getvalue()) <= {"\n"}


def test_markup_is_text():
    stream = Terminal()
    Console(file=stream, width=300).print(table(MARKUP))
    assert stream.getvalue().count(MARKUP) == 4


def test_a_live_line_shows_escapes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    console = Console(file=stream, width=300)
    with console.status("x \x1b]52;c;eA==\x07 [bold]y"):
        pass
    with console.status("") as status:
        status.update(line("z \x9b"))
    assert "\x1b]" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()
    assert "x \\x1b]52;c;eA==\\x07 [bold]y" in stream.getvalue()


@pytest.mark.parametrize("print_line", [say, result, notice, error])
def test_lines_go_to_a_stream_as_they_are(print_line, capsys):
    print_line("\x1b[2J", (MARKUP, "red"), "x" * 200)
    shown = capsys.readouterr()
    to_stderr = print_line in (notice, error)
    assert (shown.err if to_stderr else shown.out) == f"\\x1b[2J{MARKUP}{'x' * 200}\n"
    assert (shown.out if to_stderr else shown.err) == ""


def test_a_table_in_a_file_has_whole_cells_and_no_rules(capsys):
    made = Table(title="a title")
    made.add_column("source")
    made.add_column("number", justify="right")
    made.add_row("x" * 300, "1")
    made.add_row("y", "22")
    Console().print(made)
    assert capsys.readouterr().out.splitlines() == [
        "a title",
        f"source{'':296}number",
        f"{'x' * 300}  {'':5}1",
        f"y{'':299}  {'':4}22",
    ]


def test_a_table_that_a_terminal_would_cut_has_a_line_for_each_cell(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    made = Table("source", "picture_bytes", Column("missing_images"), title="a title")
    made.add_row("coco", "648.4_kB", "\x1b[2J")
    made.add_row("visual_genome", Text("1.2_MB"), "12")
    shown = {}
    for width in (49, 50):
        stream = Terminal()
        Console(file=stream, width=width).print(made)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
        shown[width] = [each.rstrip() for each in plain.splitlines()]
    assert shown[49] == [
        "a title",
        "source          coco",
        "picture_bytes   648.4_kB",
        "missing_images  \\x1b[2J",
        "",
        "source          visual_genome",
        "picture_bytes   1.2_MB",
        "missing_images  12",
        "",
    ]
    assert len(shown[50]) == 7  # with rules


def test_json_is_ascii(capsys):
    document = {"paths": [*HOSTILE, MARKUP, "x" * 300], "number": 1}
    write_json(document)
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert hidden(shown) == {"\n"}
    assert json.loads(shown) == document
