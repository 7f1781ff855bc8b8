"""Attention that reads no tensor on the host, registered with transformers by name.

Without a padding mask, transformers looks into the position ids of every forward pass, and the
host waits for the device. Under this name no tensor of a device is looked at, and rows are causal.
Segments of a packed row are told apart in one of two ways:

    offsets    where each begins: it attends by itself, as if it were a row, and nothing is T x T.
               On a GPU one kernel computes all of them, by `torch.nn.attention.varlen`
    ids        a mask is made of them, T x T, once for all layers; so it is with offsets on a GPU
               that computes in float32, which that kernel does not know

All segments may begin with the tokens of the first: see `model.shared_keys`.

    model.set_attn_implementation({"text_config": ATTENTION_NAME})

Training and scoring need no more. Padded rows need transformers' own attention, e.g. "sdpa".

Letters in shapes: B rows, H heads, K key-value heads, T queries, S keys, E the width of a head.
"""

from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from model.shared_keys import SharedKeys, of_segments, shared_keys

ATTENTION_NAME = "regionforge_packed"


try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # a build of torch without it
    varlen_attn = None
_VARLEN_OPTIONS = {} if varlen_attn is None else signature(varlen_attn).parameters
_HALF = (torch.bfloat16, torch.float16)  # the types of that kernel


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of packed rows: their ids or their offsets, or neither."""

    ids: Tensor | None = None  # [B, T]
    offsets: Tensor | None = None  # [N + 1] int32, of a single row: the first positions, and T
    longest: int | None = None  # tokens of a segment at most; None: the offsets are read for it
    begin_alike: bool = False  # with the tokens of the row's first, which has them once


def attention_options(
    attention: str | None,
    mask: Tensor | None,
    segments: Segments,
    keys: tuple[Tensor | None, Tensor | None],
    words: Tensor,
) -> dict[str, Any]:
    """Return the inputs of a language model that tell its attention which tokens see which.

    The keys are a batch's `key_offsets` and `key_positions`; for the rest see `mask_of`.
    """
    offsets, positions = keys
    mask = mask_of(attention, mask, replace(segments, begin_alike=offsets is not None), words)
    if mask is None or mask.dtype != torch.int32 or offsets is None or positions is None:
        return {"attention_mask": mask}
    return {"attention_mask": mask, "shared": shared_keys(offsets, positions, words.shape[1])}


def mask_of(
    attention: str | None, mask: Tensor | None, segments: Segments, words: Tensor
) -> Tensor | None:
    """Return the mask for a language model, in a form that transformers hands on as it is.

    Args:
        attention: the name of the language model's attention.
        mask: [B, T], or [B, 1, T, T] bool.
        segments: of packed rows.
        words: [B, T, D], the embeddings that the model is given.

    Raises:
        ValueError: the attention would ignore the mask or the segments.
    """
    if attention == ATTENTION_NAME and mask is not None and mask.ndim == 2:
        raise ValueError(
            f"the attention {ATTENTION_NAME!r} takes no padding mask: call "
            "model.set_attn_implementation('sdpa') for padded rows and generation"
        )
    if segments.offsets is None and segments.begin_alike:
        raise ValueError("key_offsets without segment_offsets: expected both")
    if segments.ids is None and segments.offsets is None:
        return mask
    if attention != ATTENTION_NAME or mask is not None:
        raise ValueError(
            f"segments go without attention_mask, by model.set_attn_implementation("
            f"{ATTENTION_NAME!r}); the attention is {attention!r}"
        )
    if segments.offsets is None:
        assert segments.ids is not None
        return segment_mask(segments.ids)
    if segments.ids is not None:
        raise ValueError("segment_ids and segment_offsets: expected one of them")
    if words.device.type == "cpu" or has_kernel(words):
        return offset_mask(segments.offsets, segments.longest)
    if segments.begin_alike:
        return alike_mask(segments.offsets, words.shape[1])
    return segment_mask(ids_of(segments.offsets, words.shape[1]))


def has_kernel(words: Tensor) -> bool:
    """Return whether one kernel computes all segments of a row of such embeddings.

    It needs a GPU of compute capability 8.0 or newer, and 16-bit numbers. The meta device, on
    which nothing is computed, counts as such a GPU.
    """
    kind = words.device.type
    autocast = kind == "cuda" and torch.is_autocast_enabled(kind)
    dtype = torch.get_autocast_dtype(kind) if autocast else words.dtype
    if kind not in ("cuda", "meta") or dtype not in _HALF:
        return False
    if not {"scale", "window_size"} <= set(_VARLEN_OPTIONS):
        return False
    return kind == "meta" or torch.cuda.get_device_capability(words.device) >= (8, 0)


def offset_mask(offsets: Tensor, longest: int | None = None) -> Tensor:
    """Return the offsets of a row's segments as the mask that `packed_attention` knows them by.

    Args:
        offsets: [N + 1], the first position of each segment, and the end of the row.
        longest: tokens of a segment at most; by default the host waits for the offsets.

    Returns:
        [1, 1, longest, N + 1] int32, the same N + 1 numbers in every row.
    """
    if longest is None:
        longest = int(offsets.diff().max())
    return offsets.int().expand(1, 1, longest, -1)


def ids_of(offsets: Tensor, positions: int) -> Tensor:
    """Return the segments of a row as ids [1, T]: offsets 0 2 3 of a row of 3 are the ids 1 1 2."""
    columns = torch.arange(positions, dtype=offsets.dtype, device=offsets.device)
    return torch.searchsorted(offsets, columns, right=True)[None]


def segment_mask(segment_ids: Tensor) -> Tensor:
    """Return which positions see which: earlier ones of the same segment, and themselves.

    Args:
        segment_ids: [B, T], a number for each segment of a row, e.g. 0 0 0 1 1 2.

    Returns:
        [B, 1, T, T] bool, a row for each query.
    """
    same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
    return same.tril()


def alike_mask(offsets: Tensor, positions: int) -> Tensor:
    """Return the `segment_mask` of segments that begin with the first, and see it, [1, 1, T, T]."""
    ids = ids_of(offsets, positions)
    mask = segment_mask(ids)
    return mask | (ids == 1).expand_as(mask).tril()


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
    shared: SharedKeys | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Return scaled dot-product attention, causal where the module is and there is no mask.

    Args:
        module: the attention layer; `is_causal` and its number of heads come from it.
        query: [B, H, T, E].
        key: [B, K, S, E], H a multiple of K; its last T positions are the queries' own.
        value: [B, K, S, E].
        attention_mask: [B, 1, T, S] bool, true where a query sees a key; or of `offset_mask`, for
            a single row; none for causal rows.
        scaling: the factor of the scores; E ** -0.5 by default.
        dropout: the part of the weights that is dropped.
        is_causal: overrides the module's.
        shared: the keys of segments that all begin with the first; the mask is of `offset_mask`.
        options: what transformers hands to every attention.

    Returns:
        [B, T, H, E], and no weights.
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if attention_mask is not None and attention_mask.dtype == torch.int32:
        more = 0 if shared is None else shared.copies.shape[0]
        _refuse(options, keys=attention_mask.shape[2] + more)
        if shared is not None:
            key, value = (of_segments(each.to(value.dtype), shared) for each in (key, value))
        if query.device.type == "cpu":
            settings = {"scaling": scaling, "dropout": dropout, "is_causal": causal}
            starts = attention_mask[0, 0, 0]
            offsets = (starts, starts if shared is None else shared.offsets)
            return _one_by_one(module, (query, key, value), offsets, settings), None
        if dropout:
            raise ValueError(f"the attention {ATTENTION_NAME!r} has no dropout on a GPU: set it 0")
        heads = (query, key, value)
        return _by_kernel(heads, (attention_mask, shared), scaling, causal=causal), None
    _refuse(options, keys=key.shape[2])
    queries, keys = query.shape[2], key.shape[2]
    mask = attention_mask
    if mask is None and causal and 1 < queries < keys:  # after a prefix in the cache
        square = torch.ones(queries, keys, dtype=torch.bool, device=query.device)
        mask = square.tril(keys - queries)
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and mask is not None:  # the fast kernels take grouped heads without a mask only
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    # As a condition: compiled, the number of queries is a symbol, and so would the comparison be.
    rows = {"is_causal": True} if causal and mask is None and queries > 1 else {}
    output = scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=dropout,
        **rows,
        scale=scaling,
        enable_gqa=key.shape[1] < query.shape[1],
    )
    return output.transpose(1, 2).contiguous(), None


@torch.compiler.disable
def _one_by_one(
    module: nn.Module,
    heads: tuple[Tensor, Tensor, Tensor],
    offsets: tuple[Tensor, Tensor],
    settings: dict[str, Any],
) -> Tensor:
    """Return the attention of a row, segment after segment, [1, T, H, E]; on the CPU.

    The offsets are those of queries, and of keys.
    """
    queries, keys = (each.diff().tolist() for each in offsets)
    lengths = (queries, keys, keys)
    split = (each.split(counts, 2) for each, counts in zip(heads, lengths, strict=True))
    parts = zip(*split, strict=True)
    outputs = [packed_attention(module, q, k, v, None, **settings)[0] for q, k, v in parts]
    return torch.cat(outputs, 1)


def _by_kernel(
    heads: tuple[Tensor, Tensor, Tensor],
    segments: tuple[Tensor, SharedKeys | None],
    scaling: float | None,
    *,
    causal: bool,
) -> Tensor:
    """Return the attention of a row, of all segments at once, [1, T, H, E]; on a GPU.

    Rotation may have widened queries and keys, which take the type of the values again. Where a
    segment has more keys than queries, its last query sees the last key.
    """
    mask, shared = segments
    query, key, value = (each[0].transpose(0, 1).to(heads[2].dtype) for each in heads)
    groups = query.shape[1] // key.shape[1]
    grouped = {"enable_gqa": groups > 1} if "enable_gqa" in _VARLEN_OPTIONS else {}
    if groups > 1 and not grouped:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    offsets, longest = mask[0, 0, 0], mask.shape[2]
    window = (-1, 0 if causal else -1)
    lengths = (offsets, offsets, longest, longest)
    if shared is not None:
        lengths = (offsets, shared.offsets, longest, longest + shared.copies.shape[0])
    output: Tensor = varlen_attn(
        query, key, value, *lengths, scale=scaling, window_size=window, **grouped
    )
    return output[None]


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
