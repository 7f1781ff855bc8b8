"""The check of a judge before its first question: four questions whose right replies are known.

A model that does not reply in the form asked for, or always replies the same, would give numbers
that look like a benchmark's. Three right replies of four are enough.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from pipelines.judge.questions import Question, same_meaning_question
from pipelines.judge.replies import choose
from pipelines.recap.captioning.captioner import PromptImage, Request
from pipelines.recap.client.captioner import OpenAICaptioner
from prompts.judge import choice_question
from schemas.errors import BuildError
from schemas.judged import Bench
from schemas.rejection import Rejected

_MIN_RIGHT = 3
_SHOWN = 60  # characters of a reply in a message

_MUG = "A tall red mug with a white handle."
_RED, _GREEN, _BLACK = ("The mug is red.", "The mug is green.", "The mug is black.")
_WHITE, _SILENT = ("The handle is white.", "The handle is not mentioned.")
_TRUTH = "<Prompt0> stands on <Prompt1>."


def _choice(number: int, right: str, *options: str) -> tuple[Question, str]:
    question = Question(
        item="canary",
        number=number,
        kind="positive",
        prompt=partial(choice_question, question="What does it say?", options=options),
        options=options,
        points=tuple(float(option == right) for option in options),
        choose=choose,
    )
    return question, _MUG


def _statement(number: int, answer: str) -> tuple[Question, str]:
    return same_meaning_question("canary", number, _TRUTH), answer


# Each with the answer to judge. Of the choices, no letter is right three times.
_KNOWN: Mapping[Bench, Sequence[tuple[Question, str]]] = {
    "dlc": (
        _choice(0, _RED, _GREEN, _RED, _BLACK),
        _choice(1, _WHITE, _WHITE, _SILENT),
        _choice(2, _RED, _GREEN, _BLACK, _RED),
        _choice(3, _RED, _RED, _BLACK, _GREEN),
    ),
    "gar": (
        _statement(0, _TRUTH),
        _statement(1, "<Prompt0> is standing on top of <Prompt1>."),
        _statement(2, "<Prompt1> stands on <Prompt0>."),
        _statement(3, "<Prompt0> flies over <Prompt1>."),
    ),
}
_TRUE_STATEMENTS = 2  # the first ones of "gar"


async def check_judge(bench: Bench, max_tokens: int, captioner: OpenAICaptioner) -> None:
    """Check that every server of a captioner judges what anybody can.

    Raises:
        BuildError: a server does not, or answers no requests.
    """
    urls = captioner.endpoints
    await asyncio.gather(*(_check_server(bench, max_tokens, captioner, url) for url in urls))


async def _check_server(
    bench: Bench, max_tokens: int, captioner: OpenAICaptioner, url: str
) -> None:
    async def load_image() -> PromptImage:
        return PromptImage(None)

    requests = [
        Request(
            id=f"canary/{bench}/{question.number}",
            image_rank=0,
            prompt=question.prompt(answer),
            load_image=load_image,
            max_tokens=max_tokens,
        )
        for question, answer in _KNOWN[bench]
    ]
    try:
        asked = (captioner.ask_server(url, request) for request in requests)
        replies = [answer.text for answer in await asyncio.gather(*asked)]
    except Rejected as cause:
        raise BuildError(f"{url} refuses to judge: {cause.detail}") from None
    right = sum(
        question.choose(reply, question.options) == _right(question)
        for (question, _), reply in zip(_KNOWN[bench], replies, strict=True)
    )
    if right < _MIN_RIGHT:
        shown = ", ".join(repr(reply[:_SHOWN]) for reply in replies)
        raise BuildError(
            f"{url} judges {right} of {len(replies)} plain cases right, expected {_MIN_RIGHT} at "
            f"least; it replied {shown}. Serve a model that follows instructions"
        )


def _right(question: Question) -> int:
    if question.kind == "simple":
        return int(question.number >= _TRUE_STATEMENTS)
    return question.points.index(1.0)
