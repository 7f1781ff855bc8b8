"""The check before a run for servers that drop images but answer requests nevertheless.

1. The check sends squares of four colours, each twice, with a question about the colour. What it
   sends has the parameters and the limit of tokens of the run, so that a server that refuses one
   of them is found out by the first request.
2. It sends the same question without an image, and with a square of noise of the same size.
3. Three in four answers must name the right colour. A server that guesses passes once in 200 runs,
   and a server that always gives the same answer never passes.
4. Where answers do not decide, since they name no colour in English, the tokens do that the server
   reports: a prompt with an image must have more of them than the prompt without one. The square of
   noise has the same number of pixels as a plain square but many times the bytes: if its tokens
   grow with its bytes, the server reads the image file as text.
5. A run whose calls have several pictures sends as many: grey squares before the one in question.
   The prompt must have more tokens than one with the last picture alone.
6. A run whose requests carry regions sends the same picture each time, of four quarters, and a
   quarter as the region. Tokens tell nothing of regions, so that the answers alone decide.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.recap.captioning.captioner import (
    Answer,
    GivenRegion,
    NamedPicture,
    PromptImage,
    Request,
)
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.probe_images import (
    COLOURS,
    LAST_QUESTION,
    QUESTION,
    REGION_QUESTION,
    draw_grey,
    draw_noise,
    draw_quarters,
    draw_square,
    quarter_of,
)
from schemas.errors import BuildError
from schemas.rejection import Rejected
from transforms.caption_text import after_thinking

_REPEATS = 2
_MIN_NAMED = 0.75  # share of the answers that must name the right colour
_MAX_THOUGHTS = 0.5  # share of the answers that may be thoughts alone
_MAX_BYTES_PER_TOKEN = 16  # no tokenizer of base64 text has more
_SERVE_REGIONS = (
    "Serve a model with region tokens by `regionforge serve`, or give --views crop; --no-canary "
    "leaves this check out"
)
_SERVE = "serve a vision-language model with its image input on"


@dataclass(frozen=True, slots=True)
class ProbeAnswers:
    """The answers of one server to the questions of the check."""

    by_colour: dict[str, list[Answer]]  # by colour of the square; one answer per repetition
    noise: Answer | None  # None: the server refused the noise, whose file is large
    no_image: Answer | None  # None: the server refused the question without an image
    pictures: int = 1  # in each question, but for those without one, and with one alone
    alone: Answer | None = None  # to the last picture alone, where questions have several

    @property
    def plain(self) -> list[Answer]:
        """The answers about plain squares."""
        return [answer for of_colour in self.by_colour.values() for answer in of_colour]


async def check_servers_see_images(
    captioner: OpenAICaptioner, pictures: int = 1, *, regions: bool = False
) -> None:
    """Check that every server of a captioner sees images, with images of known content.

    Args:
        captioner: the captioner.
        pictures: the largest number of pictures in a call of the run.
        regions: whether the run's requests carry regions.

    Raises:
        BuildError: a server does not see images, takes no notice of regions, refuses what a run
            sends, or answers no requests.
    """
    probes = (_Probe(captioner, url, pictures, regions) for url in captioner.endpoints)
    await asyncio.gather(*(probe.check() for probe in probes))


@dataclass(frozen=True, slots=True)
class _Probe:
    """The check of one server."""

    captioner: OpenAICaptioner
    url: str
    pictures: int
    regions: bool

    async def check(self) -> None:
        names = [(colour, repeat) for colour in COLOURS for repeat in range(_REPEATS)]
        try:
            # The first one alone: where it fails, the others would, too.
            (colour, repeat), *others = names
            first = await self._ask_colour(colour, repeat)
            rest = await asyncio.gather(*(self._ask_colour(*each) for each in others))
        except Rejected as cause:
            raise BuildError(await self._refusal(cause)) from None
        noise, no_image, alone = await asyncio.gather(
            self._ask_or_none("noise", self._before(draw_noise())),
            self._ask_or_none("nothing", []),
            self._alone(),
        )
        by_colour: dict[str, list[Answer]] = {colour: [] for colour in COLOURS}
        for (colour, _), answer in zip(names, (first, *rest), strict=True):
            by_colour[colour].append(answer)
        answers = ProbeAnswers(by_colour, noise, no_image, self.pictures, alone)
        limit = self.captioner.max_tokens
        find_fault = find_ignorance if self.regions else find_blindness
        if trouble := find_silence(answers, limit) or find_fault(answers):
            raise BuildError(f"{self.url} {trouble}")

    def _before(self, jpeg: bytes) -> list[bytes]:
        """Return the pictures of a question about the last one."""
        return [*[draw_grey()] * (self.pictures - 1), jpeg]

    async def _ask_colour(self, colour: str, repeat: int) -> Answer:
        """Return the answer to the question about a square, or a quarter, of a colour."""
        name = f"{colour}/{repeat}"
        if self.regions:
            return await self._ask(name, [draw_quarters()], {"bbox": quarter_of(colour)})
        return await self._ask(name, self._before(draw_square(colour)))

    async def _ask(
        self, name: str, jpegs: Sequence[bytes], region: GivenRegion | None = None
    ) -> Answer:
        async def load_image() -> PromptImage:
            named = tuple(NamedPicture("", jpeg) for jpeg in jpegs)
            return PromptImage(None, named=named, region=region)

        whole = LAST_QUESTION if self.pictures > 1 else QUESTION
        request = Request(
            id=f"canary/{name}",
            image_rank=0,
            prompt=whole if region is None else REGION_QUESTION,
            load_image=load_image,
            max_tokens=self.captioner.max_tokens,
        )
        return await self.captioner.ask_server(self.url, request)

    async def _ask_or_none(self, name: str, jpegs: Sequence[bytes]) -> Answer | None:
        try:
            return await self._ask(name, jpegs)
        except Rejected:
            return None

    async def _alone(self) -> Answer | None:
        if self.pictures == 1:
            return None
        return await self._ask_or_none("alone", [draw_square(next(iter(COLOURS)))])

    async def _refusal(self, cause: Rejected) -> str:
        """Return why the server refuses a question about a square."""
        if self.regions and await self._ask_or_none("whole", [draw_quarters()]) is not None:
            return (
                f"{self.url} takes no regions: it answers a question about a whole picture, and "
                f"refuses one with a region: {cause.detail}. {_SERVE_REGIONS}"
            )
        if await self._alone() is not None:
            return (
                f"{self.url} refuses {self.pictures} pictures in a call, and takes one: "
                f"{cause.detail}. Serve it so that it takes as many, in vLLM by "
                f"""--limit-mm-per-prompt '{{"image":{self.pictures}}}', or give --views crop"""
            )
        if await self._ask_or_none("nothing", []) is None:
            return f"{self.url} refuses what the run would send: {cause.detail}"
        return (
            f"{self.url} takes no pictures: it answers a question without one, and refuses the "
            f"same with one: {cause.detail}. If so, {_SERVE}"
        )


def find_silence(answers: ProbeAnswers, max_tokens: int) -> str | None:
    """Return the evidence that a server's answers are thoughts alone, or None."""
    silent = sum(after_thinking(answer.text) is None for answer in answers.plain)
    if silent <= _MAX_THOUGHTS * len(answers.plain):
        return None
    return (
        f"thinks without coming to an answer within the limit of {max_tokens} tokens: raise the "
        "limit, or turn its thinking off, in many servers by "
        """--extra-body '{"chat_template_kwargs": {"enable_thinking": false}}'"""
    )


def find_blindness(answers: ProbeAnswers) -> str | None:
    """Return the evidence that a server does not see images, or None if it sees them."""
    by_colour, plain = answers.by_colour, answers.plain
    if _name_colours(answers):
        return None
    made_up = f"What it says of pictures would be made up: {_SERVE}"
    trouble = _find_wrong_tokens(plain, answers)
    if trouble:
        return f"{trouble}. {made_up}"
    if _follow_colours(by_colour) or (trouble is None and not any(map(_colours, plain))):
        return None
    shown = _shown(by_colour)
    without = f"; without one: {answers.no_image.text[:40]!r}" if answers.no_image else ""
    return (
        f"does not see pictures: asked for the colour of squares, it says {shown}{without}. "
        f"{made_up}"
    )


def find_ignorance(answers: ProbeAnswers) -> str | None:
    """Return the evidence that a server takes no notice of regions, or None if it looks at them."""
    if _name_colours(answers) or _follow_colours(answers.by_colour):
        return None
    return (
        "takes no notice of regions: asked for the colour of each quarter of a picture, it says "
        f"{_shown(answers.by_colour)}. {_SERVE_REGIONS}"
    )


def _name_colours(answers: ProbeAnswers) -> bool:
    """Return whether as many answers name the right colour as must."""
    named = sum(
        _colours(answer) == {colour}
        for colour, of_colour in answers.by_colour.items()
        for answer in of_colour
    )
    return named >= _MIN_NAMED * len(answers.plain)


def _shown(by_colour: Mapping[str, Sequence[Answer]]) -> str:
    return ", ".join(
        f"{colour}: {' and '.join(repr(answer.text[:40]) for answer in of_colour)}"
        for colour, of_colour in by_colour.items()
    )


def _find_wrong_tokens(plain: Sequence[Answer], answers: ProbeAnswers) -> str | None:
    """Return the evidence in token counts that a server does not see images.

    None: they show that it does; empty: they show nothing, or are not there.
    """
    counts = [answer.prompt_tokens for answer in plain if answer.prompt_tokens]
    without = answers.no_image.prompt_tokens if answers.no_image else None
    if len(counts) < len(plain) or not without:
        return ""
    if min(counts) <= without:
        return (
            f"drops pictures: it counts {min(counts)} tokens in a question with one, and {without} "
            "in the same question without"
        )
    one = answers.alone.prompt_tokens if answers.alone else None
    if one and min(counts) <= one:
        return (
            f"drops all pictures but one: it counts {min(counts)} tokens in a question with "
            f"{answers.pictures}, and {one} in the same question with one"
        )
    if answers.noise is None or not answers.noise.prompt_tokens:
        return ""
    bytes_more = len(draw_noise()) - len(draw_square("red"))
    tokens_more = answers.noise.prompt_tokens - max(counts)
    if tokens_more * _MAX_BYTES_PER_TOKEN > bytes_more:
        return (
            f"reads a picture's file as if it were text: one of {bytes_more} bytes more, but as "
            f"many pixels, is {tokens_more} tokens more"
        )
    return None


def _colours(answer: Answer) -> set[str]:
    """Return the colours that an answer names."""
    text = after_thinking(answer.text) or ""
    return COLOURS.keys() & set(re.findall(r"[^\W_]+", text.lower()))


def _follow_colours(by_colour: dict[str, list[Answer]]) -> bool:
    """Return whether a colour always got the same answer, and no two colours the same answer."""
    texts = [
        {" ".join(re.findall(r"\w+", (after_thinking(answer.text) or "").lower())) for answer in of}
        for of in by_colour.values()
    ]
    steady = all(len(of_colour) == 1 for of_colour in texts)
    return steady and len(set.union(*texts)) == len(texts) and "" not in set.union(*texts)
