"""Cards that wait in a temporary file for their page: only their order is kept in memory."""

from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from types import TracebackType
from typing import NamedTuple, Self

import msgspec

from pipelines.report.cards import Card


class _Entry(NamedTuple):
    unscored: bool  # cards without a score come last
    clip: float
    rank: int
    offset: int
    length: int


class Spool:
    """A temporary file of cards; it is deleted when the block ends."""

    def __enter__(self) -> Self:
        """Open the file."""
        self._file = TemporaryFile()
        self._entries: list[_Entry] = []
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and so delete it."""
        self._file.close()

    def __len__(self) -> int:
        """Return the number of cards."""
        return len(self._entries)

    def add(self, card: Card) -> None:
        """Append a card to the file."""
        content = _ENCODER.encode(card)
        unscored, clip = card.clip is None, card.clip or 0.0
        self._entries.append(_Entry(unscored, clip, card.rank, self._file.tell(), len(content)))
        self._file.write(content)

    def by_score(self, per_page: int) -> Iterator[list[Card]]:
        """Yield pages of cards, the lowest scores first, cards without a score last."""
        self._entries.sort()
        for start in range(0, len(self._entries), per_page):
            yield self._read(self._entries[start : start + per_page])

    def fair_sample(self, count: int) -> list[Card]:
        """Return cards of evenly spaced ranks among the scores, in an order by hash.

        Where no card has a score, the cards with the smallest hashes are returned.
        """
        self._entries.sort()
        scored = [entry for entry in self._entries if not entry.unscored] or self._entries
        number = min(count, len(scored))
        chosen = [scored[index * len(scored) // number] for index in range(number)]
        return self._read(sorted(chosen, key=lambda entry: (entry.rank, entry.offset)))

    def _read(self, entries: Iterable[_Entry]) -> list[Card]:
        cards = []
        for entry in entries:
            self._file.seek(entry.offset)
            cards.append(_DECODER.decode(self._file.read(entry.length)))
        self._file.seek(0, 2)
        return cards


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Card)
