"""The console of all commands: what they print, and the words of their command lines.

Nothing else prints. Whatever is printed passes `schemas.visible`: no character of a file name, a
class name, a server's answer or an error reaches a terminal as anything but a character to read.
"""

from schemas.console.failure import EXIT_STATUSES, failure
from schemas.console.flags import OUTPUT_FLAGS, output_as, output_flags, output_words
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
from schemas.console.parser import Parser
from schemas.console.settings import SETTINGS

__all__ = [
    "EXIT_STATUSES",
    "OUTPUT_FLAGS",
    "SETTINGS",
    "Console",
    "Parser",
    "Part",
    "detail",
    "error",
    "failure",
    "line",
    "notice",
    "output_as",
    "output_flags",
    "output_words",
    "result",
    "result_console",
    "say",
    "write_json",
]
