"""Answers while they are generated: several at once, each with its own settings, word by word.

    pending = PendingAnswer(processor, Settings(max_new_tokens=64), on_text=show)
    generate_answers(model, processor, inputs, [pending])
    pending.text, pending.end        "a red star", "stop"

A row of a batch ends by itself, by its own limit, or because nobody wants it any more; the others
go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import (
    BatchFeature,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from model.processor import RegionProcessor
from model.region_model import RegionModel

End = Literal["stop", "length", "cancelled"]
_CUT = "\N{REPLACEMENT CHARACTER}"  # a character whose bytes have not all come
_COLDEST = 1e-4  # temperature: divided by less, logits have no end


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The way in which an answer is generated; by default the likeliest word is taken each time."""

    max_new_tokens: int = 512
    temperature: float = 0.0  # 0: the likeliest token
    top_p: float = 1.0  # the least share of probability among whose tokens one is drawn
    seed: int = 0
    stop: tuple[str, ...] = ()  # texts before which the answer ends


class PendingAnswer:
    """An answer of which one token comes after the other.

    Attributes:
        text: the answer so far, without its stop; whole once there is an end.
        tokens: the number of its tokens so far, the one that ends it among them.
        end: why it has ended; None: it goes on.
    """

    def __init__(
        self,
        processor: RegionProcessor,
        settings: Settings,
        on_text: Callable[[str], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Begin an answer.

        Args:
            processor: the model's.
            settings: see there.
            on_text: takes each new part of the text; together they are the whole text.
            on_end: is called once there is an end.
        """
        self.settings = settings
        self.text = ""
        self.end: End | None = None
        self._processor = processor
        self._on_text, self._on_end = on_text, on_end
        self._ids: list[int] = []
        self._stops = (*settings.stop, *processor.stopping().get("stop_strings", ()))

    @property
    def tokens(self) -> int:
        """The number of tokens so far."""
        return len(self._ids)

    def cancel(self) -> None:
        """End the answer before its next token; also from another thread."""
        self.end = self.end or "cancelled"

    def restart(self) -> None:
        """Begin again after a failure; what was handed over of the text is not so again."""
        self._ids.clear()

    def add(self, token: int, ends: Sequence[int], limit: int) -> None:
        """Take the next token, and do nothing once there is an end.

        Args:
            token: the token.
            ends: tokens that end an answer.
            limit: the number of tokens at which it ends at the latest.
        """
        if self.end is not None:
            return
        self._ids.append(token)
        end: End | None = None
        if token in ends or (self._stops and self._has_stopped()):
            end = "stop"
        elif len(self._ids) >= limit:
            end = "length"
        if end is not None or self._on_text is not None:
            self._show(end)
        if end is not None:
            self.end = end
            if self._on_end is not None:
                self._on_end()

    def _has_stopped(self) -> bool:
        words = self._processor.tokenizer.decode(self._ids, skip_special_tokens=True)
        return any(stop in words for stop in self._stops)

    def _show(self, end: End | None) -> None:
        """Take the text so far, and hand over what is new of it."""
        (text,) = self._processor.post_process_image_text_to_text([torch.tensor(self._ids)])
        for stop in self.settings.stop:
            text = text.partition(stop)[0].rstrip()
        if end is None:
            text = _certain(text, self._stops)
        if not text.startswith(self.text):  # a tokenizer that changes what stood before: wait
            text = text if end is not None else self.text
        new, self.text = text[len(self.text) :], text
        if new and self._on_text is not None:
            self._on_text(new)


def generate_answers(
    model: RegionModel,
    processor: RegionProcessor,
    inputs: BatchFeature,
    answers: Sequence[PendingAnswer],
) -> None:
    """Generate the answers of a batch to their ends.

    Args:
        model: in the mode for evaluation, with the attention "sdpa".
        processor: the model's.
        inputs: padded on the left.
        answers: of its rows, in order.

    Raises:
        torch.OutOfMemoryError: the batch is too large for the device; no answer has an end then.
    """
    ends = stop_tokens(model, processor)
    lengths = inputs["attention_mask"].sum(1).tolist()
    limits = [
        most_tokens(answer.settings, processor, length)
        for answer, length in zip(answers, lengths, strict=True)
    ]
    sampled = any(answer.settings.temperature > 0 for answer in answers)
    with torch.inference_mode():
        model.generate(
            **inputs.to(model.device),
            eos_token_id=list(ends) or None,
            pad_token_id=int(processor.tokenizer.pad_token_id or 0),
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=max(limits),
            logits_processor=LogitsProcessorList([_Drawing(answers)] if sampled else []),
            stopping_criteria=StoppingCriteriaList([_Collector(answers, ends, limits)]),
        )


def stop_tokens(model: RegionModel, processor: RegionProcessor) -> tuple[int, ...]:
    """Return the tokens that end an answer: the template's, or else the language model's."""
    ends = processor.stopping().get("eos_token_id", model.generation_config.eos_token_id)
    return tuple(ends) if isinstance(ends, list | tuple) else () if ends is None else (int(ends),)


class _Collector(StoppingCriteria):
    """Hands each new token to its answer, and ends the rows of those that have ended."""

    def __init__(
        self, answers: Sequence[PendingAnswer], ends: Sequence[int], limits: Sequence[int]
    ) -> None:
        self._answers, self._ends, self._limits = answers, ends, limits

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Return for each row whether it has ended, [B]."""
        tokens = input_ids[:, -1].tolist()
        for answer, token, limit in zip(self._answers, tokens, self._limits, strict=True):
            answer.add(token, self._ends, limit)
        ended = [answer.end is not None for answer in self._answers]
        return torch.tensor(ended, device=input_ids.device)


class _Drawing(LogitsProcessor):
    """Adds noise to the rows that have a temperature, so that the likeliest token is a drawn one.

    The greatest of logits with Gumbel noise is drawn from their softmax (Gumbel 1954); each row has
    noise of its own seed, whatever stands beside it in the batch.
    """

    def __init__(self, answers: Sequence[PendingAnswer]) -> None:
        self._rows = [
            (row, answer.settings, torch.Generator().manual_seed(answer.settings.seed))
            for row, answer in enumerate(answers)
            if answer.settings.temperature > 0
        ]

    def __call__(self, input_ids: Any, scores: Tensor) -> Tensor:
        """Return the logits [B, V] with noise."""
        scores = scores.clone()
        for row, settings, generator in self._rows:
            heat = max(settings.temperature, _COLDEST)
            logits = _nucleus(scores[row].float() / heat, settings.top_p)
            noise = torch.empty(len(logits)).exponential_(generator=generator).log().neg()
            scores[row] = logits + noise.to(logits)
        return scores


def _nucleus(logits: Tensor, share: float) -> Tensor:
    """Return logits [V] of the likeliest tokens that have a share of probability together."""
    if share >= 1:
        return logits
    ordered, indices = logits.softmax(-1).sort(descending=True)
    outside = indices[ordered.cumsum(-1) - ordered >= share]
    return logits.index_fill(0, outside, -torch.inf)


def most_tokens(settings: Settings, processor: RegionProcessor, length: int) -> int:
    """Return the number of tokens at which an answer ends at the latest; one at least.

    Args:
        settings: of the answer.
        processor: the model's, which knows how many tokens fit.
        length: tokens of the prompt.
    """
    room = (
        settings.max_new_tokens if processor.max_length is None else processor.max_length - length
    )
    return max(1, min(settings.max_new_tokens, room))


def _certain(text: str, stops: Sequence[str]) -> str:
    """Return the beginning of an unfinished text that no later token changes."""
    text = text.rstrip(_CUT)
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), 0, -1):
            if text.endswith(stop[:length]):
                text = text[:-length]
                break
    return text.rstrip()
