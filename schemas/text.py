"""The disarming of foreign text, so that it can be part of a conversation.

Names, sentences and captions are data. They may hold text that looks like our placeholders
(`<image>`, `<region1>`), a template's role markers or stop strings, or control characters; a
model's tokenizer would obey them. They are disarmed here, once, where they enter a message.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from unicodedata import normalize

from schemas.item import Mention, Passage, plain_text
from schemas.limits import MAX_NESTED_TAGS, MAX_TEXT_CHARACTERS, MAX_TURN_CHARACTERS
from schemas.rejection import Reason, Rejected

# Text that nothing here would change, as most is: words of harmless ASCII characters (none of which
# is `<`, `>`, `#` or `:`), in a turn also between several blanks or on several lines.
_WORD = r"[!\"$-9;=?-~]++"
_PLAIN = re.compile(rf"{_WORD}(?: {_WORD})*+")
_PLAIN_TURN = re.compile(rf"{_WORD}(?:[ \n]++{_WORD})*+")

# Quantifiers are possessive wherever blanks or words could else be divided in many ways.
_TAG = re.compile(r"<(\s*+(?:[/|]\s*+)?[^\W\d][^<>]*+)>")
_UNCLOSED = re.compile(r"<(?=[^\W\d]|[/|]\s*+[^\W\d])")  # the text that follows could close the tag
_STOP = re.compile(r"#{3,}")
_ROLE = re.compile(r"(USER|ASSISTANT|SYSTEM|Human|Assistant):")
_BLANKS = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
_BREAK = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SPECIAL = re.compile(
    r"<(\s*+(?:/\s*+)?(?:(?:image|im_[a-z]++|bbox|box|mask|point|s|unk|pad|bos|eos)\s*+"
    r"|region[^<>]*+|\|(?:[^<>|]*+\|)++\s*+))>",
    re.IGNORECASE,
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(text: str, max_characters: int = MAX_TEXT_CHARACTERS) -> str:
    """Return the text on one line, disarmed: no tag, stop string, role marker or control character.

    `<region1>` becomes `(region1)`, `###` becomes `# # #`, `USER:` becomes `USER :`.

    Raises:
        Rejected: nothing visible is left (`text_empty`), the text exceeds `max_characters`, or tags
            are nested more than `MAX_NESTED_TAGS` deep (`text_unsafe`).
    """
    _check_length(text, max_characters)
    if _PLAIN.fullmatch(bare := text.strip(" ")):
        return bare
    plain = _BLANKS.sub(" ", text).strip()
    plain = _disarmed(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", plain), _disarm)
    return _checked(plain, text, max_characters)


def storable(text: str) -> str:
    """Return the text with lone surrogates replaced, which UTF-8 cannot hold."""
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_passage(passage: Passage) -> Passage:
    """Return the passage disarmed piece by piece, with each run of blanks as one blank.

    Blanks at the edges of a mention move into the text around it.

    Raises:
        Rejected: as in `clean`; or pieces, each harmless, join to a forbidden string
            (`text_unsafe`).
    """
    _check_length(plain_text(passage), MAX_TEXT_CHARACTERS)
    pieces: list[str | Mention] = []
    for piece in passage:
        text = _BLANKS.sub(" ", plain_text((piece,)))
        parted = plain_text(tuple(pieces[-1:])).endswith(" ")
        before, after = " " * (text[:1] == " " and not parted), " " * text.endswith(" ")
        if isinstance(piece, Mention):
            words: str | Mention = Mention(clean(piece.text), piece.region_ids)
            pieces += [part for part in (before, words, after) if part]
        elif text.strip():
            pieces.append(f"{before}{clean(piece)}{after}")
        elif before:
            pieces.append(before)
    joined = plain_text(tuple(pieces))
    if clean(joined) != joined.strip():
        raise Rejected(Reason.TEXT_UNSAFE, f"{joined[:200]!r} holds a placeholder or a marker")
    return tuple(pieces)


def clean_turn(text: str) -> str:
    """Return a turn of a conversation, disarmed, with its lines and its indentation.

    Such a turn may hold code, so only text that a model or a template obeys changes: placeholders
    and special tokens, stop strings, role markers, control characters. Outer blank lines go.

    Raises:
        Rejected: `text_empty`, `text_too_long` (above `MAX_TURN_CHARACTERS`), or `text_unsafe`
            (tags nested more than `MAX_NESTED_TAGS` deep).
    """
    _check_length(text, MAX_TURN_CHARACTERS)
    if _PLAIN_TURN.fullmatch(text):
        return text
    plain = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _BREAK.sub("\n", text))
    plain = _CONTROL.sub("", plain).rstrip()
    first = len(plain) - len(plain.lstrip())  # visible characters
    plain = plain[plain.rfind("\n", 0, first) + 1 :]
    return _checked(_disarmed(plain, _disarm_turn), text, MAX_TURN_CHARACTERS)


@lru_cache(maxsize=65_536)
def shown_name(category: str) -> str:
    """Return a category's name in readable form: clean, with spaces for underscores."""
    return clean(category.replace("_", " "))


def _check_length(text: str, most: int) -> None:
    if len(text) > most:
        raise Rejected(Reason.TEXT_TOO_LONG, f"{len(text)} characters, at most {most}")


def _checked(plain: str, text: str, most: int) -> str:
    """Return a disarmed text, or raise `Rejected` where it cannot be used."""
    _check_length(plain, most)
    if not plain:
        raise Rejected(Reason.TEXT_EMPTY, f"expected visible characters, found {text[:20]!r}")
    return plain


def _disarmed(plain: str, disarm: Callable[[str], str]) -> str:
    """Return the text disarmed, also in the form in which tokenizers fold wide letters."""
    plain = disarm(plain)
    if not plain.isascii():
        folded = "".join(map(_fold, plain))
        if (calmer := disarm(folded)) != folded:
            return calmer
    return plain


def _disarm(text: str) -> str:
    return _disarm_markers(_UNCLOSED.sub("< ", _untagged(_TAG, text)))


def _disarm_turn(text: str) -> str:
    return _disarm_markers(_untagged(_SPECIAL, text))


def _disarm_markers(text: str) -> str:
    text = _STOP.sub(lambda match: " ".join(match.group()), text)
    return _ROLE.sub(r"\1 :", text)


def _untagged(tag: re.Pattern[str], text: str) -> str:
    """Return the text with round brackets in place of its tags' angle brackets, innermost first."""
    for _ in range(MAX_NESTED_TAGS + 1):
        text, replaced = tag.subn(r"(\1)", text)
        if not replaced:
            return text
    raise Rejected(Reason.TEXT_UNSAFE, f"tags are nested more than {MAX_NESTED_TAGS} deep")


def _fold(character: str) -> str:
    plain = normalize("NFKC", character)
    return plain if plain.isascii() else character
