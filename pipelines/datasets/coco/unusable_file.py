"""What a file is that is not in COCO's layout: a list, one object a line, or no whole JSON."""

import re

import msgspec

from schemas.errors import InputFileError
from schemas.json_decoding import decode_any


def not_whole(content: bytes, path: str, error: Exception) -> InputFileError:
    """Return the error about a file that does not decode, which says what the file is instead."""
    named = f"{path} ({len(content)} bytes)"
    expected = "Expected a JSON object with the lists images, annotations and categories."
    if content.lstrip().startswith(b"["):
        return InputFileError(
            f"{named} is a list, such as a detector's results, which names neither pictures nor "
            f"categories. {expected} Give the file that the boxes were annotated in."
        )
    if _is_json_lines(content):
        return InputFileError(
            f"{named} has one JSON object a line. {expected} Export it as COCO, in one object."
        )
    line = content.count(b"\n", 0, _byte_of(error)) + 1
    return InputFileError(
        f"{named} is not a whole COCO annotation file: {error}, line {line}. "
        f"{expected} If it is a download, fetch it again; if another tool wrote it, check that "
        "tool's export; if it was edited by hand, correct that line."
    )


def _is_json_lines(content: bytes) -> bool:
    lines = content.split(b"\n", 2)[:2]
    return len(lines) > 1 and all(_is_object(line) for line in lines)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_any(line), dict)
    except msgspec.DecodeError:
        return False


def _byte_of(error: Exception) -> int:
    """Return the byte that a decoder's message names, 0 where it names none."""
    match = re.search(r"\(byte (\d+)\)", str(error))
    return int(match[1]) if match else 0
