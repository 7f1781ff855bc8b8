"""The division of long captions into windows of sentences that fit into a text encoder."""

from collections.abc import Callable, Iterator

from transforms.sentences import sentences

Fits = Callable[[str], bool]


def windows(text: str, fits: Fits) -> list[str]:
    """Return the whole text as consecutive windows of whole sentences.

    A sentence that does not fit is cut between words, and a word that does not fit between
    characters.

    Args:
        text: a caption; a text without words makes one window.
        fits: function that returns whether the encoder takes a text whole.
    """
    if fits(text):
        return [text]
    pieces = [piece for sentence in sentences(text) for piece in _cut(sentence, fits)]
    return list(_packed(pieces, fits)) or [text]


def _cut(sentence: str, fits: Fits) -> list[str]:
    if fits(sentence):
        return [sentence]
    words = [piece for word in sentence.split() for piece in _halved(word, fits)]
    return list(_packed(words, fits))


def _packed(pieces: list[str], fits: Fits) -> Iterator[str]:
    """Yield texts of consecutive pieces joined, each with as many pieces as fit."""
    window = ""
    for piece in pieces:
        longer = f"{window} {piece}" if window else piece
        if window and not fits(longer):
            yield window
            window = piece
        else:
            window = longer
    if window:
        yield window


def _halved(word: str, fits: Fits) -> list[str]:
    if fits(word) or len(word) < 2:
        return [word]
    middle = len(word) // 2
    return _halved(word[:middle], fits) + _halved(word[middle:], fits)
