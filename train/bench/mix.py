"""Rows to measure training on where no build is at hand: pictures, regions and words from hashes.

The lengths are assumptions about the papers' data, spread from half of a kind's mean to twice it.
In tokens, pictures counted in:

    stage                 kinds of rows (share, words and turns beside the picture, answers)
    regiongpt_pretrain    captions 60 %, 44 (25); regions 40 %, 128 (60)
    regiongpt_finetune    regions 76 %, 320 (220); long 20 %, 960 (500); text alone 4 %, 320 (220)
    gpt4roi_stage1        regions, 444 (120)
    gpt4roi_stage2        regions 90 %, 444 (220); no regions 10 %, 444 (220)

Each number is a kind's mean; a row of RegionGPT's has 576 image tokens besides, one of GPT4RoI's
256.
"""

import io
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedTokenizerBase

from model.config import RegionConfig
from model.text.template import chosen_template, render
from model.tiny import byte_tokenizer
from schemas.ids import bucket
from schemas.sample import IMAGE_TOKEN
from train.data.rows import Row
from train.stage0.tokenizer import train_tokenizer

ROWS = 20_000  # more than any measurement reads
SIZE = (640, 480)  # of a picture, pixels
_PICTURES = 16  # different ones
_WORDS = ["".join(word) for word in product("bdfgklmnprst", "aeiou", "bdklmnrst", "aeiou")][::7]
_SYSTEM = 40  # tokens of the words before the first turn
_TURN = 9  # tokens of a turn beside question and answer
_STEPS = 1000  # of a share that a hash gives


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of rows: its share of all, and the mean numbers of its tokens."""

    share: float
    words: int  # of all turns, answers counted in
    answers: int
    regions: tuple[int, int] = (0, 0)  # the fewest and the most
    picture: bool = True


MIX: dict[str, tuple[Kind, ...]] = {
    "regiongpt_pretrain": (
        Kind(share=0.6, words=44, answers=25),
        Kind(share=0.4, words=128, answers=60, regions=(1, 12)),
    ),
    "regiongpt_finetune": (
        Kind(share=0.76, words=320, answers=220, regions=(1, 12)),
        Kind(share=0.2, words=960, answers=500, regions=(4, 16)),
        Kind(share=0.04, words=320, answers=220, picture=False),
    ),
    "gpt4roi_stage1": (Kind(share=1.0, words=444, answers=120, regions=(6, 15)),),
    "gpt4roi_stage2": (
        Kind(share=0.9, words=444, answers=220, regions=(6, 15)),
        Kind(share=0.1, words=444, answers=220),
    ),
}


class MixedRows:
    """The rows of a stage, by number; each is made anew whenever it is read."""

    def __init__(self, stage: str, seed: int = 0) -> None:
        """Take the kinds of a stage of `MIX`."""
        self._stage = stage
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of rows."""
        return ROWS

    def __getitem__(self, number: int) -> Row:
        """Return a row, with what training reads of it."""
        kind = self._kind(number)
        regions = self._regions(number, kind)
        image = {"bytes": _picture(number % _PICTURES), "path": None} if kind.picture else None
        return {
            "id": self._id(number),
            "image": image,
            "regions": [{"bbox": box, "mask": None} for box in regions],
            "messages": self._messages(number, kind, len(regions)),
        }

    def ids(self) -> list[str]:
        """Return the ids of all rows, in order."""
        return [self._id(number) for number in range(ROWS)]

    def configs(self) -> list[str]:
        """Return the config of every row, in order."""
        return [self._stage] * ROWS

    def characters(self) -> NDArray[np.int64]:
        """Return about the number of characters of all messages of every row, in order."""
        words = [self._length(number, self._kind(number)) for number in range(ROWS)]
        return np.array(words, dtype=np.int64) * 5

    def regions(self) -> NDArray[np.int64]:
        """Return the number of regions of every row, in order."""
        counts = [self._count(number, self._kind(number)) for number in range(ROWS)]
        return np.array(counts, dtype=np.int64)

    def with_picture(self) -> NDArray[np.bool_]:
        """Return whether every row has a picture, in order."""
        return np.array([self._kind(number).picture for number in range(ROWS)])

    def _id(self, number: int) -> str:
        return f"{self._stage}-{number}"

    def _share(self, number: int, *what: str | int) -> float:
        """Return a part of 1 that follows from a row and a name alone."""
        return bucket(_STEPS, *what, self._seed, self._id(number)) / _STEPS

    def _kind(self, number: int) -> Kind:
        share = self._share(number, "kind")
        for kind in MIX[self._stage]:
            share -= kind.share
            if share < 0:
                return kind
        return MIX[self._stage][-1]

    def _length(self, number: int, kind: Kind) -> int:
        """Return the tokens beside the picture: many short rows, few long ones."""
        return round(kind.words * (0.5 + 1.5 * self._share(number, "length") ** 2))

    def _regions(self, number: int, kind: Kind) -> list[list[float]]:
        return [self._box(number, region) for region in range(self._count(number, kind))]

    def _count(self, number: int, kind: Kind) -> int:
        fewest, most = kind.regions
        return fewest + round(self._share(number, "regions") * (most - fewest))

    def _box(self, number: int, region: int) -> list[float]:
        box = []
        for axis, side in enumerate(SIZE):
            length = (0.05 + 0.6 * self._share(number, "length", region, axis)) * side
            start = self._share(number, "start", region, axis) * (side - length)
            box.append((start, start + length))
        return [box[0][0], box[1][0], box[0][1], box[1][1]]

    def _messages(self, number: int, kind: Kind, regions: int) -> list[dict[str, str]]:
        """Return a turn for each region, or a single one."""
        turns = max(1, regions)
        length = self._length(number, kind)
        answer = max(1, length * kind.answers // kind.words // turns)
        asked = max(1, (length - _SYSTEM) // turns - _TURN - answer)
        messages = []
        for turn in range(turns):
            question = self._words(number, asked, turn)
            if regions:
                question += f" <region{turn + 1}>"
            if turn == 0 and kind.picture:
                question = f"{IMAGE_TOKEN}\n{question}"
            messages.append({"role": "user", "content": question})
            reply = self._words(number, answer, turns + turn)
            messages.append({"role": "assistant", "content": reply})
        return messages

    def _words(self, number: int, count: int, turn: int) -> str:
        start = bucket(len(_WORDS), "words", self._seed, self._id(number), turn)
        return " ".join(_WORDS[(start + 31 * word) % len(_WORDS)] for word in range(count))


def mixed_tokenizer(config: RegionConfig) -> PreTrainedTokenizerBase:
    """Return a tokenizer with a token for each word of the rows, and few for the turns' words."""
    size = min(2000, int(config.text_config.vocab_size))
    plain = byte_tokenizer()
    jinja = chosen_template(config.template, plain).jinja
    words = " ".join(_WORDS)
    turns = [{"role": "user", "content": words}, {"role": "assistant", "content": words}]
    written = render(plain, jinja, turns, generate=False)
    for special in (plain.bos_token, plain.eos_token):
        written = written.replace(special, " ")
    return train_tokenizer([words, written] * 4, vocabulary=size)


@lru_cache(_PICTURES)
def _picture(number: int) -> bytes:
    """Return a JPEG file of some 100 kB, as photographs of this size have."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (15, 20, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.float32)
    grain = random.normal(0, 14, smooth.shape).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()
