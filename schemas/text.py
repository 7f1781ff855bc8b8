"""Text that came from outside, made safe to stand in a conversation.

Names, sentences and captions are data. They may hold what our own placeholders look like
(`<image>`, `<region1>`), a template's role markers or stop strings, or control characters; a
model's tokenizer would obey them. They are disarmed here, once, where they enter a message.
"""

import re
from functools import lru_cache
from unicodedata import normalize

from schemas.rejection import Reason, Rejected

MAX_CHARACTERS = 4_000

_TAG = re.compile(r"<(\s*[/|]?\s*[^\W\d][^<>]*)>")
_UNCLOSED = re.compile(r"<(?=[^\W\d]|[/|]\s*[^\W\d])")  # what is written after it could close it
_STOP = re.compile(r"#{3,}")
_ROLE = re.compile(r"(USER|ASSISTANT|SYSTEM|Human|Assistant):")
_BLANKS = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return the text on one line, disarmed: no tag, stop string, role marker or control character.

    `<region1>` becomes `(region1)`, `###` becomes `# # #`, `USER:` becomes `USER :`.

    Raises:
        Rejected: nothing visible is left (`text_empty`), or it exceeds `MAX_CHARACTERS`.
    """
    _check_length(text)
    plain = _BLANKS.sub(" ", text).strip()
    plain = _disarm(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", plain))
    if not plain.isascii():
        folded = "".join(map(_fold, plain))
        if _disarm(folded) != folded:  # a tokenizer may read wide letters as plain ones
            plain = _disarm(folded)
    _check_length(plain)
    if not plain:
        raise Rejected(Reason.TEXT_EMPTY, f"expected visible characters, found {text[:20]!r}")
    return plain


@lru_cache(maxsize=65_536)
def shown_name(category: str) -> str:
    """Return a category's name as a reader should see it: underscores are spaces, text is clean."""
    return clean(category.replace("_", " "))


def _check_length(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise Rejected(Reason.TEXT_TOO_LONG, f"{len(text)} characters, at most {MAX_CHARACTERS}")


def _disarm(text: str) -> str:
    while (calmer := _TAG.sub(r"(\1)", text)) != text:  # from the innermost outwards
        text = calmer
    text = _UNCLOSED.sub("< ", text)
    text = _STOP.sub(lambda found: " ".join(found.group()), text)
    return _ROLE.sub(r"\1 :", text)


def _fold(character: str) -> str:
    plain = normalize("NFKC", character)
    return plain if plain.isascii() else character
