"""The questions of a build put to a model, batch by batch, and round by round.

1. read what the journal has already
2. plan batches; leave out those that are answered
3. make each batch's input, ahead of the model
4. generate, or take the likelihood of the choices
5. write the replies into the journal
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from model.region_model import RegionModel
from schemas.errors import RegionForgeError
from train.evaluation.asking import Asking
from train.evaluation.batches import Batch, Reader, Work, load, planned
from train.evaluation.generate import generate
from train.evaluation.journal import Journal
from train.evaluation.likelihood import choice_loglik, likeliest
from train.evaluation.progress import Progress
from train.evaluation.questions import Question, Turn
from train.evaluation.reply import Reply


def respond(
    asking: Asking, reader: Reader, questions: Sequence[Question], journal: Journal
) -> Mapping[Turn, Reply]:
    """Return the reply to every question: those in the journal, and the model's.

    Raises:
        RegionForgeError: a record is damaged, the model cannot be opened, or one question alone
            takes more memory than there is.
    """
    rounds = [
        [batch for batch in batches if any(each.key not in journal.replies for each in batch)]
        for batches in planned(questions, asking.batch)
    ]
    waiting = sum(len(batch) for batches in rounds for batch in batches)
    if not waiting:
        return journal.replies
    respondent = _Respondent(asking, asking.open_model(), reader)
    progress = Progress(len(questions), len(questions) - waiting)
    for batches in rounds:
        works = [[(each, _earlier(each, journal.replies)) for each in batch] for batch in batches]
        for work, batch in zip(works, load(reader, works, asking.workers), strict=True):
            replies = respondent.replies(work, batch)
            journal.add((each.key, reply) for (each, _), reply in zip(work, replies, strict=True))
            progress.add(len(replies))
    progress.end()
    return journal.replies


@dataclass(frozen=True)
class _Respondent:
    """A model that replies to batches."""

    asking: Asking
    model: RegionModel
    reader: Reader

    def replies(self, work: Work, batch: Batch) -> list[Reply]:
        """Return the reply to each question of a batch, in order."""
        replies = {number: Reply(reason=fault) for number, fault in batch.faults.items()}
        if batch.inputs is not None:
            made = [work[number] for number in batch.readable]
            answered = self._answered(made, batch)
            replies |= dict(zip(batch.readable, answered, strict=True))
        return [replies[number] for number in range(len(work))]

    def _answered(self, work: Work, batch: Batch) -> list[Reply]:
        """Return the replies to questions that can all be read; in halves where memory is short."""
        try:
            return self._computed(work, batch)
        except torch.OutOfMemoryError:
            if len(work) == 1:
                raise RegionForgeError(
                    f"{work[0][0].key[0]}: one question alone takes more memory than the device has"
                ) from None
        middle = len(work) // 2
        return [
            reply
            for half in (work[:middle], work[middle:])
            for reply in self._answered(half, self.reader.batch(half))
        ]

    def _computed(self, work: Work, batch: Batch) -> list[Reply]:
        assert batch.inputs is not None
        processor = self.reader.processor
        if self.asking.form == "likelihood":
            return [likeliest(self._choices(work), self._loglik(work, batch))]
        replies = generate(self.model, processor, batch.inputs, self.asking.max_new_tokens)
        if not self.asking.choices:
            return replies
        alone = [[each] for each in work]
        return [
            Reply(
                text=reply.text,
                score=reply.score,
                choice_loglik=self._loglik(single, self.reader.batch(single)),
            )
            for reply, single in zip(replies, alone, strict=True)
        ]

    def _loglik(self, work: Work, batch: Batch) -> tuple[float, ...]:
        assert batch.inputs is not None
        processor = self.reader.processor
        return choice_loglik(self.model, processor, batch.inputs, self._choices(work))

    @staticmethod
    def _choices(work: Work) -> tuple[str, ...]:
        ((question, _),) = work
        return question.entries[0].choices


def _earlier(question: Question, replies: Mapping[Turn, Reply]) -> dict[int, str]:
    """Return the model's answers to the turns before a question; "" where it gave none."""
    record, _ = question.key
    return {turn: replies[record, turn].text or "" for turn in question.earlier}
