"""METEOR 1.5, by the Java program that the package pycocoevalcap ships (the extra `meteor`).

It is computed by that program or not at all: other implementations are of other definitions, and
read up to twice as high. The value of a set is aggregated from the counts of matches of all
entries; it is not the mean of the entries' values.

The program answers line by line: `SCORE ||| reference ||| ... ||| caption` with the counts of an
entry, and `EVAL ||| counts ||| ...` with the value of each entry and, last, of the set.
"""

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from schemas.errors import RegionForgeError

Words = Sequence[str]

_OPTIONS = ("-Dfile.encoding=UTF-8", "-Xmx2G", "-jar")
_ARGUMENTS = ("-", "-", "-stdio", "-l", "en", "-norm")  # English, as pycocoevalcap has it


class Meteor(NamedTuple):
    """METEOR of a set and of its entries, from 0 to 1."""

    total: float
    entries: list[float]


def meteor_absence() -> str:
    """Return why METEOR cannot be computed here; empty: it can.

    >>> meteor_absence()  # doctest: +SKIP
    'pycocoevalcap is not installed'
    """
    if find_spec("pycocoevalcap") is None:
        return "pycocoevalcap is not installed"
    if not _jar().is_file():
        return f"pycocoevalcap has no {_jar().name}"
    return "" if shutil.which("java") else "there is no java on the PATH"


def meteor(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> Meteor:
    """Return METEOR of captions against their references.

    >>> meteor([["a", "dog"]], [[["a", "dog"]]])  # doctest: +SKIP
    Meteor(total=1.0, entries=[1.0])

    Args:
        captions: the tokens of each caption; none for an entry without answer.
        references: the tokens of each reference, for each caption at least one.

    Raises:
        RegionForgeError: METEOR cannot be computed here, or its program fails.
    """
    java = shutil.which("java")
    if java is None or (absence := meteor_absence()):
        raise RegionForgeError(f"METEOR cannot be computed: {absence if java else 'no java'}")
    command = [java, *_OPTIONS, str(_jar()), *_ARGUMENTS]
    with subprocess.Popen(  # noqa: S603 - the Java and the program that are installed
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        try:
            counts = [
                _asked(process, " ||| ".join(["SCORE", *map(" ".join, right), " ".join(caption)]))
                for caption, right in zip(captions, references, strict=True)
            ]
            first = _asked(process, " ||| ".join(["EVAL", *counts]))
            values = [float(first), *(float(_line(process)) for _ in captions)]
        except (OSError, ValueError) as error:
            raise RegionForgeError(f"METEOR's program failed: {error}") from None
        finally:
            process.kill()
            assert process.stdin is not None
            with suppress(OSError):  # what it did not read before it ended
                process.stdin.close()
    return Meteor(values[-1], values[:-1])


def _jar() -> Path:
    spec = find_spec("pycocoevalcap")
    folders = spec.submodule_search_locations if spec else None
    return Path(*(folders or ["."])[:1], "meteor", "meteor-1.5.jar")


def _asked(process: "subprocess.Popen[str]", line: str) -> str:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return _line(process)


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise ValueError("it ended before its last answer")
    return line
