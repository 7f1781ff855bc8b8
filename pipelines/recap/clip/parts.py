"""The division of captions into sentences that fit into a text encoder.

A score of a whole caption hides one false sentence among true ones, so each sentence has a score
of its own.
"""

from collections.abc import Callable, Iterator

from transforms.sentences import sentences

Fits = Callable[[str], bool]


def parts(text: str, fits: Fits) -> list[str]:
    """Return the sentences of a text, each whole where it fits.

    A sentence that does not fit is cut between words into as few parts as it takes, and a word that
    does not fit between characters.

    Args:
        text: a caption; a text without words is one part.
        fits: function that returns whether the encoder takes a text whole.
    """
    return [part for sentence in sentences(text) for part in _cut(sentence, fits)] or [text]


def _cut(sentence: str, fits: Fits) -> list[str]:
    if fits(sentence):
        return [sentence]
    words = [piece for word in sentence.split() for piece in _halved(word, fits)]
    return list(_packed(words, fits))


def _packed(words: list[str], fits: Fits) -> Iterator[str]:
    """Yield texts of consecutive words, each with as many words as fit."""
    text = ""
    for word in words:
        longer = f"{text} {word}" if text else word
        if text and not fits(longer):
            yield text
            text = word
        else:
            text = longer
    if text:
        yield text


def _halved(word: str, fits: Fits) -> list[str]:
    if fits(word) or len(word) < 2:
        return [word]
    middle = len(word) // 2
    return _halved(word[:middle], fits) + _halved(word[middle:], fits)
