"""New wordings of a request from a chat model (prompt augmentation, RegionGPT, section 3.3).

The model gets the known wordings with their placeholders, and returns new wordings, one per line.
Each line is checked. The request is repeated until there are enough new wordings.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from pipelines.recap.client.chat import decode_answer
from pipelines.recap.client.odd_answers import ComplaintError, MalformedError
from pipelines.storage.extras import require
from prompts.wordings import WordingSet, problems
from schemas.errors import BuildError
from schemas.rejection import Rejected
from schemas.secret import Secret
from transforms.caption_text import after_thinking

MAX_ROUNDS = 8
_MAX_EXAMPLES = 12  # maximum number of known wordings in a prompt
_TEMPERATURE = 1.0
_MAX_SECONDS = 120  # time limit of an answer
_KEY_VARIABLE = "OPENAI_API_KEY"  # environment variable; a local server needs no key

AskModel = Callable[[str], Awaitable[str]]  # returns the model's answer to a prompt

_MARK = re.compile(r"^\s*(?:[-*\u2022]|\(?\d+[.):])\s+")
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "`": "`"}


@dataclass(slots=True)
class NewWordings:
    """The new wordings from a model, and the lines that were dropped, each with the reason."""

    wordings: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)  # "'Look here': no complete request ..."


async def _collect_wordings(known: WordingSet, number: int, ask: AskModel) -> NewWordings:
    """Return new wordings of a set, possibly fewer than wanted.

    Args:
        known: the known wordings.
        number: the wanted number of new wordings.
        ask: function that sends a prompt to the model and returns the answer.
    """
    new = NewWordings()
    for _ in range(MAX_ROUNDS):
        missing = number - len(new.wordings)
        if not missing:
            break
        answer = await ask(_prompt(known, new.wordings, missing))
        for line in _lines(answer):
            if cause := _unfit(line, known, new.wordings):
                new.dropped.append(f"{line!r}: {cause}")
            elif len(new.wordings) < number:
                new.wordings.append(line)
    return new


def request_wordings(known: WordingSet, number: int, endpoint: str, model: str) -> NewWordings:
    """Return new wordings of a set from a model behind an OpenAI-compatible endpoint.

    Args:
        known: the known wordings.
        number: the wanted number of new wordings.
        endpoint: base URL, e.g. http://localhost:8000/v1.
        model: the model's name at the endpoint.

    Raises:
        UsageError: the extra `serve` is not installed.
        BuildError: the endpoint does not answer.
    """
    require("serve", "regionforge wordings")
    import openai

    async def run() -> NewWordings:
        key = os.environ.get(_KEY_VARIABLE) or "none"
        async with openai.AsyncOpenAI(
            base_url=endpoint, api_key=key, timeout=_MAX_SECONDS
        ) as client:

            async def ask(prompt: str) -> str:
                reply = await client.chat.completions.with_raw_response.create(
                    model=model,
                    messages=[{"role": "user", "content": prompt}],
                    temperature=_TEMPERATURE,
                )
                return Secret(key).masked(decode_answer(reply.content).text)

            return await _collect_wordings(known, number, ask)

    try:
        return asyncio.run(run())
    except openai.APIStatusError as error:
        raise BuildError(f"the endpoint refuses with HTTP status {error.status_code}") from None
    except openai.APIError as error:  # its message may contain the URL, and so a secret
        raise BuildError(f"the endpoint does not answer: {type(error).__name__}") from None
    except (MalformedError, ComplaintError, Rejected) as error:
        trouble = Secret(os.environ.get(_KEY_VARIABLE, "")).masked(str(error))
        raise BuildError(f"the endpoint answers no chat completion: {trouble}") from None


def _prompt(known: WordingSet, new: list[str], missing: int) -> str:
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
    given = "\n".join([*known.wordings[:_MAX_EXAMPLES], *new])
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


def _unfit(line: str, known: WordingSet, new: list[str]) -> str:
    """Return the reason why a line is no new wording, or an empty text."""
    if unfit := problems(known.placeholders, [line]):
        return "; ".join(unfit)
    if line[-1] not in ".?!":
        return "no complete request: it ends with neither a full stop nor a question mark"
    if _letters(line) in map(_letters, [*known.wordings, *new]):
        return "it is there already"
    return ""


def _letters(line: str) -> str:
    return re.sub(r"[^\w<>]+", " ", line).strip().lower()
