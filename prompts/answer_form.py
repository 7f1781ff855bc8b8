"""The form of an answer, by which the wording of its request is chosen.

    "a red car parked at the curb"      phrase: it names something
    "the clock is green"                clause: it states something, without capital and stop
    "The man is casting a shadow."      sentence: it states something, written as a sentence

A text states something where it has a finite verb of its own. The verb of a relative clause is not
one: "the man who is sitting" and "the chair the cat is on" are phrases. There is no tagger: forms
of `be` and `have` are verbs, and other verbs come from lists.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache


class AnswerForm(StrEnum):
    """The form of an answer."""

    PHRASE = "phrase"
    CLAUSE = "clause"
    SENTENCE = "sentence"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_BE = _words("is are was were isn't aren't wasn't weren't isnt arent wasnt werent")
_AUXILIARIES = _BE | _words(
    """has have had does did am hasn't haven't doesn't don't didn't hasnt havent doesnt
    it's there's he's she's they're that's theres hes shes"""
)
# Third persons that are hardly ever nouns.
_VERBS = _words(
    """accompanies appears approaches attempts becomes begins belongs bends carries chews consists
    contains crouches depicts eats enjoys extends gazes gets gives goes grazes hangs happens holds
    indicates keeps kneels laughs lays leads leans licks lies looks makes matches overlooks performs
    poses pours prepares pulls pushes reaches reads reflects resembles rests rides says seems serves
    shows sits sleeps sniffs squats stares stretches surrounds swims takes throws tries uses waits
    wants wears"""
)
# Forms that are nouns too: verbs after a person or an animal, or before an article.
_VERBS_OR_NOUNS = _words(
    """catches covers crosses cuts displays drinks drives faces features flies hits jumps kicks
    lights plays runs skis smiles stands surfs swings talks touches walks watches works carry cover
    eat hang hold lean lie line look play pose ride run share sit stand surround wait walk watch
    wear work"""
)
_PLURAL_VERBS = _words("hang line sit stand lie")  # "pictures hang over a desk"
_BEINGS = _words(
    """bear bears bird birds boy boys cat catcher cats child children cow cows dog dogs elephant
    elephants giraffe giraffes girl girls guy guys he horse horses it kid kids ladies lady man men
    people person player players sheep she skateboarder skier snowboarder someone surfer they umpire
    batter we woman women zebra zebras"""
)
_SUBORDINATORS = _words("that who whom whose which what whatever where when while as because if")
_SUBORDINATORS |= _words("whos whats thats how")
_PRONOUNS = _words("i you he she it they we someone")
_DETERMINERS = _words("a an the this these those its his her their your my another no")
_CONJUNCTIONS = _words("and or but , ;")
# What may stand before the object of a modifier: in "man next to the dog is", the dog is no subject.
_LINKS = _words(
    """of in on at to by with from near beside behind under over above below between against across
    along around next for into onto off out inside outside through toward towards up down without
    beneath atop past all both not just also then when where while as that because"""
)
_LINKS |= _CONJUNCTIONS | _AUXILIARIES | _VERBS
_STRANDED = _words("in on at to by with from near beside behind under over above below against")
_STRANDED |= _words("into onto through toward towards up of across around next inside for")
_SWITCHED = _words(
    "it light lights lamp lamps tv computer computers monitor screen laptop oven fan"
)
_INFINITIVES = _words("to doesn't don't didn't doesnt didnt")
_WATCHED = _words("watching helping seeing making letting")
_OPENERS = _DETERMINERS | _PRONOUNS | _words("there that two three several many some both")

_PLURAL = re.compile(r"[^su]s$")
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|[,;]")
_STOPPED = re.compile(r"[.!?][\"')]*$")
_TYPOGRAPHY = str.maketrans({"\u2019": "'"})


@lru_cache(maxsize=4096)
def answer_form(text: str) -> AnswerForm:
    """Return the form of an answer.

    A clause is written as a sentence where it begins with a capital, and ends with a stop or
    begins with an article, pronoun or number ("The desk is cluttered", not "Computer is on").
    """
    words = _WORD.findall(text.lower().translate(_TYPOGRAPHY))
    if not _has_main_verb(words):
        return AnswerForm.PHRASE
    whole = _STOPPED.search(text) is not None or words[0] in _OPENERS
    return AnswerForm.SENTENCE if whole and text[:1].isupper() else AnswerForm.CLAUSE


def _has_main_verb(words: Sequence[str]) -> bool:
    subordinators = 0  # subordinators whose verb is still to come
    subordinate = False  # whether the verb before was one of a relative clause
    for position, word in enumerate(words):
        if _is_verb(words, position):
            coordinated = position > 0 and words[position - 1] in _CONJUNCTIONS
            if not (coordinated and subordinate):
                subordinate = subordinators > 0 or _is_relative(words, position)
                subordinators = max(0, subordinators - 1)
            if not subordinate:
                return True
        elif _is_subordinator(words, position, word):
            subordinators += 1
    return False


def _is_verb(words: Sequence[str], position: int) -> bool:
    word = words[position]
    following = words[position + 1] if position + 1 < len(words) else ""
    before = words[position - 1] if position else ""
    if word == "were" and following in _DETERMINERS | _PRONOUNS:
        return False  # "opposite were the men are standing"
    if before in _INFINITIVES:
        return False  # "seems to have", "doesn't have"
    if word in _AUXILIARIES or word in _VERBS:
        return True
    if word == "can":
        return following == "be"
    if _WATCHED.intersection(words[:position]):
        return False  # "a man watching people work"
    return word in _VERBS_OR_NOUNS and bool(
        (before in _BEINGS and following != "")
        or (following in _DETERMINERS and before not in _DETERMINERS | _LINKS | {""})
        or (word in _PLURAL_VERBS and _PLURAL.search(before) and following in _LINKS)
    )


def _is_subordinator(words: Sequence[str], position: int, word: str) -> bool:
    following = words[position + 1] if position + 1 < len(words) else ""
    if word == "that" and position == 0:
        return following not in _AUXILIARIES  # "that is a telephone"
    return word in _SUBORDINATORS or (
        word == "were" and position > 0 and following in _DETERMINERS | _PRONOUNS
    )


def _is_relative(words: Sequence[str], position: int) -> bool:
    """Return whether a verb is one of a relative clause without a relative pronoun.

    Such a clause has a subject with an article in the midst ("the chair the cat is on"), or a
    preposition at the end without its object ("bench woman is sitting on").
    """
    starts = [at for at in range(position) if words[at] in _DETERMINERS or words[at] in _PRONOUNS]
    if starts and starts[-1] > 0:
        before = words[starts[-1] - 1]
        if before not in _LINKS and before not in _DETERMINERS and not before.endswith("ing"):
            return True
    rest = words[position + 1 :]
    if words[position] not in _BE or not rest or rest[-1] not in _STRANDED:
        return False
    if rest == ["on"]:
        return words[0] not in _SWITCHED and words[position - 1] not in _SWITCHED
    return len(rest) == 1 or (len(rest) == 2 and rest[0].endswith("ing"))
