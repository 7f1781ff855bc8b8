"""The likelihood of given answers after a prompt, for questions with a list of answers.

    prompt = processor.apply_chat_template(messages, images=image, regions=regions, ...)
    scores = score_choices(model, prompt, [processor.answer_ids(name) for name in names])
    best = names[max(range(len(names)), key=lambda k: scores[k].mean)]

The prompt is computed once: its answers follow it in the same row, each of which sees the prompt
and itself, at the positions that it would have alone. An answer's last token needs no position.

    prompt       answer "a red star"   answer "a dog"      the answers are "a red star" and "a dog";
    0 1 2 ... 9  10 11                 10                  "star" and "dog" are only predicted

Letters in shapes: T positions of the prompt, A fed tokens of all answers, L tokens of all answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.attention import ATTENTION_NAME
from model.region_model import RegionModel


@dataclass(frozen=True)
class Likelihood:
    """The natural logarithm of an answer's probability after the prompt.

    Attributes:
        total: the sum over its tokens.
        tokens: their number.
    """

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """The logarithm for each token, which does not favour short answers."""
        return self.total / self.tokens


@torch.no_grad()
def score_choices(
    model: RegionModel, prompt: Mapping[str, Tensor], choices: Sequence[Sequence[int]]
) -> list[Likelihood]:
    """Return the likelihood of each answer after one prompt, by one forward pass.

    Args:
        model: in the mode for evaluation, with the attention "sdpa" or this package's own.
        prompt: a batch of one row without padding, as the processor makes it.
        choices: the token ids of each answer, as `processor.answer_ids` returns them: with its
            stop, if the stop is to be likely too.

    Raises:
        ValueError: an answer is a text or empty, or the prompt is not one row without padding.
    """
    _check(model, prompt, choices)
    ids = prompt["input_ids"]
    length, device = ids.shape[1], ids.device
    fed = [token for choice in choices for token in choice[:-1]]
    answers = torch.tensor([fed], dtype=ids.dtype, device=device)
    layout = _Layout.of(length, choices)
    rest = {name: prompt[name] for name in prompt if name not in ("input_ids", "attention_mask")}
    outputs = model(
        **rest,
        input_ids=torch.cat([ids, answers], dim=1),
        attention_mask=layout.mask().to(device),
        position_ids=layout.positions.to(device),
        loss_positions=layout.predictors.to(device),
        loss_targets=torch.tensor([token for choice in choices for token in choice], device=device),
    )
    return _likelihoods(outputs.logits, choices)


@dataclass(frozen=True)
class _Layout:
    """The row of a prompt and its answers.

    Attributes:
        owners: [T + A] 0 for the prompt, k for the k-th answer.
        positions: [1, T + A] the position of each token in its own conversation.
        predictors: [L] the row's position whose next token is each token of an answer.
    """

    owners: Tensor
    positions: Tensor
    predictors: Tensor

    @classmethod
    def of(cls, length: int, choices: Sequence[Sequence[int]]) -> "_Layout":
        """Return the layout of answers after a prompt of `length` tokens."""
        owners, positions, predictors = [0] * length, list(range(length)), list[int]()
        for number, choice in enumerate(choices, start=1):
            start, fed = len(owners), len(choice) - 1
            predictors += [length - 1, *range(start, start + fed)]
            owners += [number] * fed
            positions += range(length, length + fed)
        return cls(torch.tensor(owners), torch.tensor([positions]), torch.tensor(predictors))

    def mask(self) -> Tensor:
        """Return which positions see which, [1, 1, T + A, T + A] bool, a row for each query."""
        same = (self.owners[:, None] == self.owners) | (self.owners == 0)
        return same.tril()[None, None]


def _likelihoods(logits: Tensor, choices: Sequence[Sequence[int]]) -> list[Likelihood]:
    """Return the likelihoods from the logits of each answer's tokens, [L, V]."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    tokens = torch.tensor([token for choice in choices for token in choice], device=logits.device)
    each = exact.gather(1, tokens[:, None])[:, 0]
    lengths = [len(choice) for choice in choices]
    sums = torch.stack([part.sum() for part in each.split(lengths)]).tolist()
    return [Likelihood(total, count) for total, count in zip(sums, lengths, strict=True)]


def _check(
    model: RegionModel, prompt: Mapping[str, Tensor], choices: Sequence[Sequence[int]]
) -> None:
    """Raise ValueError where the answers could not be scored, or only wrongly."""
    if model.training:
        raise ValueError("the model is in training mode, which gives no logits: call model.eval()")
    attention = model.language_model.config._attn_implementation
    for choice in choices:
        if isinstance(choice, str):
            raise ValueError(f"the answer {choice!r:.40} is a text, expected processor.answer_ids")
    if attention not in ("sdpa", ATTENTION_NAME):
        raise ValueError(
            f"the attention {attention!r} takes no mask of answers: call "
            "model.set_attn_implementation('sdpa')"
        )
    mask = prompt.get("attention_mask")
    if prompt["input_ids"].shape[0] != 1 or (mask is not None and not mask.all()):
        raise ValueError("expected a prompt of one row without padding")
    for number, choice in enumerate(choices, start=1):
        if not len(choice):
            raise ValueError(f"answer {number} has no token")
    if not choices:
        raise ValueError("expected one answer at least")
