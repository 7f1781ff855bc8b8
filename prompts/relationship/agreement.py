"""Agreement of a clause with its subject and its object: several men gather, a man does not."""

import re

from prompts.relationship.names import Name
from prompts.relationship.nouns import FEMALES, GROUPS, LONG, MALES, PICTURES
from prompts.relationship.predicates import Clause
from prompts.relationship.verbs import GATHERED


def is_long(about: Name) -> bool:
    """Return whether the subject can be along something: "trees", "fence", but not "tree"."""
    return about.several or about.main in LONG


def fits_subject(about: Name, middle: Clause) -> bool:
    """Return whether a clause fits the subject: its number, and the owner of a possessive."""
    parts = set(middle.text.split())
    if parts & {"my", "our", "your"} or ("their" in parts and not about.several):
        return False
    if ("her" in parts and about.main in MALES) or ("his" in parts and about.main in FEMALES):
        return False
    if about.several or about.main in GROUPS:
        return True
    if _SIDES.search(middle.text):
        return about.is_mass or about.main in LONG
    if parts & GATHERED and about.is_animate:
        return False
    if "together" in parts and not parts & {"held", "with"}:
        return False
    return about.main in LONG or not (
        middle.base in {"lie", "rest", "sit"} and middle.text.endswith(" along")
    )


def fits_object(about: Name, text: str, other: Name) -> bool:
    """Return whether a clause's words fit both names: "between the cars", "full of water"."""
    if text.endswith((" among", " amongst", " between")):
        return other.several
    if _LEANING.fullmatch(text):
        return not about.is_animate  # "The man is against the wall" tells what he thinks of it
    if _TAKEN.match(text):
        return about.main in PICTURES
    return not _FULL.search(text) or other.several or other.is_mass


_SIDES = re.compile(r"\b(?:both|each|either|the) (?:\w+ )?sides of$|\b(?:each|either) side of$")
_LEANING = re.compile("(?:is|are)(?: right| up)? against")
_TAKEN = re.compile("(?:is|are) taken ")
_FULL = re.compile(
    " (?:full of|(?:crowded|filled|lined|loaded|packed|piled|sprinkled|stacked|strewn) (?:by|with)"
    "|(?:built|constructed|made|mixed) with)$"
)
