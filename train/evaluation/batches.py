"""Batches: questions of like length together, as a model's input, made ahead by workers.

Which questions share a batch follows from the questions alone, so that a run that goes on computes
what it would have computed, to the last bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from torch.utils.data import DataLoader, Dataset
from transformers import BatchFeature

from model.errors import InputError
from model.processor import RegionProcessor
from model.regions import RegionAs
from schemas.errors import InputFileError, RegionForgeError
from train.data.rows import Row
from train.evaluation.questions import Prompt, Question, prompt_of

_WORTH_WORKERS = 32  # batches; a worker takes seconds to start

Work = Sequence[tuple[Question, Mapping[int, str]]]  # with the model's earlier answers, by turn


class Records(Protocol):
    """Records by number, as `schemas.shard` has them; `ShardRows` are such."""

    def __getitem__(self, number: int) -> Row:
        """Return a record."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Questions as a model's input, and why some of them cannot be."""

    inputs: BatchFeature | None  # None: there is none that can be read
    readable: tuple[int, ...]  # numbers of the questions in `inputs`, in order
    faults: dict[int, str]  # by number of the question


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Makes batches of questions: reads their records and pictures, and encodes them."""

    rows: Records
    processor: RegionProcessor
    region_as: RegionAs
    image_root: Path | None

    def batch(self, work: Work) -> Batch:
        """Return a batch; a question that cannot be read takes none of the others with it.

        Raises:
            InputFileError: a record is damaged.
        """
        prompts, faults = dict[int, Prompt](), dict[int, str]()
        for number, (question, answers) in enumerate(work):
            row = self.rows[question.number]
            try:
                prompts[number] = prompt_of(question, row, answers, self.image_root)
            except (InputError, InputFileError) as error:
                faults[number] = str(error)
        try:
            inputs = self._encoded(list(prompts.values()))
        except RegionForgeError:  # of one or more: look for them
            bad = {number: self._fault(prompt) for number, prompt in prompts.items()}
            faults |= {number: fault for number, fault in bad.items() if fault}
            prompts = {number: prompts[number] for number, fault in bad.items() if not fault}
            inputs = self._encoded(list(prompts.values()))
        return Batch(inputs=inputs, readable=tuple(prompts), faults=faults)

    def _encoded(self, prompts: Sequence[Prompt]) -> BatchFeature | None:
        """Return the model's input, padded on the left; None without prompts."""
        if not prompts:
            return None
        batch: BatchFeature = self.processor.apply_chat_template(
            [prompt.messages for prompt in prompts],
            images=[prompt.picture for prompt in prompts],
            regions=[prompt.regions or None for prompt in prompts],
            region_as=self.region_as,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        return batch

    def _fault(self, prompt: Prompt) -> str:
        """Return why a prompt cannot be encoded; empty if it can."""
        try:
            self._encoded([prompt])
        except RegionForgeError as error:
            return str(error).removeprefix("row 0: ")
        return ""


def planned(questions: Sequence[Question], size: int) -> list[list[list[Question]]]:
    """Return the batches of each round, the longest questions first.

    The questions of a round need answers to those of earlier rounds alone: of one record, the first
    turn that is asked about is in the first round, the second in the second, and so on.
    """
    ordered = sorted(questions, key=lambda each: (len(each.earlier), -each.characters, each.key))
    rounds = [list(group) for _, group in groupby(ordered, key=lambda each: len(each.earlier))]
    return [
        [group[start : start + size] for start in range(0, len(group), size)] for group in rounds
    ]


def load(reader: Reader, works: Sequence[Work], workers: int) -> Iterator[Batch]:
    """Yield a batch for each work, in order, made ahead by workers where it is worth it.

    Raises:
        RegionForgeError: a record is damaged.
    """
    few = workers == 0 or len(works) < _WORTH_WORKERS
    loader = DataLoader(
        _Batches(reader),
        sampler=works,  # its items are what `__getitem__` takes
        batch_size=None,
        num_workers=0 if few else workers,
        # A fork of this process would copy its threads' locks, and what it holds of a GPU.
        multiprocessing_context=None if few else get_context("forkserver"),
    )
    for made in loader:
        if isinstance(made, RegionForgeError):
            raise made
        yield made


class _Batches(Dataset[Batch | RegionForgeError]):
    """Batches by their work; an error of a worker is handed over as a value."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, work: Work) -> Batch | RegionForgeError:
        try:
            return self._reader.batch(work)
        except RegionForgeError as error:
            return error
