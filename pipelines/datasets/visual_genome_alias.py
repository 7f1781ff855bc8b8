"""Visual Genome's lists of aliases: which names and predicates mean the same.

One group per line, its members parted by commas; the first is the one to use:

    bike,bikes,bikes are
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.errors import InputFileError


@dataclass(frozen=True, slots=True)
class Aliases:
    """The name to use for each alias; case and blanks do not tell names apart."""

    table: Mapping[str, str] = field(default_factory=dict)

    def canonical(self, name: str) -> str:
        """Return the name to use, or the name itself where no group has it."""
        if not self.table:
            return name
        found = name
        seen = {_key(name)}
        while (following := self.table.get(_key(found))) and _key(following) not in seen:
            found = following
            seen.add(_key(found))
        return found


def parse_aliases(content: bytes, path: str) -> Aliases:
    """Return the aliases of a file; of several groups with a name, the first by its text counts.

    Raises:
        InputFileError: it is no text.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path} is no text: {error}. Expected a line of names, parted by commas, per group: "
            "save it as UTF-8, or take it away."
        ) from None
    table: dict[str, str] = {}
    for line in lines:
        first, *others = (" ".join(name.split()) for name in line.split(","))
        for name in filter(None, map(_key, others)):
            if first and name != _key(first):
                table[name] = min(first, table.get(name, first))
    return Aliases(table)


def _key(name: str) -> str:
    return " ".join(name.lower().split())
