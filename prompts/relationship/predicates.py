"""The grammar of predicates: what stands between a subject and an object in a sentence.

Predicates are typed by many hands: "ON", "next to a", "wears", "are parked on". The first word
decides the kind (a form of *be*, another verb, a participle, a preposition or an adjective), and
the others must lead to an object: "on", "out of", "in back of", "a trick on". A predicate that fits
no rule ("agaist", "man in", "and"), or has two readings ("put on", "hold by"), has no clause.
"""

import re
from dataclasses import dataclass

from prompts.relationship.names import is_plural
from prompts.relationship.nouns import words
from prompts.relationship.places import (
    DETERMINERS,
    PARTICLES,
    PLACES,
    PREPOSITIONS,
    is_adverb,
    is_place,
    leading,
    one_of,
)
from prompts.relationship.verbs import (
    ACTIONS,
    DOING,
    DONE,
    EITHER,
    FASTENED,
    FOLLOWED,
    INTRANSITIVE,
    MEANT_FOR,
    NOUNS,
    PAST_OR_PRESENT,
    PHRASAL,
    POSTURES_DONE,
    RESULTS,
    SERVING_AS,
    STATES,
    TRANSITIVE,
    UNCLEAR,
    UNFINISHED,
    VERBS,
    doing,
    third_person,
)


@dataclass(frozen=True, slots=True)
class Clause:
    """The words between subject and object, verb first: "is riding"."""

    text: str
    base: str = ""  # the verb in its base form; "" for a state such as "is next to"
    direct: bool = False  # the object is that of the verb, with no word between them

    @property
    def is_done_with(self) -> bool:
        """Whether something is done with the object: "is topped with", but not "is sitting with"."""
        *parts, last = self.text.split()
        if parts[-1:] in (["back"], ["together"], ["up"]):
            parts.pop()
        return last == "with" and parts[-1] in DONE - POSTURES_DONE


def plain_predicate(predicate: str) -> str:
    """Return a predicate in lower case, on one line, without the article that ends it."""
    parts = predicate.lower().split()
    while len(parts) > 1 and parts[-1] in DETERMINERS:
        parts.pop()
    return " ".join(parts)


def clause(predicate: list[str], several: bool, acting: bool = False) -> Clause | None:
    """Return the clause of a predicate's words; None where they make none.

    Args:
        predicate: the words of a plain predicate.
        several: whether the subject is plural.
        acting: whether the subject is a person or an animal, whose actions are in progress.
    """
    parts, being = without_be(predicate)
    text = " ".join(parts)
    if not 0 < len(parts) <= _MOST_WORDS or _NONSENSE.search(text) or _REPEATED.search(text):
        return None
    if not being and _is_ambiguous(parts):
        return None
    head, *rest = parts
    base = VERBS.get(head, "") if not being else ""
    if DOING.get(head, "") in STATES and not (head == "having" and rest):
        base = DOING[head]
    if acting and base in ACTIONS:
        head, base = doing(base), ""
    if base and not _is_done(parts):
        return _simple(base, rest, several)
    state = _state([head, *rest])
    if state is None:
        return None
    verb = state.split()
    while len(verb) > 1 and is_adverb(verb[0]):
        del verb[0]
    return Clause(f"{'are' if several else 'is'} {state}", DOING.get(verb[0], ""), len(verb) == 1)


def without_be(predicate: list[str]) -> tuple[list[str], bool]:
    """Return words without a form of "be" at the beginning, and whether there was one."""
    parts = predicate[1:] if predicate[:2] in (["has", "been"], ["have", "been"]) else predicate
    being = parts[:1] != [] and parts[0] in _BE
    return parts[being:], being


def _simple(base: str, rest: list[str], several: bool) -> Clause | None:
    """Return the clause of a verb in the simple present: "wears", "sits on"."""
    if base == "lay":
        base = "lie"  # what lies is often said to lay
    following = _after_verb(base, rest)
    verb = base if several else third_person(base)
    if following is None:
        return None
    return Clause(
        f"{verb} {following}".rstrip(),
        base,
        following == "" or (base == "have" and following == "on"),
    )


def _is_ambiguous(parts: list[str]) -> bool:
    """Return whether a predicate has two readings: in "cut into", the subject cuts or is cut.

    "Eat by" may mean "eaten by". A sign reads a text, but a person reads a book.
    """
    head, *rest = parts
    if (head in NOUNS and not _is_done(parts)) or (head in RESULTS and rest):
        return True
    if head in PAST_OR_PRESENT:
        return rest != ["by"] and (bool(rest) or head == "read")
    return parts == ["reads"] or (head in EITHER and rest == ["by"])


def _state(parts: list[str]) -> str | None:
    """Return the words that can come between a form of "be" and the object, or None."""
    head, *rest = parts
    following = " ".join(rest)
    if rest == ["of"] and head in PLACES:
        return leading(f"{head} of") or leading(f"at {head} of")
    if head in PREPOSITIONS:
        return leading(" ".join(parts)) if is_place(parts) else None
    if rest and is_adverb(head):
        ending = _state(rest)
    elif head == "being" or (head == "getting" and _is_done(rest)):
        ending = _state(rest) if _is_done(rest) else None
    elif head in DOING:
        base = DOING[head]
        ending = _after_verb(base, rest)
        head = "lying" if head == "laying" else head
    elif _is_done(parts):
        ending = leading(following) if _goes_on(head, rest) else None
    elif following == "than":
        ending = following if head in _COMPARATIVES else None
    else:
        fits = bool(rest) and rest[0] in _ADJECTIVES.get(head, ())
        ending = leading(following) if fits else None
    return None if ending is None else f"{head} {ending}".rstrip()


def _goes_on(participle: str, rest: list[str]) -> bool:
    """Return whether a participle can go on with words: "parked on", but not "parked to"."""
    following = " ".join(rest)
    if following in PARTICLES or f"{participle} {following}" in UNCLEAR:
        return False
    if rest[0] == "of":
        return participle in {"built", "composed", "constructed", "made"}
    if rest[0] in {"as", "for"}:
        return participle in (SERVING_AS if rest[0] == "as" else MEANT_FOR)
    if rest == ["to"] and participle not in FASTENED:
        return False
    following = rest[1] if rest[0] == "up" and len(rest) > 1 else rest[0]
    return participle not in FOLLOWED or following in FOLLOWED[participle]


def _after_verb(base: str, parts: list[str]) -> str | None:
    """Return the words between a verb and the object, e.g. "next to"; or None."""
    text = " ".join(parts)
    if text == "on to" and base not in {"cling", "hang", "hold"}:
        text = "onto"
    if not parts:
        return None if base in INTRANSITIVE or base in _LIGHT else ""
    if parts == ["of"] or f"{base} {text}" in UNFINISHED:
        return None
    if (
        base not in TRANSITIVE | _LIGHT - {"get"}
        or text in PARTICLES
        or f"{base} {text}" in PHRASAL
    ):
        lead = leading(text)
        if lead or base in INTRANSITIVE or base == "get":
            return lead
    for end in range(1, len(parts)):
        lead = leading(" ".join(parts[end:]))
        open_end = lead == "for" or (lead == "with" and parts[0] in DETERMINERS)
        if (
            lead
            and not open_end
            and _is_object(parts[:end])
            and _fits_verb(base, parts[:end], lead)
        ):
            return " ".join([*parts[:end], lead])
    return None


def _is_object(parts: list[str]) -> bool:
    """Return whether words can be a verb's object: "a trick", "bikes", "tennis", but not "road"."""
    if parts[0] in DETERMINERS:
        return len(parts) > 1
    several = is_plural(parts[0]) and parts[0] not in PREPOSITIONS
    return len(parts) == 1 and (several or parts[0] in _BARE)


def _fits_verb(base: str, named: list[str], lead: str) -> bool:
    """Return whether a verb's own object and what follows fit: "takes care of", no "has part of".

    What something has or shows somewhere makes no sentence: "has legs on".
    """
    if named[0] in _TAKEN:
        return base == "take"
    if lead == "of" and len(named) == 1:
        return named[0] in _PICTURES
    return base not in _HAVING or lead == "of" or named == ["fun"]


def _is_done(parts: list[str]) -> bool:
    """Return whether words begin with a past participle of passive meaning, and go on."""
    return len(parts) > 1 and parts[0] in DONE | PAST_OR_PRESENT


_MOST_WORDS = 10  # words of a predicate
_D = one_of(DETERMINERS)
_BE = words("am are be been is was were")
_ADJECTIVES = {
    adjective: words(following)
    for following, adjectives in {
        "to": "adjacent close identical level next parallel perpendicular similar",
        "from": "across apart away different far separate",
        "of": "ahead full part",
        "above from in near on to up": "high low open",
        "at behind below from in near on through under": "visible",
    }.items()
    for adjective in adjectives.split()
}
_COMPARATIVES = words(
    "bigger brighter closer darker deeper farther greater higher larger lighter longer lower newer "
    "older shorter smaller taller thicker thinner wider younger"
)
_NONSENSE = re.compile(
    rf" (?:{one_of(_BE)}|has|have)\b|\b{_D} {_D}\b|\ba [aeio](?!ne)|\ban [^aeiouhx]|\botherside\b"
)
_REPEATED = re.compile(r"\b(\w+) \1\b")
# Verbs that say nothing before a region's name alone: what is done, got or given is more than that.
_LIGHT = words("do get give put wrap")
_PICTURES = words("photographs photos pictures")
_TAKEN = words("care part")
_HAVING = words("contain display feature have include show")
_BARE = words("baseball basketball care food football frisbee fun part soccer tennis water")
