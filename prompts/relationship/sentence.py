"""The sentence of a relationship: man, ON, horse become "The man is on the horse."

What the owner typed is a pair of names and a predicate, not English. A sentence is written only
where its sense is sure and a speaker would say it; other relationships make none. So a man "has a
bag" and "is wearing a shirt" whether the predicate is "has", "with" or "in"; a handle "of" a door
"is part of" it; and nothing is said of two things of the same name, or of a name that is no noun.
"""

import re
from collections.abc import Callable

from prompts.relationship.agreement import fits_object, fits_subject, is_long
from prompts.relationship.names import Name, parse_name
from prompts.relationship.nouns import (
    ARTICLES,
    BODY,
    CARRIED,
    COATS,
    EMISSIONS,
    FEATURES,
    FEMALES,
    FIXED,
    FIXTURES,
    GAMES,
    GARMENTS,
    GROUNDS,
    LETTERING,
    LONG,
    MALES,
    MATERIALS,
    NO_WHOLES,
    PARTS,
    PATTERNS,
    PICTURES,
    PLAYED,
    ROOMS,
    SELF,
    SPOTS,
    SURFACES,
    WAYS,
)
from prompts.relationship.predicates import Clause, clause, plain_predicate, without_be
from prompts.relationship.verbs import NEW_OBJECT


def relationship_sentence(subject: str, predicate: str, object_: str) -> str | None:
    """Return a relationship as a sentence, or None where none would be true and natural.

    Args:
        subject: the clean name of the subject.
        predicate: the owner's predicate, clean.
        object_: the clean name of the object.
    """
    about, parts = parse_name(subject), plain_predicate(predicate).split()
    if about is None or _plain_name(subject) == _plain_name(object_):
        return None
    other = parse_name(object_)
    if other and (_is_named_by(about, other) or _is_named_by(other, about)):
        return None
    if parts in (["say"], ["says"], ["saying"]):
        end = _quoted(about, object_, other)
    else:
        end = _end(about, parts, other) if other else None
    start = about.definite
    return end and f"{start[0].upper()}{start[1:]} {end}."


def _is_named_by(part: Name, whole: Name) -> bool:
    """Return whether a name is that of a part of the other: "table top" of "table"."""
    if part.main not in PARTS | SPOTS | BODY | FEATURES:
        return False
    length = len(whole.words)
    return len(part.words) > length and part.words[:length] == whole.words


def _plain_name(name: str) -> list[str]:
    words = name.lower().strip(_MARKS).split()
    return words[1:] if len(words) > 1 and words[0] in ARTICLES else words


def _quoted(about: Name, object_: str, other: Name | None) -> str | None:
    """Return what a sign says; None for what is only called a text, as "word"."""
    if other and other.main in LETTERING and not object_.startswith(('"', "'")):
        return None
    text = object_.strip(_MARKS)
    return (
        f'{"say" if about.several else "says"} "{text}"' if text and not about.is_animate else None
    )


def _end(about: Name, parts: list[str], other: Name) -> str | None:
    """Return the sentence after its subject, without a stop."""
    bare, being = without_be(parts)
    if rule := _RULES.get(" ".join(bare)):
        return None if being and bare[0] in {"has", "have"} else rule(about, other)
    if bare == ["along"] and not is_long(about):
        fixed = about.main in FIXTURES and other.main in LONG
        return f"is beside {other.definite}" if fixed else None
    middle = clause(parts, about.several, about.is_animate)
    return _with_object(about, middle, other) if middle and fits_subject(about, middle) else None


def _is_or_are(about: Name) -> str:
    return "are" if about.several else "is"


def _wearing(about: Name, other: Name) -> str | None:
    """Return that a person wears something, if that is what persons have on."""
    worn = other.main in GARMENTS or other.main == "top"
    if not (about.is_person and worn and _can_share(about, other)):
        return None
    return f"{_is_or_are(about)} wearing {other.indefinite}"


def _can_share(about: Name, other: Name) -> bool:
    """Return whether the subjects can have or wear it: several men do not wear a hat."""
    return other.several or other.is_mass or not about.several


def _has(about: Name, other: Name) -> str | None:
    if end := _wearing(about, other):
        return end
    of_thing = not about.is_animate and other.main in PARTS
    if (other.main in BODY and other.is_bare and not of_thing) or other.main in SPOTS:
        return None
    if other.is_person or (other.is_animate and not about.is_person):
        return None
    if not _can_share(about, other):
        return None
    if about.main in SURFACES and other.main not in PARTS | PATTERNS | LETTERING:
        return None
    end = other.indefinite
    return end and f"{'have' if about.several else 'has'} {end}"


def _with(about: Name, other: Name) -> str | None:
    if about.is_animate and other.is_animate:
        return f"{_is_or_are(about)} with {other.definite}"
    of_it = other.main in PARTS | PATTERNS | FEATURES | LETTERING or about.main in ROOMS
    return _has(about, other) if about.is_animate or of_it else None


def _of(about: Name, other: Name) -> str | None:
    if about.main in PICTURES:
        return f"{'show' if about.several else 'shows'} {other.definite}"
    if about.main == "shadow":
        return f"{_is_or_are(about)} cast by {other.definite}"
    if other.is_animate:
        with_it = BODY | FEATURES | GARMENTS | CARRIED
        return _belongs(about, other) if about.main in with_it and not about.is_animate else None
    is_whole = not other.is_mass and other.main not in NO_WHOLES
    return _part_of(about, other) if is_whole and about.main in PARTS else None


def _belongs(about: Name, other: Name) -> str:
    return f"{'belong' if about.several else 'belongs'} to {other.definite}"


def _part_of(about: Name, other: Name) -> str | None:
    fits = about.main in BODY | FEATURES if other.is_animate else not about.is_animate
    return f"{_is_or_are(about)} part of {other.definite}" if fits else None


def _to(about: Name, other: Name) -> str | None:
    if about.main not in WAYS or other.is_animate:
        return None
    return f"{'lead' if about.several else 'leads'} to {other.definite}"


def _for(about: Name, other: Name) -> str | None:
    if about.is_animate or about.main in BODY | FEATURES:
        return None
    return f"{_is_or_are(about)} for {other.definite}"


def _from(about: Name, other: Name) -> str | None:
    if about.main not in EMISSIONS:
        return None
    return f"{'come' if about.several else 'comes'} from {other.definite}"


def _in(about: Name, other: Name) -> str | None:
    if about.is_person and other.main in GARMENTS | COATS and _can_share(about, other):
        return f"{_is_or_are(about)} wearing {other.indefinite}"
    return f"{_is_or_are(about)} in {other.definite}"


def _on(about: Name, other: Name) -> str | None:
    """Return that something is on something else; what has grown there belongs to it."""
    if other.is_animate and not about.is_animate and about.main in FIXED | BODY:
        return _belongs(about, other) if about.main in FIXED else None
    return f"{_is_or_are(about)} on {other.definite}"


def _with_object(about: Name, middle: Clause, other: Name) -> str | None:
    """Return a clause with its object: "is wearing a hat", "is made of wood"."""
    text = middle.text
    if middle.direct and middle.base in {"have", "wear"} and not _can_wear(about, other):
        return None
    if middle.direct and middle.base == "have":  # has on
        return f"{_is_or_are(about)} wearing {other.indefinite}"
    if middle.direct and middle.base == "play":
        return _played(text, other)
    if middle.direct and middle.base in _GRIPS and other.is_bare and other.main in BODY | FEATURES:
        return _own_part(about, text, other)
    if not fits_object(about, text, other):
        return None
    if text.endswith(" on top of") and other.main in GROUNDS:
        text = text.removesuffix(" top of")
    end: str | None = other.definite
    if _MADE.search(text):
        end = other.text if other.several or other.main in MATERIALS else None
    elif (middle.direct and middle.base in NEW_OBJECT) or middle.is_done_with or _NEW.search(text):
        end = other.indefinite
    return end and f"{text} {end}"


def _can_wear(about: Name, other: Name) -> bool:
    """Return whether something can be worn, by all subjects: no beard, and no horse."""
    return not (other.is_animate or other.main in BODY | FEATURES) and _can_share(about, other)


def _played(text: str, other: Name) -> str | None:
    """Return that somebody plays a game or an instrument; a toy is not played."""
    if other.main in GAMES:
        return f"{text} {other.text}"
    return f"{text} {other.definite}" if other.main in PLAYED else None


def _own_part(about: Name, text: str, other: Name) -> str | None:
    """Return that somebody holds a part of his body, where it can hardly be another's."""
    if about.several or other.main not in SELF:
        return None
    owner = "his" if about.main in MALES else "her" if about.main in FEMALES else None
    return owner and f"{text} {owner} {other.text}"


_MARKS = "\"'.,;: "
_GRIPS = frozenset({"cover", "grab", "hold", "rub", "scratch", "touch", "wash"})
_MADE = re.compile(" (?:made|built|composed|constructed) (?:of|from|out of|up of)$")
_NEW = re.compile(
    " (?:(?:coated|covered|decorated|dressed|filled|strewn|wrapped)(?: up)? (?:by|in)"
    "|full of|(?:folded|formed|made) into)$| (?:as|like|in the shape of)$"
)
_RULES: dict[str, Callable[[Name, Name], str | None]] = {
    "for": _for,
    "from": _from,
    "has": _has,
    "have": _has,
    "having": _has,
    "in": _in,
    "of": _of,
    "on": _on,
    "part of": _part_of,
    "to": _to,
    "with": _with,
}
