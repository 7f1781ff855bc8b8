"""GPT4RoI and RegionGPT as models of transformers: a vision tower, a connector, a language model.

    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.bfloat16)
    batch = processor(images=image, text=prompt, regions=regions)
    ids = model.generate(**batch, max_new_tokens=64)

A forward pass goes: picture -> hidden states of the tower -> image tokens and region tokens, made
by the connector -> their places in the row's embeddings -> language model -> logits, loss. All
places come with the batch, so that the host never waits to learn them from the device.

Letters in shapes: B rows, T positions of a row, D the language model's width, V its vocabulary,
L supervised tokens; the rest as in `model.region_inputs`.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.initialization import guard_torch_init_functions
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils import can_return_tuple

from model.attention import Segments, attention_options
from model.config import GPT4RoIConfig, RegionConfig, RegionGPTConfig
from model.generation import RegionGenerationMixin
from model.gpt4roi.connector import GPT4RoIConnector
from model.loss import check_logits, head_loss, token_loss
from model.misfit import refuse_misfit, unreadable_named
from model.region_inputs import RegionInputs, write_vectors
from model.regiongpt.connector import RegionGPTConnector
from model.vision import VisionTower


class RegionModel(RegionGenerationMixin, PreTrainedModel):
    """The part that GPT4RoI and RegionGPT share; they differ in the connector."""

    config: RegionConfig
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    # Modules that stay on one device; the language model names its own.
    _no_split_modules: ClassVar = [
        "CLIPEncoderLayer",
        "SiglipEncoderLayer",
        "GPT4RoIConnector",
        "RegionGPTConnector",
    ]
    # The tensors of a batch in which the model takes regions.
    region_names: ClassVar[tuple[str, ...]]

    def __init__(self, config: RegionConfig, connector: nn.Module) -> None:
        super().__init__(config)
        check_logits(config.text_config)
        self.vision_tower = VisionTower(config)
        self.connector = connector
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *inputs: Any,
        output_loading_info: bool = False,
        **options: Any,
    ) -> Any:
        """Load a model as transformers does; weights must fit, or InputFileError names the keys.

        transformers itself only warns of missing and surplus keys.
        """
        origin = pretrained_model_name_or_path
        if origin is not None:  # shapes that differ are reported, and refused here
            options.setdefault("ignore_mismatched_sizes", True)
        with unreadable_named(origin):
            model, report = super().from_pretrained(
                origin, *inputs, output_loading_info=True, **options
            )
        if origin is not None:  # else tensors were given, which the caller checks
            refuse_misfit(origin, report)
        return (model, report) if output_loading_info else model

    @torch.no_grad()
    @guard_torch_init_functions()  # tensors that came from a folder stay
    def initialize_weights(self) -> None:
        """Start the towers as transformers does, and the connector's parts as they themselves do.

        transformers calls this for a new model, and for what a folder lacks.
        """
        super().initialize_weights()
        self.connector.apply(_reset)

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's table of words."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Set the language model's table of words."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the language model's head."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Set the language model's head."""
        self.language_model.set_output_embeddings(new_embeddings)

    @can_return_tuple
    def forward(  # noqa: PLR0913  # transformers' Trainer and generate read the names from here
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        loss_positions: Tensor | None = None,
        loss_targets: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        segment_ids: Tensor | None = None,
        segment_offsets: Tensor | None = None,
        longest_segment: int | None = None,
        key_offsets: Tensor | None = None,
        key_positions: Tensor | None = None,
        logits_to_keep: Tensor | int = 0,
        pixel_values: Tensor | None = None,
        image_positions: Tensor | None = None,
        boundary_positions: Tensor | None = None,
        region_positions: Tensor | None = None,
        region_indices: Tensor | None = None,
        region_boxes: Tensor | None = None,
        region_images: Tensor | None = None,
        region_pictures: Tensor | None = None,
        region_weights: Tensor | None = None,
        **options: Any,
    ) -> CausalLMOutputWithPast:
        """Return the logits of each next token, and the loss where the batch has answers.

        The loss is the sum over supervised tokens in float32, divided by their number.

        Args:
            input_ids: [B, T], placeholders of pictures and regions below 0.
            attention_mask: [B, T], 1 for tokens and 0 for padding; or [B, 1, T, T] bool, true
                where a row's position sees a column's.
            position_ids: [B, T], by default 0 to T - 1; they start anew with each segment.
            inputs_embeds: [B, T, D] in place of the ids and of all pictures and regions.
            labels: [B, T], below 0 where no loss is; the logits before each token are judged by it.
            loss_positions: [L] flat positions whose next token is supervised; with them the head
                sees these alone, and labels are not needed.
            loss_targets: [L] the next tokens; -100 counts for nothing.
            num_items_in_batch: the number that the sum is divided by, e.g. of all devices'
                supervised tokens; by default this batch's own.
            segment_ids: [B, T], a number for each segment of a packed row.
            segment_offsets: in their place, for a single row: [N + 1], the first position of each
                segment, and the end of the row. Each attends by itself, in the time and memory of
                separate rows.
            longest_segment: tokens of a segment at most; by default the host waits for the offsets.
            key_offsets: of segments that all begin with the tokens of the first, which are in the
                row once: [N + 1], the first key of each segment, and S, the number of all keys.
            key_positions: [S], the position in the row of each of these keys.
            logits_to_keep: the number of last positions that get logits; 0 for all.
            pixel_values: see `RegionInputs`, as for all that follow.
            image_positions: see there.
            boundary_positions: see there.
            region_positions: see there.
            region_indices: see there.
            region_boxes: see there.
            region_images: see there.
            region_pictures: see there.
            region_weights: see there.
            options: what the language model takes besides, e.g. its cache.

        Returns:
            `logits` [B, T, V]; with loss_positions [L, V], and none in training mode; `loss`, where
            there is one.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("expected input_ids or inputs_embeds, and not both")
        if inputs_embeds is None:
            inputs = RegionInputs(
                pixel_values=pixel_values,
                image_positions=image_positions,
                boundary_positions=boundary_positions,
                region_positions=region_positions,
                region_indices=region_indices,
                region_boxes=region_boxes,
                region_images=region_images,
                region_pictures=region_pictures,
                region_weights=region_weights,
            )
            inputs_embeds = self._embed(input_ids, inputs)
        options["inputs_embeds"] = inputs_embeds
        options["position_ids"] = position_ids
        attention = self.language_model.config._attn_implementation
        segments = Segments(ids=segment_ids, offsets=segment_offsets, longest=longest_segment)
        keys = (key_offsets, key_positions)
        options |= attention_options(attention, attention_mask, segments, keys, inputs_embeds)
        if labels is not None or loss_positions is not None:
            options.setdefault("use_cache", False)
        if loss_positions is not None:
            return self._supervised(loss_positions, loss_targets, num_items_in_batch, options)
        outputs = self.language_model(logits_to_keep=logits_to_keep, **options)
        if labels is None:
            return outputs
        loss = token_loss(outputs.logits[:, :-1], labels[:, 1:], num_items_in_batch)
        return type(outputs)(loss=loss, **outputs)  # anew: in a tuple the loss comes first

    def embed(self, input_ids: Tensor, **inputs: Tensor | None) -> Tensor:
        """Return the row embeddings of a batch, pictures and regions in their places.

        Args:
            input_ids: [B, T], placeholders of pictures and regions below 0.
            inputs: the fields of `RegionInputs`.

        Returns:
            [B, T, D]
        """
        return self._embed(input_ids, RegionInputs(**inputs))

    def _embed(self, input_ids: Tensor, inputs: RegionInputs) -> Tensor:
        inputs.check(self.region_names)
        words = self.get_input_embeddings()(input_ids.clamp(min=0))
        if inputs.pixel_values is None:
            return words
        tokens, regions = self.connector(self.vision_tower(inputs.pixel_values), inputs.regions)
        if regions is not None and inputs.region_indices is not None:
            regions = regions.index_select(0, inputs.region_indices.to(regions.device))
        count, boundaries = self.config.image_tokens, None
        if tokens.shape[1] > count:
            boundaries, tokens = tokens[:, :: count + 1].flatten(0, 1), tokens[:, 1:-1]
        vectors = (tokens.flatten(0, 1), boundaries, regions)
        return write_vectors(words, inputs.positions, vectors)

    def _supervised(
        self,
        positions: Tensor,
        targets: Tensor | None,
        items: Tensor | int | None,
        options: dict[str, Any],
    ) -> CausalLMOutputWithPast:
        """Return the loss, and out of training the logits, of the positions that have one alone."""
        if targets is None or targets.shape != positions.shape:
            raise ValueError(
                f"loss_positions of shape {list(positions.shape)} and loss_targets of "
                f"{None if targets is None else list(targets.shape)}: expected one target each"
            )
        outputs = self.language_model.get_decoder()(**options)
        states = outputs.last_hidden_state.flatten(0, 1).index_select(0, positions)
        head, logits = self.get_output_embeddings(), None
        if self.training:
            loss = head_loss(head, states, targets, items)
        else:
            logits = head(states)
            loss = token_loss(logits, targets, items)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


class GPT4RoIForConditionalGeneration(RegionModel):
    """GPT4RoI (Zhang et al. 2023): boxes, encoded from a pyramid of the tower's features."""

    config_class = GPT4RoIConfig
    region_names = ("region_boxes", "region_images")

    def __init__(self, config: GPT4RoIConfig) -> None:
        super().__init__(config, GPT4RoIConnector(config))


class RegionGPTForConditionalGeneration(RegionModel):
    """RegionGPT (Guo et al. 2024): regions of any shape, pooled from a refined feature map."""

    config_class = RegionGPTConfig
    region_names = ("region_weights",)

    def __init__(self, config: RegionGPTConfig) -> None:
        super().__init__(config, RegionGPTConnector(config))


def _reset(module: nn.Module) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
