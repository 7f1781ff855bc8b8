"""Attention that reads no tensor on the host, registered with transformers by name.

Without a padding mask, transformers looks into the position ids of every forward pass, and the
host waits for the device. Under this name no tensor of a device is looked at, and rows are causal.
Segments of a packed row are told apart in one of two ways:

    lengths    the host knows them: each segment attends by itself, as if it were a row
    ids        on the device: a mask is made of them, T x T, once for all layers

    model.set_attn_implementation({"text_config": ATTENTION_NAME})

Training and scoring need no more. Padded rows need transformers' own attention, e.g. "sdpa".

Letters in shapes: B rows, H heads, K key-value heads, T queries, S keys, E the width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION_NAME = "regionforge_packed"


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of packed rows: their ids or their lengths, or neither."""

    ids: Tensor | None = None  # [B, T]
    lengths: Sequence[int] | None = None  # of a single row


def mask_of(attention: str | None, mask: Tensor | None, segments: Segments) -> Tensor | None:
    """Return the mask for a language model, in a form that transformers hands on as it is.

    Args:
        attention: the name of the language model's attention.
        mask: [B, T], or [B, 1, T, T] bool.
        segments: of packed rows.

    Raises:
        ValueError: the attention would ignore the mask or the segments.
    """
    if attention == ATTENTION_NAME and mask is not None and mask.ndim == 2:
        raise ValueError(
            f"the attention {ATTENTION_NAME!r} takes no padding mask: call "
            "model.set_attn_implementation('sdpa') for padded rows and generation"
        )
    if segments.ids is None and segments.lengths is None:
        return mask
    if attention != ATTENTION_NAME or mask is not None:
        raise ValueError(
            f"segments go without attention_mask, by model.set_attn_implementation("
            f"{ATTENTION_NAME!r}); the attention is {attention!r}"
        )
    if segments.lengths is None:
        assert segments.ids is not None
        return segment_mask(segments.ids)
    if segments.ids is not None:
        raise ValueError("segment_ids and segment_lengths: expected one of them")
    return length_mask(segments.lengths)


def length_mask(lengths: Sequence[int]) -> Tensor:
    """Return the lengths of a row's segments as the mask that `packed_attention` knows them by.

    Returns:
        [1, 1, 1, S] int64, on the CPU whatever the device of the row is.
    """
    return torch.tensor(lengths, dtype=torch.int64, device="cpu").view(1, 1, 1, -1)


def segment_mask(segment_ids: Tensor) -> Tensor:
    """Return which positions see which: earlier ones of the same segment, and themselves.

    Args:
        segment_ids: [B, T], a number for each segment of a row, e.g. 0 0 0 1 1 2.

    Returns:
        [B, 1, T, T] bool, a row for each query.
    """
    same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
    return same.tril()


def packed_attention(  # noqa: PLR0913  # transformers calls it so
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Return scaled dot-product attention, causal where the module is and there is no mask.

    Args:
        module: the attention layer; `is_causal` and its number of heads come from it.
        query: [B, H, T, E].
        key: [B, K, S, E], H a multiple of K; its last T positions are the queries' own.
        value: [B, K, S, E].
        attention_mask: [B, 1, T, S] bool, true where a query sees a key; or of `length_mask`, for
            a single row; none for causal rows.
        scaling: the factor of the scores; E ** -0.5 by default.
        dropout: the part of the weights that is dropped.
        is_causal: overrides the module's.
        options: what transformers hands to every attention.

    Returns:
        [B, T, H, E], and no weights.
    """
    if attention_mask is not None and attention_mask.dtype == torch.int64:
        lengths = attention_mask.flatten().tolist()
        settings = {**options, "scaling": scaling, "dropout": dropout, "is_causal": is_causal}
        parts = zip(*(heads.split(lengths, 2) for heads in (query, key, value)), strict=True)
        outputs = [packed_attention(module, q, k, v, None, **settings)[0] for q, k, v in parts]
        return torch.cat(outputs, dim=1), None
    _refuse(options, keys=key.shape[2])
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    queries, keys = query.shape[2], key.shape[2]
    mask = attention_mask
    if mask is None and causal and 1 < queries < keys:  # after a prefix in the cache
        square = torch.ones(queries, keys, dtype=torch.bool, device=query.device)
        mask = square.tril(keys - queries)
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and mask is not None:  # the fast kernels take grouped heads without a mask only
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    output = scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        is_causal=causal and mask is None and queries > 1,
        scale=scaling,
        enable_gqa=key.shape[1] < query.shape[1],
    )
    return output.transpose(1, 2).contiguous(), None


def _refuse(options: dict[str, Any], *, keys: int) -> None:
    """Raise ValueError for what some models ask of attention and this one does not give."""
    window = options.get("sliding_window")
    if window is not None and keys > window:
        raise ValueError(
            f"{keys} positions with a sliding window of {window}, and the attention "
            f"{ATTENTION_NAME!r} has no window: use set_attn_implementation('sdpa')"
        )
    if options.get("softcap") is not None:
        raise ValueError(
            f"the attention {ATTENTION_NAME!r} has no softcap: use set_attn_implementation('eager')"
        )


AttentionInterface.register(ATTENTION_NAME, packed_attention)
