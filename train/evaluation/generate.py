"""Replies by greedy generation, several questions at once, each answered as it would be alone.

The score of a reply is the mean probability of its tokens, the one that ends it among them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import BatchFeature, LogitsProcessor, LogitsProcessorList

from model.processor import RegionProcessor
from model.region_model import RegionModel
from model.serve.answering import stop_tokens
from train.evaluation.reply import Reply


def generate(
    model: RegionModel, processor: RegionProcessor, inputs: BatchFeature, max_new_tokens: int
) -> list[Reply]:
    """Return the reply to each row of a batch, in order.

    Args:
        model: in the mode for evaluation, with the attention "sdpa".
        processor: the model's.
        inputs: padded on the left.
        max_new_tokens: of a reply, at most.
    """
    confidence = _Confidence()
    ends = stop_tokens(model, processor)
    pad = int(processor.tokenizer.pad_token_id or 0)
    with torch.inference_mode():
        ids = model.generate(
            **inputs.to(model.device),
            **{**processor.stopping(), "eos_token_id": list(ends) or None, "pad_token_id": pad},
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=max_new_tokens,
            logits_processor=LogitsProcessorList([confidence]),
        ).cpu()
    texts = processor.post_process_image_text_to_text(ids)
    probabilities = torch.stack(confidence.steps, dim=1).cpu()
    return [
        Reply(text=text, score=_mean(row[: _length(tokens, ends, pad)]))
        for text, row, tokens in zip(texts, probabilities, ids.tolist(), strict=True)
    ]


class _Confidence(LogitsProcessor):
    """Keeps each step's probability of the likeliest token, which greedy generation takes.

    Attributes:
        steps: [B] each.
    """

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def __call__(self, input_ids: Any, scores: Tensor) -> Tensor:
        """Note the probability, and change nothing."""
        self.steps.append(scores.float().softmax(-1).amax(-1))
        return scores


def _length(tokens: Sequence[int], ends: Sequence[int], pad: int) -> int:
    """Return the number of a row's tokens up to its end; what follows only fills the batch."""
    for number, token in enumerate(tokens, start=1):
        if token in ends:
            return number
    length = len(tokens)
    while length > 1 and tokens[length - 1] == pad:
        length -= 1
    return length


def _mean(probabilities: Tensor) -> float:
    return min(1.0, float(probabilities.mean()))
