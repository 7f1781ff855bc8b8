"""Generation by transformers from pictures and regions that are encoded once.

Letters in shapes: B rows, T positions of a row.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin

from model.attention import ATTENTION_NAME
from model.region_inputs import INPUT_NAMES, RegionInputs


class RegionGenerationMixin(GenerationMixin):
    """transformers' `generate` for a model that has `embed`."""

    @torch.no_grad()
    def generate(self, inputs: Tensor | None = None, **options: Any) -> Any:
        """Return the new tokens alone, [B, new]; all else as in transformers' `generate`.

        Pictures and regions are encoded once, and the prompt is not repeated in the answer.

        Args:
            inputs: [B, T] ids, padded on the left; also under the name `input_ids`.
            options: the batch's other tensors, and all that transformers' `generate` takes.

        Raises:
            ValueError: the rows are padded on the right, or placeholders and tensors do not fit.
        """
        mask = options.get("attention_mask")
        if mask is not None and mask.ndim == 2 and not mask[:, -1].all():
            raise ValueError("rows are padded on the right, expected padding_side='left'")
        input_ids = options.pop("input_ids", None) if inputs is None else inputs
        if input_ids is not None:
            inputs = {name: options.pop(name) for name in INPUT_NAMES if name in options}
            RegionInputs(**inputs).check_placeholders(input_ids)
            options["inputs_embeds"] = self.embed(input_ids, **inputs)
        return super().generate(**options)

    def prepare_inputs_for_generation(
        self, *args: Any, inputs_embeds: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Return what transformers gives to a forward pass, without a mask that masks nothing.

        The attention without host syncs takes no such mask, and transformers 5.17 always has one.

        Args:
            args: see transformers.
            inputs_embeds: named here, and kwargs so called, for transformers reads the names.
            kwargs: see transformers.
        """
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            *args, inputs_embeds=inputs_embeds, **kwargs
        )
        mask = inputs.get("attention_mask")
        attention = self.language_model.config._attn_implementation
        if mask is not None and attention == ATTENTION_NAME and mask.all():
            inputs["attention_mask"] = None
        return inputs
