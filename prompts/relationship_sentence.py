"""The sentences of relationships: man, ON, horse become "The man is on the horse."

Predicates are typed by many hands: "ON", "next to a", "wears", "are parked on". The first word
decides the kind (a form of *be*, another verb, a participle, a preposition or an adjective), and
the others must lead to an object: "on", "out of", "in back of", "a trick on". A predicate that fits
no rule ("agaist", "man in", "and"), or has two readings ("put on", "hold by"), gives
no sentence rather than a wrong one.
"""

import re


def plain_predicate(predicate: str) -> str:
    """Return a predicate in lower case, on one line, without the article that ends it."""
    words = predicate.lower().split()
    while len(words) > 1 and words[-1] in _DETERMINERS:
        words.pop()
    return " ".join(words)


def relationship_sentence(subject: str, predicate: str, object_: str) -> str | None:
    """Return a relationship as a sentence, or None where the predicate makes no sentence.

    Args:
        subject: the clean name of the subject.
        predicate: the owner's predicate, clean.
        object_: the clean name of the object.
    """
    words = plain_predicate(predicate).split()
    several = is_plural(subject)
    if not 0 < len(words) <= _MOST_WORDS or (words[-1] == "between" and not is_plural(object_)):
        return None
    about, other = definite(subject), definite(object_)
    if about == other and other.startswith("the "):
        other = f"the other {other[4:]}"
    if len(words) == 1 and words[0] in _ATTRIBUTIVE:
        return f"{'These are' if several else 'This is'} {about} {words[0]} {other}."
    if len(words) == 1 and words[0] in {"say", "says", "saying"}:
        other = f'"{object_.strip(_MARKS)}"'
    elif words[:-1] and words[-2:-1] == ["made"] and words[-1] in {"of", "from"}:
        other = other.removeprefix("the ")
    clause = _clause(words, several)
    return f"{about[0].upper()}{about[1:]} {clause} {other}." if clause else None


def definite(name: str) -> str:
    """Return a name with the article "the", unless the name begins with a possessive."""
    words = name.strip(_MARKS[1:]).split() or [name]
    if len(words) > 1 and words[0].lower() in _ARTICLES:
        words = words[1:]
    return " ".join(words if words[0].lower() in _POSSESSIVES else ["the", *words])


def is_plural(name: str) -> bool:
    """Return whether a name is plural, by the form of its main word."""
    words = re.split(r" (?:of|in|on|with|at|from|for) ", name.lower().strip(_MARKS))[0].split()
    head = words[-1] if words else ""
    if words[-2:-1] == ["and"] or head in _PLURALS:
        return True
    if head in _SINGULARS:
        return False
    ends = head.endswith("s") and not head.endswith(("ss", "us", "'s"))
    return ends or head.endswith(("men", "people", "children"))


def _clause(words: list[str], several: bool) -> str | None:
    """Return the words between subject and object, verb first; None without a sentence."""
    if words[0] in {"has", "have"} and words[1:2] == ["been"]:
        words = words[1:]
    if being := words[0] in _BE:
        words = words[1:]
    if not words or _NONSENSE.search(" ".join(words)) or (not being and _is_ambiguous(words)):
        return None
    base = _STATES.get(words[0]) or ("" if being else _VERBS.get(words[0], ""))
    if base and not _is_participle(words):
        rest = _after_verb(base, words[1:])
        verb = base if several else _third_person(base)
        return None if rest is None else f"{verb} {rest}".rstrip()
    state = _state(words)
    return state and f"{'are' if several else 'is'} {state}"


def _is_ambiguous(words: list[str]) -> bool:
    """Return whether a predicate has two readings: in "cut into", the subject cuts or is cut.

    "Eat by" may mean "eaten by". A sign reads a text, but a person reads a book.
    """
    head, *rest = words
    if head in _PAST_OR_PRESENT:
        return rest != ["by"] and (bool(rest) or head == "read")
    return words == ["reads"] or (head in _EITHER and rest == ["by"])


def _state(words: list[str]) -> str | None:
    """Return the words that can come between a form of "be" and the object, or None."""
    head, *rest = words
    following = " ".join(rest)
    if rest == ["of"] and head in _PLACES:
        return _lead(f"{head} of") or _lead(f"at {head} of")
    if head in _PREPOSITIONS:
        return _lead(" ".join(words)) if _is_place(words) else None
    if rest and _is_adverb(head):
        ending = _state(rest)
    elif head == "being" or (head == "getting" and _is_participle(rest)):
        ending = _state(rest) if _is_participle(rest) else None
    elif _is_doing(head):
        ending = _after_verb(_base(head), rest)
    elif _is_participle(words):
        fits = rest[0] != "of" or head in {"composed", "formed", "made"}
        ending = _lead(following) if fits and following not in _PARTICLES else None
    elif following == "than":
        ending = following if head.endswith("er") and head not in {"other", "rather"} else None
    else:
        fits = bool(rest) and rest[0] in _ADJECTIVES.get(head, ())
        ending = _lead(following) if fits else None
    return None if ending is None else f"{head} {ending}".rstrip()


def _is_place(words: list[str]) -> bool:
    """Return whether words that begin with a preposition can directly follow a form of "be"."""
    if words[0] == "to":
        return _PLACE.fullmatch(" ".join(words)) is not None
    return words[0] not in {*_ATTRIBUTIVE, "as"} and words[-1] not in {"for", "into", "onto", "out"}


def _after_verb(base: str, words: list[str]) -> str | None:
    """Return the words between a verb ("" if unknown) and the object, e.g. "next to"; or None."""
    text = " ".join(words)
    if not words:
        return None if base in _INTRANSITIVE else ""
    if words == ["of"] or f"{base} {text}" in _UNFINISHED:
        return None
    if base not in _TRANSITIVE or text in _PARTICLES or f"{base} {text}" in _PHRASAL:
        lead = _lead(text)
        if lead or base in _INTRANSITIVE:
            return lead
    for end in range(1, len(words)):
        if (lead := _lead(" ".join(words[end:]))) and _is_object(words[:end]):
            return " ".join([*words[:end], lead])
    return None


def _is_object(words: list[str]) -> bool:
    """Return whether words can be a verb's object: "a trick", "bikes", "tennis", but not "road"."""
    if words[0] in _DETERMINERS:
        return len(words) > 1
    several = is_plural(words[0]) and words[0] not in _PREPOSITIONS
    return len(words) == 1 and (several or words[0] in _BARE)


def _lead(text: str) -> str | None:
    """Return words that lead to an object, with missing articles added; None for "road on".

    "on", "out of" and "in a bed with" stay, and "on side of" becomes "on the side of".
    """
    if text in _PREPOSITIONS or _PHRASE.fullmatch(text):
        return text
    if text in {"left of", "right of"}:
        return f"to the {text}"
    if match := _PLACE.fullmatch(text):
        return f"{match['at']} {match['which'] or 'the'} {match['place']} of"
    first, _, rest = text.partition(" ")
    lead = _lead(rest) if _is_adverb(first) and rest not in {"", "of"} else None
    return lead and f"{first} {lead}"


def _is_adverb(word: str) -> bool:
    return word in _ADVERBS or (word.endswith("ly") and word not in _NO_ADVERBS)


def _is_doing(word: str) -> bool:
    return word.endswith("ing") and word not in _NO_PARTICIPLES


def _base(doing: str) -> str:
    """Return the base form of a present participle; "" for an unknown verb."""
    bases = {doing[:-3], doing[:-4], f"{doing[:-3]}e", f"{doing[:-4]}ie"}
    return next(iter(sorted(bases & _VERBS.keys())), "")


def _is_participle(words: list[str]) -> bool:
    """Return whether words begin with a past participle of passive meaning, and go on."""
    head = words[0] if len(words) > 1 else ""
    if head.endswith("ed") and len(head) > 3 and head not in _NO_PARTICIPLES:
        return not {head[:-3], head[:-2], head[:-1]} & (_INTRANSITIVE - _POSTURES)
    return head in _PARTICIPLES | _PAST_OR_PRESENT


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


def _one_of(words: frozenset[str]) -> str:
    return f"(?:{'|'.join(sorted(words))})"


_MOST_WORDS = 10  # words of a predicate
_MARKS = "\"'.,;: "
_ARTICLES = _words("a an the some")
_POSSESSIVES = _words("his her its their my our your this that these those")
_DETERMINERS = _ARTICLES | _POSSESSIVES - {"that", "this"}
_BE = _words("am are be been is was were")
_PARTICLES = _words("up down off out")
_ADVERBS = _PARTICLES | _words(
    "all almost along also around back half inside just not outside over right still together"
)
_NO_ADVERBS = _words("belly curly early family fly holly jelly lily ugly")
_PREPOSITIONS = _words(
    "about above across after against along alongside amid amidst among amongst around as at atop "
    "before behind below beneath beside between beyond by down during for from in inside into like "
    "near of off on onto opposite out outside over past through throughout to toward towards under "
    "underneath up upon via with within without"
)
# Words that fit better in a noun phrase: "the door to the patio".
_ATTRIBUTIVE = _words("for from of to with without")
_ADJECTIVES = {
    adjective: _words(following)
    for following, adjectives in {
        "to": "adjacent close identical level next parallel perpendicular similar",
        "from": "across apart away different far separate",
        "of": "ahead full part",
        "above from in near on to up": "bare empty high inches low open together",
        "at behind below for from in near on through under with": "available ready visible",
    }.items()
    for adjective in adjectives.split()
}
_PLACES = _words("back base bottom center centre corner edge end front left middle rear right top")
_PARTS = _PLACES | _words(
    "arm arms body ceiling corners edges ends exterior face feet floor foot hand hands head inside "
    "interior leg legs neck nose outside roof shade shape shore shoulder shoulders side sides "
    "surface tip torso trunk underside wall wrist"
)
_P, _D = _one_of(_PREPOSITIONS), _one_of(_DETERMINERS)
_PLACE = re.compile(
    rf"(?!in sides? of)(?P<at>{_P})(?: (?P<which>{_D}|both|each|either))? "
    r"(?P<place>(?:(?:back|bottom|far|front|hand|left|lower|near|other|right|top|upper) )*"
    rf"{_one_of(_PARTS)}) of"
)
_PHRASE = re.compile(
    rf"""(?:ahead|alongside|atop|inside|off|out|outside)\ of | in\ (?:back|front|place)\ of
    | on\ top\ of | (?:across|away|far)\ from | from\ (?:above|behind|below|beneath|under|within)
    | (?:adjacent|close|near|next|on|opposite)\ to | (?:along|in\ contact|in\ line)\ with
    | in\ between | {_P}\ {_D}\ (?!{_P}\b).+\ {_P}""",
    re.VERBOSE,
)
_NONSENSE = re.compile(rf" (?:{_one_of(_BE)}|has|have)\b|\b{_D} {_D}\b")
# Verbs in their base form: those that need an object, those that may have one, and the others.
_TRANSITIVE = _words(
    "attempt bear block border brush carry cast catch contain cover decorate display divide "
    "enclose enter feature fill frame grab have hit hold hug include kiss learn lick line make "
    "need overlook own pet protect say see separate serve shade shelter support surround take "
    "throw touch try use wash wear"
)
_EITHER = _words(
    "attach bite chase connect cross cut drink drive eat face feed fly follow hide kick lead park "
    "pass play pour pull push reach read reflect ride show sniff spray swing watch"
)
_INTRANSITIVE = _words(
    "arrive belong bend bloom blossom climb come crash crouch dance dine extend float flow gaze "
    "glow go graze grow hang jog jump kneel land lay lean lie live look move point pose relax rest "
    "rise roam run sail shine shop sit skate skateboard ski sleep smile snowboard squat stand "
    "stare stay stick stroll surf swim talk travel wait walk work"
)
_PHRASAL = {"have on", "hold on to", "hold onto"}
_POSTURES = _words("bend crouch kneel lay lean lie sit squat stand")
_UNFINISHED = {f"{base} {text}" for base in _POSTURES for text in _PARTICLES} | {"wait to"}
_BASES = _TRANSITIVE | _EITHER | _INTRANSITIVE
_VERBS = {form: base for base in _BASES for form in (base, _third_person(base))}
_PARTICIPLES = _words(
    "bent blown broken built cast caught drawn driven eaten fed flown found frozen grown held "
    "hidden hung kept knit laid led left lit made ridden seen set sewn shown shut sold split "
    "spread strewn stuck sunk taken thrown torn wound worn woven written"
)
_PAST_OR_PRESENT = _words("cut hit put read")
_NO_PARTICIPLES = _words(
    "awning building ceiling cladding clothing crossing during earring evening everything feed "
    "flooring frosting icing king landscaping lighting lightning morning need nothing painting "
    "passed railing reached reed ring seed shed siding sled something speed spring string thing "
    "topping weed wing"
)
_BARE = _words("baseball basketball care food football frisbee fun part soccer tennis water")
# Verbs of a state, not of an action in progress: "belongs to", not "is belonging to".
_STATES = {"belonging": "belong", "containing": "contain", "having": "have"}
_PLURALS = _words("cacti cattle emus feet geese gnus gurus menus mice oxen police teeth tutus")
_SINGULARS = _words(
    "abdomen axis basis canvas chassis clematis debris gas iris is lens news oasis pelvis ramen "
    "series species specimen tennis this trellis"
)
