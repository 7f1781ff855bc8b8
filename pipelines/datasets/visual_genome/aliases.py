"""Visual Genome's list of aliases: which predicates mean the same.

One group per line, its members parted by commas; the first gives the group its name, and lines
with the same first are one group:

    near,next to
    near,by
    next to,next to a,are next to

Members as different as "next to" and "around" stand in one group, so no predicate is replaced by
another one; groups serve only to recognise relationships that repeat others.
"""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from prompts.relationship_sentence import plain_predicate
from schemas.errors import InputFileError


@dataclass(frozen=True, slots=True)
class Aliases:
    """The groups of each predicate; case, blanks and a last article make no difference."""

    groups: Mapping[str, Set[str]] = field(default_factory=dict)

    def meanings(self, predicate: str) -> Set[str]:
        """Return the names of a predicate's groups, or the predicate itself where none has it.

        Two predicates mean the same where they share a group; a third predicate that shares one
        with each of them makes no difference.
        """
        plain = plain_predicate(predicate)
        return self.groups.get(plain, {plain})


def parse_aliases(content: bytes, path: str) -> Aliases:
    """Return the aliases of a file.

    Raises:
        InputFileError: the content is no text.
    """
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{path} is no text: {error}. Expected a line of predicates, parted by commas, per "
            "group: save it as UTF-8, or take it away."
        ) from None
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        members = [plain for member in line.split(",") if (plain := plain_predicate(member))]
        for member in members:
            groups[member].add(members[0])
    return Aliases(dict(groups))
