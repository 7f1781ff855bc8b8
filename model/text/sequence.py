"""A sequence of token ids in the making, with its labels."""

from dataclasses import dataclass, field

from model.config import IGNORED, IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID
from model.text.pieces import PieceEncoder


@dataclass(frozen=True)
class TokenLayout:
    """The space that pictures take in a sequence, and the most that a sequence may take.

    Attributes:
        image_tokens: the number of tokens of a picture.
        boundaries: there is a token before and one after them.
        max_length: the most tokens of a training sequence; None: no limit.
    """

    image_tokens: int
    boundaries: bool = False
    max_length: int | None = None


@dataclass
class TokenSequence:
    """Token ids that grow at their end. Texts that follow each other are encoded as one.

    A BOS comes first where the tokenizer puts one, whether or not it is added here.

    Attributes:
        ids: the ids so far, without the text that still waits for what follows it.
        labels: the id of each supervised position; -100 elsewhere.
        regions: the region of each region token, from 0, in order.
        images: the number of pictures.
    """

    encoder: PieceEncoder
    layout: TokenLayout
    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    regions: list[int] = field(default_factory=list)
    images: int = 0
    _text: str = ""
    _supervised: bool = False
    _text_begins: bool = True  # no text stands before the next one

    def add_text(self, text: str, *, supervised: bool = False) -> None:
        """Add data or the template's own words."""
        if text and supervised != self._supervised:
            self.flush()
            self._supervised = supervised
        self._text += text

    def add_mark(self, number: int, *, supervised: bool = False) -> None:
        """Add a special token."""
        begins = number == self.encoder.bos and not self.ids and not self._text
        self._add([number], supervised=supervised)
        self._text_begins = begins

    def add_image(self) -> None:
        """Add the tokens of a picture, which no model can learn to write."""
        inner = [IMAGE_ID] * self.layout.image_tokens
        whole = [IMAGE_START_ID, *inner, IMAGE_END_ID] if self.layout.boundaries else inner
        self._add(whole, supervised=False)
        self.images += 1

    def add_region(self, region: int) -> None:
        """Add the token of a region, numbered from 0, which no model can learn to write."""
        self._add([REGION_ID], supervised=False)
        self.regions.append(region)

    def flush(self) -> None:
        """Encode the text that waits."""
        if text := self._text:
            self._text = ""
            ids = self.encoder.encode(text, first=self._text_begins)
            self._add(ids, supervised=self._supervised)

    def _add(self, ids: list[int], *, supervised: bool) -> None:
        self.flush()
        if not self.ids and ids[0] != self.encoder.bos:
            self.ids += self.encoder.beginning
            self.labels += [IGNORED] * len(self.ids)
        self.ids += ids
        self.labels += ids if supervised else [IGNORED] * len(ids)
        self._text_begins = False
