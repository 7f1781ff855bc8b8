"""New wordings of a request, asked of a chat model: RegionGPT, section 3.3, prompt augmentation.

The model is shown the set with its placeholders and asked for more, one per line; each line is
checked before it is taken, and the model is asked again until there are enough.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from pipelines.recap.client.chat import Malformed, decode_answer
from pipelines.storage.extras import require
from prompts.wordings import WordingSet, problems
from schemas.errors import BuildError
from transforms.caption_checks import after_thinking

ROUNDS = 8  # at most
EXAMPLES = 12  # wordings of the set that the model is shown at most
TEMPERATURE = 1.0
SECONDS = 120  # for an answer
KEY = "OPENAI_API_KEY"  # environment variable; a server of your own needs none

Chat = Callable[[str], Awaitable[str]]  # a prompt to the model's answer

_MARK = re.compile(r"^\s*(?:[-*\u2022]|\(?\d+[.):])\s+")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "`": "`"}


@dataclass(slots=True)
class Harvest:
    """What came back so far."""

    wordings: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)  # why, a line for each


async def augment(known: WordingSet, number: int, chat: Chat) -> Harvest:
    """Return new wordings of a set: so many, or fewer where the model has no more to give.

    Args:
        known: the set.
        number: of new wordings wanted.
        chat: asks the model.
    """
    harvest = Harvest()
    for _ in range(ROUNDS):
        missing = number - len(harvest.wordings)
        if not missing:
            break
        answer = await chat(_prompt(known, harvest.wordings, missing))
        for line in _lines(answer):
            if cause := _unfit(line, known, harvest.wordings):
                harvest.dropped.append(f"{line!r}: {cause}")
            elif len(harvest.wordings) < number:
                harvest.wordings.append(line)
    return harvest


def ask_endpoint(known: WordingSet, number: int, endpoint: str, model: str) -> Harvest:
    """Return new wordings of a set from a model behind an OpenAI-compatible endpoint.

    Raises:
        UsageError: the extra `serve` is not installed.
        BuildError: the endpoint does not answer.
    """
    require("serve", "asking a model")
    import openai

    async def run() -> Harvest:
        key = os.environ.get(KEY) or "none"
        async with openai.AsyncOpenAI(base_url=endpoint, api_key=key, timeout=SECONDS) as client:

            async def chat(prompt: str) -> str:
                reply = await client.chat.completions.with_raw_response.create(
                    model=model,
                    messages=[{"role": "user", "content": prompt}],
                    temperature=TEMPERATURE,
                )
                return decode_answer(reply.content).text

            return await augment(known, number, chat)

    try:
        return asyncio.run(run())
    except openai.APIStatusError as error:
        raise BuildError(f"the endpoint refuses with HTTP status {error.status_code}") from None
    except openai.APIError as error:  # its message may hold the address, and so a secret
        raise BuildError(f"the endpoint does not answer: {type(error).__name__}") from None
    except Malformed as error:
        raise BuildError(f"the endpoint answers no chat completion: {error}") from None


def _prompt(known: WordingSet, found: list[str], missing: int) -> str:
    rules = [
        "one wording per line, and nothing else: no numbers, no quotation marks, no comments",
        "each is a complete request in English that ends with a full stop or a question mark",
        "vary verbs, sentence structure and tone; keep the meaning; repeat none of those given",
    ]
    if known.placeholders:
        holders = " and ".join(known.placeholders)
        rules.append(f"each holds exactly once, spelled exactly like this: {holders}")
    else:
        rules.append("no placeholders and no angle brackets")
    given = "\n".join([*known.wordings[:EXAMPLES], *found])
    listed = "\n".join(f"- {rule}" for rule in rules)
    return (
        "The following lines all ask for the same thing. They are templates of requests about "
        f"pictures.\n\n{given}\n\nWrite {missing} further wordings of this request.\n{listed}"
    )


def _lines(answer: str) -> Iterator[str]:
    for line in (after_thinking(answer) or "").splitlines():
        if line.startswith("```"):
            continue
        text = _MARK.sub("", line).strip()
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1].strip()
        if text:
            yield text


def _unfit(line: str, known: WordingSet, found: list[str]) -> str:
    """Return why a line is not taken, or nothing."""
    if unfit := problems(known.placeholders, [line]):
        return "; ".join(unfit)
    if line[-1] not in ".?!":
        return "no complete request: it ends with neither a full stop nor a question mark"
    if _letters(line) in map(_letters, [*known.wordings, *found]):
        return "it is there already"
    return ""


def _letters(line: str) -> str:
    return re.sub(r"[^\w<>]+", " ", line).strip().lower()
