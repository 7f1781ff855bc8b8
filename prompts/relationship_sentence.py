"""A relationship as a sentence: man, ON, horse become "The man is on the horse."

Predicates are typed by many hands: "ON", "next to a", "wears", "are parked on". The first word
tells what one is (a form of *be*, another verb, a participle, a preposition or an adjective), and
the last whether an object can follow it. One that fits no rule ("agaist", "man in", "and") gives
no sentence: better none than a wrong one.
"""

import re


def plain_predicate(predicate: str) -> str:
    """Return a predicate in lower case, on one line, without the article that ends it."""
    words = predicate.lower().split()
    while len(words) > 1 and words[-1] in _DETERMINERS:
        words.pop()
    return " ".join(words)


def relationship_sentence(subject: str, predicate: str, object_: str) -> str | None:
    """Return how a subject stands to an object, or None where the predicate fits no sentence.

    Args:
        subject: its name, clean.
        predicate: as the owner wrote it, clean.
        object_: its name, clean.
    """
    words = plain_predicate(predicate).split()
    several = is_plural(subject)
    if not words or (words[-1] == "between" and not is_plural(object_)):
        return None
    about, other = definite(subject), definite(object_)
    if about == other and other.startswith("the "):
        other = f"the other {other[4:]}"
    if len(words) == 1 and words[0] in _ATTRIBUTIVE:
        return f"{'These are' if several else 'This is'} {about} {words[0]} {other}."
    if len(words) == 1 and words[0] in {"say", "says"}:
        other = f'"{object_.strip(_MARKS)}"'
    elif words[:-1] and words[-2:-1] == ["made"] and words[-1] in {"of", "from"}:
        other = other.removeprefix("the ")
    clause = _clause(words, several)
    return f"{about[0].upper()}{about[1:]} {clause} {other}." if clause else None


def definite(name: str) -> str:
    """Return a name with "the" for whatever article it has, unless it says whose it is."""
    words = name.strip(_MARKS[1:]).split() or [name]
    if len(words) > 1 and words[0].lower() in _ARTICLES:
        words = words[1:]
    return " ".join(words if words[0].lower() in _POSSESSIVES else ["the", *words])


def is_plural(name: str) -> bool:
    """Tell whether a name means several things, by the form of its main word."""
    words = re.split(r" (?:of|in|on|with|at|from|for) ", name.lower().strip(_MARKS))[0].split()
    if not words:
        return False
    head = words[-1]
    if head in _PLURALS or head.endswith(("men", "people", "children")):
        return head not in _SINGULARS
    ends = head.endswith("s") and not head.endswith(("ss", "us", "is", "'s"))
    return words[-2:-1] == ["and"] or (ends and head not in _SINGULARS)


def _clause(words: list[str], several: bool) -> str | None:
    """Return the verb and what follows it up to the object, or None."""
    be = "are" if several else "is"
    if words[-1] == "been":
        return None
    if words[0] in {"has", "have"} and words[1:2] == ["been"]:
        words = words[1:]
    words = [_STATES.get(words[0], words[0]), *words[1:]]
    if words[0] in _BE:
        state = _state(words[1:]) if words[1:] else ""
        return None if state is None else f"{be} {state}".rstrip()
    if (base := _VERBS.get(words[0])) and not _is_participle(words):
        complete = _leads_on(words[1:]) if words[1:] else base in _TRANSITIVE
        verb = base if several else _third_person(base)
        return _with_articles(" ".join([verb, *words[1:]])) if complete else None
    state = _state(words)
    return f"{be} {state}" if state else None


def _leads_on(words: list[str]) -> bool:
    """Tell whether words after a verb lead on to an object: "on", "next to", but not "of"."""
    starts = words[0] in (_PREPOSITIONS | _ADVERBS | _ADJECTIVES) - {"of"}
    return starts and words[-1] in _PREPOSITIONS


def _state(words: list[str]) -> str | None:
    """Return what something *is* towards the object, as it stands after a form of be, or None."""
    core = words
    while core and core[1:2] != ["of"] and (core[0] in _ADVERBS or core[0].endswith("ly")):
        core = core[1:]
    if not core:
        return None
    adverbs = words[: len(words) - len(core)]
    if len(core) == 1:
        fits = core[0] in _PREPOSITIONS - _ATTRIBUTIVE - {"as"} or _takes_object(core[0])
    elif core[-1] == "than":
        fits = core[0].endswith("er")
    else:
        starts = core[0] in (_PREPOSITIONS | _ADJECTIVES) - {"of"} or _is_doing(core[0])
        fits = core[-1] in _PREPOSITIONS and (starts or _is_participle(core))
    if not fits and not (core[1:2] == ["of"] and core[0] in _PLACES and len(core) == 2):
        return None
    return _with_articles(" ".join([*adverbs, *core]))


def _with_articles(clause: str) -> str:
    """Return a clause with the articles that short notes leave out: "to left of", "top of"."""
    clause = _SIDE.sub(r"to the \1 of", clause)
    clause = _PLACE.sub(r"at the \1 of", clause)
    return _AT_PLACE.sub(r"\1 the \2 of", clause)


def _is_doing(word: str) -> bool:
    return word.endswith("ing") and word not in _NO_PARTICIPLES


def _takes_object(word: str) -> bool:
    """Tell whether a present participle can stand right before an object."""
    bases = {word[:-3], word[:-4], f"{word[:-3]}e", f"{word[:-4]}ie"}
    return _is_doing(word) and word != "being" and not bases & (_INTRANSITIVE - _TRANSITIVE)


def _is_participle(words: list[str]) -> bool:
    """Tell whether a past participle stands first, and a preposition follows it."""
    regular = len(words[0]) > 3 and words[0].endswith("ed") and words[0] not in _NO_PARTICIPLES
    return len(words) > 1 and (regular or words[0] in _PARTICIPLES)


def _third_person(base: str) -> str:
    if base == "have":
        return "has"
    if base.endswith(("s", "sh", "ch", "x", "z", "o")):
        return f"{base}es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return f"{base[:-1]}ies"
    return f"{base}s"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MARKS = "\"'.,;: "
_ARTICLES = _words("a an the some")
_POSSESSIVES = _words("his her its their my our your this that these those")
_DETERMINERS = _ARTICLES | _POSSESSIVES - {"that", "this"}
_BE = _words("is are was were be been am")
_ADVERBS = _words("not also all both half just still almost right")
_PREPOSITIONS = _words(
    "about above across after against along alongside amid amidst among amongst around as at atop "
    "before behind below beneath beside besides between beyond by down during for from in inside "
    "into like near of off on onto opposite out outside over past through throughout to toward "
    "towards under underneath up upon via with within without"
)
# What stands better in a noun phrase: "the door to the patio".
_ATTRIBUTIVE = _words("for from of to with without")
_ADJECTIVES = _words(
    "adjacent ahead apart available away bare clear close connected different empty far first free full "
    "good high identical inches level low next open opposite parallel part perpendicular "
    "ready safe separate similar together underneath visible"
)
_PLACES = _words("back base bottom center centre corner edge end front left middle rear right top")
_SIDE = re.compile(r"^(left|right) of$")
_PLACE = re.compile(rf"^({'|'.join(sorted(_PLACES))}) of$")
_AT_PLACE = re.compile(
    r"\b(at|by|from|in|near|on|to|along|around) "
    r"(back|base|bottom|center|centre|corner|edge|end|inside|left|middle|outside|rear|right|side|"
    r"sides|back side|left side|right side|front side|other side|right hand side|left hand side) "
    r"of$"
)
# Verbs in their base form: those before an object, and those that need a preposition.
_TRANSITIVE = _words(
    "bear bite block border brush carry cast catch chase contain cover cross cut decorate display "
    "divide drink drive eat enclose enter face feature feed fill fly follow frame grab have hide "
    "hit hold hug include kick kiss lead lick line make need overlook own pass pet play pour "
    "protect pull push reach read reflect ride say see separate serve shade shelter show sniff "
    "spray support surround swing take throw touch use wash watch wear"
)
_INTRANSITIVE = _words(
    "attach belong bend climb come connect crouch extend float gaze go graze grow hang jump kneel "
    "land lay lean lie live look move point pose rest rise run sail sit skate ski sleep smile "
    "squat stand stare stay stick surf swim talk travel wait walk work"
)
_VERBS = {
    form: base for base in _TRANSITIVE | _INTRANSITIVE for form in (base, _third_person(base))
}
_PARTICIPLES = _words(
    "bent blown broken built caught cut drawn driven eaten fed found frozen grown held hidden hung "
    "kept laid left lit made put seen set shown shut split spread stuck sunk taken thrown torn "
    "wound worn woven written"
)
_NO_PARTICIPLES = _words(
    "awning building ceiling clothing crossing during earring evening everything feed frosting "
    "icing king lighting morning need nothing painting railing ring shed siding sled something "
    "speed spring string thing topping weed wing"
)
# What is said of a state, not of something going on: "belongs to", not "is belonging to".
_STATES = {"belonging": "belong", "containing": "contain", "having": "have", "showing": "show"}
_PLURALS = _words("cattle feet geese mice oxen police teeth")
_SINGULARS = _words("bus canvas chess dress gas glass grass lens men's mess news pass specimen")
