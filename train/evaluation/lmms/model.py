"""The class that lmms-eval makes and asks; imported by lmms-eval alone."""

from collections.abc import Sequence
from itertools import groupby, islice
from typing import Any, NoReturn

import torch
from lmms_eval.api.model import lmms

from model.processor import processor_for
from schemas.errors import UsageError
from train.evaluation.generate import generate
from train.evaluation.lmms.requests import Asked, Regions, asked_by
from train.plan import device_named
from train.start import Start, open_trained, read_config, read_tokenizer


class RegionForgeModel(lmms):
    """GPT4RoI or RegionGPT from a checkpoint.

    Attributes:
        device: where the model is; lmms-eval asks for it.
    """

    is_simple = True

    def __init__(  # noqa: PLR0913  # lmms-eval passes its command line by these names
        self,
        pretrained: str,
        regions: Regions = "given",
        max_new_tokens: int = 64,
        dtype: str | None = None,
        device: str | None = None,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
    ) -> None:
        """Open the model.

        Args:
            pretrained: a run's folder, a step's, a model's folder, or a name on the Hub.
            regions: see `train.evaluation.lmms`.
            max_new_tokens: of an answer to a task that states no number.
            dtype: bfloat16, float16 or float32; by default bfloat16 on a GPU, else float32.
            device: cpu or cuda; by default a GPU if there is one.
            batch_size: questions at once.
            max_batch_size: not used, since the batch's size is not sought.

        Raises:
            RegionForgeError: an argument is wrong, or there is no such model.
        """
        super().__init__()
        if regions not in ("given", "drawn"):
            raise UsageError(f"regions={regions}: expected given or drawn")
        if not str(batch_size).isdecimal() or int(batch_size) < 1:
            raise UsageError(f"batch_size={batch_size}: expected a number from 1")
        start = Start(checkpoint=str(pretrained))
        self.device = device_named(device)
        self._model = open_trained(start, _dtype(dtype, self.device)).to(self.device)
        self._model.set_attn_implementation({"text_config": "sdpa"})  # rows are padded
        self._processor = processor_for(read_config(start), read_tokenizer(start))
        self._regions, self._max_new_tokens = regions, int(max_new_tokens)
        self._batch_size = int(batch_size)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Return the answers, in the order of the requests."""
        asked = (self._asked(request.args) for request in requests)  # pictures: a batch at a time
        answers = list[str]()
        for _, alike in groupby(asked, key=lambda each: each.max_new_tokens):
            while batch := list(islice(alike, self._batch_size)):
                answers += self._answers(batch)
        return answers

    def loglikelihood(self, requests: Sequence[Any]) -> NoReturn:
        """Refuse a task that ranks continuations."""
        raise UsageError("this task asks for likelihoods: only tasks that generate are supported")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> NoReturn:
        """Refuse a task of several rounds."""
        raise UsageError("this task has several rounds: only tasks of one round are supported")

    def _asked(self, args: Sequence[Any]) -> Asked:
        doc_id, task, split = args[3:6]
        record = self.task_dict[task][split][doc_id]
        return asked_by(args, record, self._regions, self._max_new_tokens)

    def _answers(self, batch: Sequence[Asked]) -> list[str]:
        inputs = self._processor.apply_chat_template(
            [asked.messages for asked in batch],
            images=[asked.picture for asked in batch],
            regions=[asked.regions or None for asked in batch],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        replies = generate(self._model, self._processor, inputs, batch[0].max_new_tokens)
        return [asked.ended(reply.text or "") for asked, reply in zip(batch, replies, strict=True)]


def _dtype(name: str | None, device: torch.device) -> torch.dtype:
    usual = "bfloat16" if device.type == "cuda" else "float32"
    if name not in (None, "bfloat16", "float16", "float32"):
        raise UsageError(f"dtype={name}: expected bfloat16, float16 or float32")
    number: torch.dtype = getattr(torch, name or usual)
    return number
