"""The console of all commands: what they print, and the words of their command lines.

Nothing else prints. Whatever is printed passes `schemas.visible`: no character of a file name, a
class name, a server's answer or an error reaches a terminal as anything but a character to read.
"""

from schemas.console.output import (
    Console,
    Part,
    detail,
    error,
    line,
    notice,
    result,
    result_console,
    say,
    write_json,
)

__all__ = [
    "Console",
    "Part",
    "detail",
    "error",
    "line",
    "notice",
    "result",
    "result_console",
    "say",
    "write_json",
]
