"""The loss of a language model's next tokens.

Letters in shapes: V the size of the vocabulary; any shape before it.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model.config import IGNORED


def token_loss(logits: Tensor, targets: Tensor, items: Tensor | int | None = None) -> Tensor:
    """Return the sum of the tokens' losses, in float32 at least, over the number of tokens.

    Args:
        logits: [..., V].
        targets: [...], -100 counts for nothing, nor does a placeholder.
        items: the number to divide by; that of this batch's supervised tokens by default.
    """
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    targets = targets.where(targets >= 0, IGNORED)
    total = cross_entropy(
        exact.flatten(0, -2), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    if items is None:
        items = (targets != IGNORED).sum().clamp(min=1)
    return total / items
