"""A judging run: from questions and answers to a judged file."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from pipelines.judge.answers import Answers
from pipelines.judge.asking import Asking, Pictures, ask_all
from pipelines.judge.canary import check_judge
from pipelines.judge.pictures import picture_prompts
from pipelines.judge.questions import Questions
from pipelines.judge.settings import Judge
from pipelines.output.lock import locked_output
from pipelines.recap.captioning.journal import Journal
from pipelines.recap.client.canary import check_servers_see_images
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.checked import CheckedCaptioner
from pipelines.recap.client.endpoints import Servers
from pipelines.storage import files
from schemas.errors import InputFileError, UsageError
from schemas.judged import Judged, JudgedRun, Verdict, read_judged, write_judged

_REPLIES = "replies.jsonl"
_ITEMS_AT_WORK = 64  # items whose pictures are kept for their next question


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeJob:
    """What a run judges, by which judge, and where the verdicts go."""

    judge: Judge
    servers: Servers
    questions: Questions
    answers: Answers
    pictures: Pictures | None  # None: only text is sent
    output: str  # a local file
    checked: bool = True  # whether the judge is checked before its first question

    def run(self) -> JudgedRun:
        """Return the first line of the judged file."""
        sent = picture_prompts(self.questions.bench) if self.pictures else ()
        return JudgedRun(
            bench=self.questions.bench,
            judge=self.judge.model,
            revision=self.judge.revision,
            temperature=self.judge.temperature,
            max_tokens=self.judge.max_tokens,
            pictures=self.pictures is not None,
            prompts=tuple(prompt.id for prompt in (*self.questions.prompts, *sent)),
            questions=self.questions.digest,
            predictions=self.answers.digest,
            extra_body=self.judge.extra_body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run brought, for a line to the user."""

    verdicts: list[Verdict]
    calls: int  # replies that were in no journal; of alike questions one is sent
    seconds: float


def judge(job: JudgeJob, say: Callable[[str], None]) -> Result:
    """Judge all answers, and write the judged file.

    Args:
        job: what is judged.
        say: function that is given how far the run is.

    Raises:
        UsageError: the output holds something else, or the verdicts of another judge.
        BuildError: another run writes there, or the judge cannot go on; replies so far are kept.
        InputFileError: a picture to send is missing.
    """
    check_output(job)
    folder = f"{job.output}.replies"
    started = time.monotonic()
    with locked_output(folder), Journal(files.join(folder, _REPLIES)) as journal:
        known = len(journal.answers)
        verdicts = asyncio.run(_judge(job, journal, say))
        write_judged(job.output, Judged(job.run(), tuple(verdicts)))
        calls = len(journal.answers) - known
    return Result(verdicts=verdicts, calls=calls, seconds=time.monotonic() - started)


def check_output(job: JudgeJob) -> None:
    """Raise `UsageError` where the output's file is not of an earlier run by the same judge."""
    if not os.path.lexists(job.output):
        return
    try:
        held = read_judged(job.output).run
    except InputFileError as error:
        raise UsageError(f"--output {job.output} is no judged file of ours: {error}") from None
    if differences := held.differences(job.run()):
        raise UsageError(
            f"--output {job.output} holds verdicts of {held.title()}, which differ in "
            f"{', '.join(differences)}: name another --output"
        )


async def _judge(job: JudgeJob, journal: Journal, say: Callable[[str], None]) -> list[Verdict]:
    sees = job.pictures is not None
    captioner = CheckedCaptioner(
        OpenAICaptioner(job.servers, job.judge, sees=sees),
        partial(_check, job),
    )
    asking = Asking(
        judge=job.judge,
        questions=job.questions,
        answers=job.answers,
        pictures=lru_cache(_ITEMS_AT_WORK)(job.pictures) if job.pictures else None,
        captioner=captioner,
        journal=journal,
        concurrency=job.servers.concurrency,
    )
    try:
        return await ask_all(asking, say)
    finally:
        await captioner.close()


async def _check(job: JudgeJob, captioner: OpenAICaptioner) -> None:
    if not job.checked:
        return
    if job.pictures is not None:
        await check_servers_see_images(captioner)
    await check_judge(job.questions.bench, job.judge.max_tokens, captioner)
