"""The check of a judge before a run: that it sees two pictures, and says yes or no to what is so.

Each server of the judge is asked whether squares have a colour that they have, and one that they
have not. Three in four answers must be right, so one that always says the same fails.
"""

import asyncio

from pipelines.recap.captioning.captioner import Answer, NamedPicture, PromptImage, Request
from pipelines.recap.client.canary import check_servers_see_images
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.probe_images import COLOURS, draw_grey, draw_square
from schemas.errors import BuildError
from schemas.rejection import Rejected
from transforms.yes_no import read_yes_no

PICTURES = 2  # of a call to a judge
_QUESTION = "Is the last picture filled with {colour}? Answer with one word: yes or no."
_MIN_RIGHT = 0.75  # share of the answers
_SHOWN = 40  # characters of an answer in a message


async def check_judge(judge: OpenAICaptioner) -> None:
    """Check that every server of a judge sees pictures and answers by yes or no.

    Raises:
        BuildError: a server does not, refuses what a run sends, or answers no requests.
    """
    try:
        await check_servers_see_images(judge, PICTURES)
        await asyncio.gather(*(_check_server(judge, url) for url in judge.endpoints))
    except BuildError as error:
        raise BuildError(f"the judge: {error}") from None


async def _check_server(judge: OpenAICaptioner, url: str) -> None:
    names = list(COLOURS)
    others = [*names[1:], names[0]]
    cases = [*zip(names, names, strict=True), *zip(names, others, strict=True)]
    try:
        answers = await asyncio.gather(*(_ask(judge, url, *case) for case in cases))
    except Rejected as cause:
        raise BuildError(f"{url} refuses to judge: {cause.detail}") from None
    right = sum(
        read_yes_no(answer.text) == (shown == asked)
        for answer, (shown, asked) in zip(answers, cases, strict=True)
    )
    if right < _MIN_RIGHT * len(cases):
        texts = ", ".join(repr(answer.text[:_SHOWN]) for answer in answers)
        raise BuildError(
            f"{url} says rightly of {right} of {len(cases)} squares whether they have a colour, "
            f"expected {_MIN_RIGHT:.0%}; asked for yes or no it says {texts}. Serve a model that "
            "sees and follows instructions; one that thinks aloud is kept from it in many servers "
            """by --judge-extra-body '{"chat_template_kwargs": {"enable_thinking": false}}'"""
        )


async def _ask(judge: OpenAICaptioner, url: str, shown: str, asked: str) -> Answer:
    async def load_image() -> PromptImage:
        pictures = (draw_grey(), draw_square(shown))
        return PromptImage(None, named=tuple(NamedPicture("", jpeg) for jpeg in pictures))

    request = Request(
        id=f"canary/judge/{shown}/{asked}",
        image_rank=0,
        prompt=_QUESTION.format(colour=asked),
        load_image=load_image,
        max_tokens=judge.max_tokens,
        yes_no=True,
    )
    return await judge.ask_server(url, request)
