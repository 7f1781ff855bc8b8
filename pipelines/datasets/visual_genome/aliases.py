"""Visual Genome's list of aliases: groups of predicates with the same meaning.

A line is a group with members separated by commas; the first member names the group, and lines
with the same first member are one group:

    near,next to
    near,by
    next to,next to a,are next to

Members as different as "next to" and "around" are in one group, so no predicate is replaced by
another; groups serve only to recognise relationships that repeat others.
"""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from prompts.relationship.predicates import plain_predicate
from schemas.errors import InputFileError


@dataclass(frozen=True, slots=True)
class Aliases:
    """The groups of each predicate; case, blanks and an article at the end are ignored."""

    groups: Mapping[str, Set[str]] = field(default_factory=dict)

    def meanings(self, predicate: str) -> Set[str]:
        """Return the names of a predicate's groups, or the predicate itself if it is in no group.

        Two predicates mean the same if they share a group; a third predicate that shares a group
        with each of them does not join them.
        """
        plain = plain_predicate(predicate)
        return self.groups.get(plain, {plain})


def parse_aliases(content: bytes, path: str) -> Aliases:
    """Return the aliases of a file.

    Raises:
        InputFileError: the content is not text in UTF-8.
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
