"""The check before a run for servers that drop images but answer requests nevertheless.

1. The check sends squares of four colours, each twice, with a question about the colour.
2. It sends the same question without an image, and with a square of noise of the same size.
3. Where servers report tokens, a prompt with an image must have more tokens than the prompt without
   one. The square of noise has the same number of pixels as a plain square but many times the
   bytes: if its tokens grow with its bytes, the server reads the image file as text.
4. Three in four answers must name the right colour. A server that guesses passes once in 200 runs,
   and a server that always gives the same answer never passes. A server also passes if its answers
   are the same for each square of a colour, and different for different colours.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.recap.captioning.captioner import Answer, PromptImage, Request
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.probe_images import COLOURS, QUESTION, draw_noise, draw_square
from schemas.errors import BuildError
from schemas.rejection import Rejected
from transforms.caption_text import after_thinking

_REPEATS = 2
_MIN_NAMED = 0.75  # share of the answers that must name the right colour
_MAX_TOKENS = 256  # enough for a model that thinks before it answers
_MAX_BYTES_PER_TOKEN = 16  # no tokenizer of base64 text has more


@dataclass(frozen=True, slots=True)
class ProbeAnswers:
    """The answers of one server to the questions of the check."""

    by_colour: dict[str, list[Answer]]  # by colour of the square; one answer per repetition
    noise: Answer
    no_image: Answer | None  # None: the server refused the question without an image


async def check_servers_see_images(captioner: OpenAICaptioner) -> None:
    """Check that every server of a captioner sees images, with images of known content.

    Raises:
        BuildError: a server does not see images, or answers no requests.
    """
    await asyncio.gather(*(_check_server(captioner, url) for url in captioner.endpoints))


async def _check_server(captioner: OpenAICaptioner, url: str) -> None:
    async def ask(name: str, jpeg: bytes | None) -> Answer:
        async def load_image() -> PromptImage:
            return PromptImage(jpeg)

        request = Request(
            id=f"canary/{name}",
            image_rank=0,
            prompt=QUESTION,
            load_image=load_image,
            max_tokens=_MAX_TOKENS,
        )
        return await captioner.ask_server(url, request)

    names = [(colour, repeat) for colour in COLOURS for repeat in range(_REPEATS)]
    try:
        noise, *answers = await asyncio.gather(
            ask("noise", draw_noise()),
            *(ask(f"{colour}/{repeat}", draw_square(colour)) for colour, repeat in names),
        )
    except Rejected as cause:
        raise BuildError(
            f"{url} takes no pictures: {cause.detail}. Serve a vision-language model"
        ) from None
    try:
        no_image = await ask("nothing", None)
    except Rejected:
        no_image = None
    by_colour: dict[str, list[Answer]] = {colour: [] for colour in COLOURS}
    for (colour, _), answer in zip(names, answers, strict=True):
        by_colour[colour].append(answer)
    if trouble := find_blindness(ProbeAnswers(by_colour, noise, no_image)):
        raise BuildError(
            f"{url} {trouble}. What it says of pictures would be made up: serve a "
            "vision-language model with its image input on"
        )


def find_blindness(answers: ProbeAnswers) -> str | None:
    """Return the evidence that a server does not see images, or None if it sees them."""
    by_colour = answers.by_colour
    plain = [answer for of_colour in by_colour.values() for answer in of_colour]
    if trouble := _find_wrong_tokens(plain, answers):
        return trouble
    named = sum(_names(answer, c) for c, of_colour in by_colour.items() for answer in of_colour)
    if named >= _MIN_NAMED * len(plain) or _follow_colours(by_colour):
        return None
    shown = ", ".join(
        f"{colour}: {' and '.join(repr(answer.text[:40]) for answer in of_colour)}"
        for colour, of_colour in by_colour.items()
    )
    without = f"; without one: {answers.no_image.text[:40]!r}" if answers.no_image else ""
    return f"does not see pictures: asked for the colour of squares, it says {shown}{without}"


def _find_wrong_tokens(plain: Sequence[Answer], answers: ProbeAnswers) -> str | None:
    """Return the evidence in a server's token counts that it does not see images, or None."""
    counts = [answer.prompt_tokens for answer in plain if answer.prompt_tokens is not None]
    if len(counts) < len(plain):
        return None
    without = answers.no_image.prompt_tokens if answers.no_image else None
    if without is not None and min(counts) <= without:
        return (
            f"drops pictures: it counts {min(counts)} tokens in a question with one, and {without} "
            "in the same question without"
        )
    bytes_more = len(draw_noise()) - len(draw_square("red"))
    tokens_more = (answers.noise.prompt_tokens or 0) - max(counts)
    if tokens_more * _MAX_BYTES_PER_TOKEN > bytes_more:
        return (
            f"reads a picture's file as if it were text: one of {bytes_more} bytes more, but as "
            f"many pixels, is {tokens_more} tokens more"
        )
    return None


def _names(answer: Answer, colour: str) -> bool:
    """Return whether an answer names the given colour, and no other colour."""
    text = after_thinking(answer.text) or ""
    return COLOURS.keys() & set(re.findall(r"\w+", text.lower())) == {colour}


def _follow_colours(by_colour: dict[str, list[Answer]]) -> bool:
    """Return whether a colour always got the same answer, and no two colours the same answer."""
    texts = [{answer.text for answer in of_colour} for of_colour in by_colour.values()]
    steady = all(len(of_colour) == 1 for of_colour in texts)
    return steady and len(set.union(*texts)) == len(texts)
