"""Before a run: does the server see pictures at all? Some drop them, and answer all the same.

1. Squares of four colours, each shown twice, with a question for the colour.
2. The same question without a picture, and with a square of the same size that is all noise.
3. Tokens, where they are reported, must be more with a picture than without; and the noise, many
   times the bytes of a plain square but as many pixels, must not cost by its bytes, or the server
   reads the picture's file as text.
4. Three in four answers must name the colour that was shown: a server that guesses gets so far
   once in 200 runs, one that always says the same never. A server whose answers follow the
   picture, the same each time and different for each colour, sees it too, whatever words it uses.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import shake_128
from io import BytesIO
from typing import Protocol

from PIL import Image

from pipelines.recap.captioning.captioner import Answer
from schemas.errors import BuildError
from schemas.rejection import Rejected
from transforms.caption_checks import after_thinking

QUESTION = "Which colour fills this picture? Answer with one word."
COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 150, 20),
    "blue": (20, 40, 220),
    "yellow": (240, 220, 20),
}
SIDE = 224  # pixels
REPEATS = 2
NAMED = 0.75  # share of the answers
MAX_TOKENS = 256  # room to think before the one word
BYTES_PER_TOKEN = 16  # of text, at most, by any tokenizer on base64; pictures cost none by size


class Eyes(Protocol):
    """A captioner whose servers can be asked one by one, with and without a picture."""

    @property
    def endpoints(self) -> Sequence[str]:
        """The servers' URLs."""

    async def ask_endpoint(
        self, endpoint: str, request_id: str, prompt: str, jpeg: bytes | None, max_tokens: int
    ) -> Answer:
        """Return one server's answer at temperature 0; raise as `Captioner.ask` does."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a server said to the canary's questions."""

    shown: dict[str, list[Answer]]  # by colour, each as often as it was shown
    noise: Answer
    nothing: Answer | None  # without a picture; None: it takes no question without one


async def check_sight(eyes: Eyes) -> None:
    """Ask every server what it sees.

    Raises:
        BuildError: one does not see pictures, or cannot be asked.
    """
    await asyncio.gather(*(_check(eyes, endpoint) for endpoint in eyes.endpoints))


async def _check(eyes: Eyes, endpoint: str) -> None:
    async def ask(name: str, jpeg: bytes | None) -> Answer:
        return await eyes.ask_endpoint(endpoint, f"canary/{name}", QUESTION, jpeg, MAX_TOKENS)

    names = [(colour, repeat) for colour in COLOURS for repeat in range(REPEATS)]
    try:
        noise, *answers = await asyncio.gather(
            ask("noise", draw_noise()),
            *(ask(f"{colour}/{repeat}", draw_square(colour)) for colour, repeat in names),
        )
    except Rejected as cause:
        raise BuildError(
            f"{endpoint} takes no pictures: {cause.detail}. Serve a vision-language model"
        ) from None
    try:
        nothing = await ask("nothing", None)
    except Rejected:
        nothing = None
    shown: dict[str, list[Answer]] = {colour: [] for colour in COLOURS}
    for (colour, _), answer in zip(names, answers, strict=True):
        shown[colour].append(answer)
    if trouble := find_blindness(Glance(shown, noise, nothing)):
        raise BuildError(
            f"{endpoint} {trouble}. Captions from it would be made up: serve a vision-language "
            "model with its image input on"
        )


def find_blindness(glance: Glance) -> str | None:
    """Return why a server is taken not to see pictures, or None where it does."""
    plain = [answer for answers in glance.shown.values() for answer in answers]
    if trouble := _miscounted(plain, glance):
        return trouble
    named = sum(_names(answer, c) for c, answers in glance.shown.items() for answer in answers)
    if named >= NAMED * len(plain) or _follows(glance.shown):
        return None
    said = ", ".join(
        f"{colour}: {' and '.join(repr(answer.text[:40]) for answer in answers)}"
        for colour, answers in glance.shown.items()
    )
    without = f"; without one: {glance.nothing.text[:40]!r}" if glance.nothing else ""
    return f"does not see pictures: asked for the colour of squares, it says {said}{without}"


def _miscounted(plain: Sequence[Answer], glance: Glance) -> str | None:
    counted = [answer.prompt_tokens for answer in plain if answer.prompt_tokens is not None]
    if len(counted) < len(plain):
        return None
    bare = glance.nothing.prompt_tokens if glance.nothing else None
    if bare is not None and min(counted) <= bare:
        return (
            f"drops pictures: it counts {min(counted)} tokens in a question with one, and {bare} "
            "in the same question without"
        )
    bytes_more = len(draw_noise()) - len(draw_square("red"))
    tokens_more = (glance.noise.prompt_tokens or 0) - max(counted)
    if tokens_more * BYTES_PER_TOKEN > bytes_more:
        return (
            f"reads a picture's file as if it were text: one of {bytes_more} bytes more, but as "
            f"many pixels, is {tokens_more} tokens more"
        )
    return None


def _names(answer: Answer, colour: str) -> bool:
    said = after_thinking(answer.text) or ""
    return COLOURS.keys() & set(re.findall(r"\w+", said.lower())) == {colour}


def _follows(shown: dict[str, list[Answer]]) -> bool:
    texts = [{answer.text for answer in answers} for answers in shown.values()]
    steady = all(len(found) == 1 for found in texts)
    return steady and len(set.union(*texts)) == len(texts)


@cache
def draw_square(colour: str) -> bytes:
    """Return a JPEG of one colour."""
    return _jpeg(Image.new("RGB", (SIDE, SIDE), COLOURS[colour]))


@cache
def draw_noise() -> bytes:
    """Return a JPEG of the same size, the same on every machine, that compresses badly."""
    values = shake_128(b"noise").digest(SIDE * SIDE * 3)
    return _jpeg(Image.frombytes("RGB", (SIDE, SIDE), values))


def _jpeg(image: Image.Image) -> bytes:
    room = BytesIO()
    image.save(room, "JPEG", quality=90)
    return room.getvalue()
