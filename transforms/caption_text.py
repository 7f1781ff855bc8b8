"""The text of a caption in a model's answer: without leaked tokens, thoughts and markup, and "
"whole.

An example, where the answer ends at the limit of tokens:

    "<|im_start|>assistant\n**Caption:** A *red* car. It has two doors. Its ro"
    -> "A red car. It has two doors."
"""

import re
from typing import Literal

from transforms.sentences import whole_sentences

Finish = Literal["stop", "length", "other"]  # reason for an answer's end

THINKS, THOUGHT = "<think>", "</think>"

_ROLE = r"(?:ASSISTANT|Assistant|AI|GPT|Model)"
# Tokens and names that begin an answer, where the server does not hide its template.
_OPENING = re.compile(
    r"\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>|\[/INST\]|<\|(?:assistant|eot_id)\|>"
    r"|(?:<\|(?:im_start|start_header_id)\|>|<start_of_turn>)\s*(?:assistant|model)?"
    r"(?:<\|end_header_id\|>)?)"
    rf"|(?:###\s*)?{_ROLE}\s*:|(?:assistant|model)\s*\n)"
)
# Tokens and names with which a template ends a turn, or begins another one.
_STOP = re.compile(
    r"</?s>|<\|(?:im_end|im_start|endoftext|end_of_text|eot_id|eot|eom_id|end|eos|end_of_turn"
    r"|start_header_id|end_header_id|begin_of_text|assistant|user|system)\|>"
    r"|<(?:end_of_turn|start_of_turn|end_of_utterance|eos|bos|pad|unk|endoftext)>"
    r"|<\uff5c[^<>\uff5c]{1,40}\uff5c>|\[/?INST\]|<</?SYS>>"
    r"|(?:^|(?<=[.!?\n\"\u201d*]))[ \t]*(?:###\s*)?(?:USER|ASSISTANT|HUMAN|SYSTEM)\s*:"
    r"|\n\s*(?:###\s*)?(?:User|Human|Assistant|System|Instruction)\s*:"
)
_LABEL = re.compile(
    r"\s*(?:(?:Detailed |Short |Final |Image |Region )?(?:Caption|Description|Answer|Output"
    r"|Response)"
    r"\s*:)\s*",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^\s*(?:```|~~~)[\w-]*\s*$", re.MULTILINE)
_HEADING = re.compile(
    r"^\s*#{1,6}\s+\S.*$|^\s*(?:\*\*|__)[^*\n]{1,80}?(?:\*\*|__)\s*:?\s*$", re.MULTILINE
)
_BULLET = re.compile(r"^\s*(?:[-*+\u2022\u2013]|\d{1,2}[.)]|[a-h]\))\s+(?=\S)", re.MULTILINE)
_STRONG = re.compile(r"(\*\*|__|\*|`)(?=[^\s*`])((?:(?!\1)[^\n]){1,300}?)(?<=\S)\1")
_FORMAT = re.compile(r"</?(?:b|i|u|em|strong|p|br|span|div)\s*/?>", re.IGNORECASE)
_STRAY = re.compile(r"(?<!\S)\*{1,3}(?=\w)|(?<=[\w.!?])\*{1,3}(?!\S)")
_QUOTES = {'"': '"', "\u201c": "\u201d"}

# Forms in which parts of an answer are set apart, so that they do not read as prose.
_FIELD = re.compile(
    r"^\s*(?:[-*+\u2022\u2013]\s+)?[*_]{0,2}[A-Z][\w /&-]{0,30}?[*_]{0,2}"
    r"(?::[*_]{0,2}\s*|\s+[-\u2013\u2014]\s+)\S",
    re.MULTILINE,
)
_FORMS = {
    "a table": re.compile(r"^\s*\|.*\|\s*$|^\s*\|?\s*:?-{3,}:?\s*\|", re.MULTILINE),
    "a data format": re.compile(r"\A\s*[\[{]\s*(?:[\"'{\[]|$)|<\?xml|</\w+>"),
    "a link": re.compile(r"!?\[[^\]\n]{0,200}\]\([^)\n]{1,300}\)|https?://\S+"),
    "coordinates": re.compile(
        r"</?(?:ref|box|quad|point|loc\d*|seg\d*)>|<\|(?:box|object_ref|quad)_(?:start|end)\|>"
        r"|[\[(]\[?\s*\d+(?:\.\d+)?(?:\s*,\s*\d+(?:\.\d+)?){3}\s*\]?[\])]"
    ),
}


def spoken(text: str, finish: Finish) -> tuple[str | None, Finish]:
    """Return the answer that a model meant, without leaked tokens and thoughts, and its finish.

    The text is None where it ends before its thoughts do. A text that a leaked token ends is whole.
    """
    ended, finish = _ended(text, finish)
    answer = after_thinking(ended)
    return (None, finish) if answer is None else _ended(answer, finish)


def after_thinking(text: str) -> str | None:
    """Return a model's answer without its thoughts; None where the text ends before the answer.

    "<think>A dog?</think>A cat." -> "A cat."; where the prompt's template opened the thought,
    the text has only the closing tag.
    """
    answer = text.rpartition(THOUGHT)[2]
    return None if THINKS in answer else answer


def markup(text: str) -> str:
    """Return the form of a text that is not prose, in words; empty for prose with simple "
    "markup."""
    text = _FENCE.sub("", text)
    if len(_BULLET.findall(text)) > 1:
        return "a list"
    if len(_HEADING.findall(text)) > 1:
        return "headings"
    if len(_FIELD.findall(text)) > 1:
        return "fields"
    return next((name for name, form in _FORMS.items() if form.search(text)), "")


def plain(text: str) -> str:
    """Return prose without simple markup: one heading, label or bullet, emphasis, quotes "
    "around it.

    "### Caption\nA **red** car" -> "A red car".
    """
    text = _FORMAT.sub(" ", _FENCE.sub("", text))
    rest = _HEADING.sub("", text)
    text = _BULLET.sub("", rest if any(map(str.isalpha, rest)) else text)
    text = _STRAY.sub("", _STRONG.sub(r"\2", _STRONG.sub(r"\2", text))).strip()
    if label := _LABEL.match(text):
        text = text[label.end() :]
    if text[:1] in _QUOTES and text[-1] == (close := _QUOTES[text[0]]):
        inner = text[1:-1]
        text = inner if not {text[0], close} & set(inner) else text
    return text.strip()


def whole(text: str, finish: Finish, least: int) -> str | None:
    """Return a text up to its last whole sentence; None where fewer than `least` are whole.

    Args:
        text: the text of an answer.
        finish: the reason for its end; only a text that did not stop by itself is cut.
        least: the number of whole sentences that make a caption.
    """
    if finish == "stop":
        return text
    kept = whole_sentences(text)
    if finish == "other" and kept and text.rstrip().endswith(kept[-1]):
        return text
    return " ".join(kept) if len(kept) >= least else None


def _ended(text: str, finish: Finish) -> tuple[str, Finish]:
    while opening := _OPENING.match(text):
        text = text[opening.end() :]
    if (stop := _STOP.search(text)) is None:
        return text, finish
    return text[: stop.start()], "stop"
