"""The loss of a language model's next tokens.

Letters in shapes: V the size of the vocabulary; any shape before it; L supervised tokens, D the
width of the language model.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedConfig

from model.config import IGNORED

_AT_ONCE = 1024  # tokens that have logits at one time
# What some language models do to their logits after the head, which the loss here would miss.
_CHANGED_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")


def token_loss(logits: Tensor, targets: Tensor, items: Tensor | int | None = None) -> Tensor:
    """Return the sum of the tokens' losses, in float32 at least, over the number of tokens.

    Args:
        logits: [..., V].
        targets: [...], -100 counts for nothing, nor does a placeholder.
        items: the number to divide by; that of this batch's supervised tokens by default.
    """
    return _sum(logits, targets) / _divisor(targets, items)


def head_loss(
    head: nn.Module, states: Tensor, targets: Tensor, items: Tensor | int | None = None
) -> Tensor:
    """Return `token_loss` of the logits that a head makes, of which only some exist at one time.

    Logits of 32,000 words take 128 kB a token in float32. Those of more tokens than `_AT_ONCE` are
    made in parts, and once more in the backward pass. `torch.nn.functional.linear_cross_entropy`
    does so too, but gives the loss of bfloat16 states in bfloat16, to three digits.

    Args:
        head: makes logits [..., V] of states [..., D].
        states: [L, D].
        targets: [L], see `token_loss`.
        items: see `token_loss`.
    """
    if len(states) <= _AT_ONCE:
        return token_loss(head(states), targets, items)
    sums = [
        checkpoint(_head_sum, head, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(states.split(_AT_ONCE), targets.split(_AT_ONCE), strict=True)
    ]
    return torch.stack(sums).sum() / _divisor(targets, items)


def _head_sum(head: nn.Module, states: Tensor, targets: Tensor) -> Tensor:
    return _sum(head(states), targets)


def _sum(logits: Tensor, targets: Tensor) -> Tensor:
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    counted = targets.where(targets >= 0, IGNORED)
    return cross_entropy(
        exact.flatten(0, -2), counted.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def _divisor(targets: Tensor, items: Tensor | int | None) -> Tensor | int:
    return (targets >= 0).sum().clamp(min=1) if items is None else items


def check_logits(config: PreTrainedConfig) -> None:
    """Raise ValueError for a language model that changes the logits which its head makes."""
    for name in _CHANGED_LOGITS:
        if getattr(config, name, None) is not None:
            raise ValueError(
                f"the language model changes its logits by {name}, which the loss does not know: "
                "choose another one"
            )
