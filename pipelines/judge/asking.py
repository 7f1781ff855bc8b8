"""All questions of a benchmark, sent to the judge side by side, and the verdicts of its replies.

Replies are kept in a journal at once, under a digest of the judge and of all that it was sent. A
run that was killed goes on where it stopped, and only answers that have changed are judged anew.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from pipelines.judge.answers import Answers
from pipelines.judge.questions import Question, Questions
from pipelines.judge.settings import Judge
from pipelines.recap.captioning.captioner import Captioner, NamedPicture, PromptImage, Request
from pipelines.recap.captioning.journal import ImageJournal, Journal
from pipelines.recap.captioning.journaled import JournaledCaptioner
from schemas.ids import rank
from schemas.judged import Outcome, Verdict
from schemas.rejection import Rejected

Pictures = Callable[[str], Sequence[NamedPicture]]  # of an item


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a run asks, and what it asks with."""

    judge: Judge
    questions: Questions
    answers: Answers
    pictures: Pictures | None  # None: only text is sent
    captioner: Captioner
    journal: Journal
    concurrency: int  # the questions at work, and their pictures in memory, at most


class _Key(NamedTuple):
    """What tells requests apart; of two questions with the same, one is sent."""

    request_id: str
    item: str  # whose pictures are sent; empty: none are


async def ask_all(asking: Asking, say: Callable[[str], None]) -> list[Verdict]:
    """Return the verdicts of all questions, in their order.

    Args:
        asking: what is asked.
        say: function that is given how far the run is, e.g. "12 of 992 questions".

    Raises:
        BuildError: the judge can answer no more requests; all replies so far are kept.
        InputFileError: a picture to send is missing.
    """
    slots = asyncio.Semaphore(asking.concurrency)
    tasks: dict[_Key, asyncio.Task[str | Rejected]] = {}
    keys: list[_Key | None] = []
    for question in asking.questions.asked:
        answer = asking.answers.texts.get(question.item)
        if answer is None:
            keys.append(None)
            continue
        prompt = question.prompt(answer)
        key = _Key(asking.judge.request_id(prompt), question.item if asking.pictures else "")
        if key not in tasks:
            tasks[key] = asyncio.create_task(_reply(asking, key, prompt, slots))
        keys.append(key)
    await _finish(tasks.values(), say)
    return [
        _verdict(question, asking.answers, None if key is None else tasks[key].result())
        for question, key in zip(asking.questions.asked, keys, strict=True)
    ]


async def _finish(
    tasks: Collection["asyncio.Task[str | Rejected]"], say: Callable[[str], None]
) -> None:
    """Wait for all tasks; at the first error, cancel the others and raise it."""
    try:
        for number, task in enumerate(asyncio.as_completed(tasks), start=1):
            await task
            say(f"{number:,} of {len(tasks):,} questions")
    finally:
        for running in tasks:
            running.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _reply(
    asking: Asking, key: _Key, prompt: str, slots: asyncio.Semaphore
) -> str | Rejected:
    """Return the judge's reply, or why its server refuses the question for good."""
    async with slots:
        pictures = await asyncio.to_thread(asking.pictures, key.item) if asking.pictures else ()

        async def load_image() -> PromptImage:
            return PromptImage(None, named=tuple(pictures))

        request = Request(
            id=key.request_id,
            image_rank=rank("judge", key.request_id),
            prompt=prompt,
            load_image=load_image,
            max_tokens=asking.judge.max_tokens,
        )
        journal = ImageJournal(asking.journal, _digest(pictures))
        captioner = JournaledCaptioner(asking.captioner, journal, retry_refused=True)
        try:
            return (await captioner.ask(request)).text
        except Rejected as refusal:
            return refusal


def _digest(pictures: Sequence[NamedPicture]) -> str:
    """Return a digest of what is sent besides text; empty: nothing is."""
    if not pictures:
        return ""
    content = sha256()
    for picture in pictures:
        content.update(sha256(picture.name.encode()).digest() + sha256(picture.jpeg).digest())
    return content.hexdigest()[:16]


def _verdict(question: Question, answers: Answers, reply: str | Rejected | None) -> Verdict:
    answer = answers.texts.get(question.item)
    said = reply if isinstance(reply, str) else None
    chosen = None if said is None else question.choose(said, question.options)
    outcome: Outcome = "unparsed" if chosen is None else "read"
    if said is None:
        outcome = "missing" if answer is None else "refused"
    return Verdict(
        item=question.item,
        question=question.number,
        kind=question.kind,
        outcome=outcome,
        reply=said,
        chosen=chosen,
        points=0.0 if chosen is None else question.points[chosen],
        words=None if answer is None else len(answer.split()),
    )
