"""The configurations of GPT4RoI and RegionGPT, in the form of transformers.

Both hold a `vision_config` and a `text_config`, as transformers' Llava does; what is beside them
shapes the connector between the two towers. Configurations are saved as `config.json`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

# Placeholders in `input_ids`: outside every vocabulary, so that the language model stays as its
# owner shipped it.
IMAGE_ID = -200  # one for each image token
IMAGE_START_ID = -201  # before the image tokens, where the connector has the vector
IMAGE_END_ID = -202  # after them
REGION_ID = -300  # one for each region token
IGNORED = -100  # in labels: no loss at this position

# `vicuna_v0_released` is written as `vicuna_v0`, and the roles' words are learned too.
TemplateName = Literal["vicuna_v0", "vicuna_v0_released", "vicuna_v1", "chat"]

FORMAT = 1  # of our folders: names of tensors and their meaning

LLAMA_7B: Mapping[str, Any] = {  # Vicuna v0 to v1.3 stand on the first Llama
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "max_position_embeddings": 2048,
    "vocab_size": 32000,
    "rms_norm_eps": 1e-6,
}

CLIP_L_336: Mapping[str, Any] = {  # openai/clip-vit-large-patch14-336
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}

CLIP_H_224: Mapping[str, Any] = {  # laion/CLIP-ViT-H-14-laion2B-s32B-b79K, in transformers' layout
    "model_type": "clip_vision_model",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
    "projection_dim": 1024,
    "hidden_act": "gelu",
}


class _RegionConfig(PreTrainedConfig):
    """The parts that both configurations share."""

    sub_configs: ClassVar[dict[str, type[AutoConfig]]] = {
        "vision_config": AutoConfig,
        "text_config": AutoConfig,
    }
    default_vision: ClassVar[Mapping[str, Any]] = CLIP_L_336

    # transformers' configurations of the towers; also taken in their JSON form.
    vision_config: Any = None
    text_config: Any = None
    # The form in which conversations are written: Vicuna's two, or the language model's own.
    template: TemplateName = "vicuna_v1"
    # The way in which a picture becomes square: centred on a canvas, or without keeping its aspect.
    image_fit: Literal["pad", "stretch"] = "pad"
    # Where the towers came from, folders or names on the Hub; what training leaves of them as it
    # was, is not saved again with the trained part.
    vision_source: str | None = None
    language_source: str | None = None
    format: int = FORMAT
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Make the two inner configurations from their JSON forms, and check the whole."""
        self.vision_config = _inner(self.vision_config, self.default_vision)
        self.text_config = _inner(self.text_config, LLAMA_7B)
        self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))
        super().__post_init__(**kwargs)
        _check_format(self.format)
        self.check_layers()

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """The hidden states of the vision tower that the connector takes, from the last (-1).

        The numbers index transformers' `hidden_states`, whose first is the embedding output.
        """
        raise NotImplementedError

    @property
    def image_size(self) -> int:
        """The side of the model's square picture, pixels."""
        return int(self.vision_config.image_size)

    @property
    def grid(self) -> int:
        """The number of patches on a side of the picture; an incomplete patch is left out."""
        return int(self.image_size // self.vision_config.patch_size)

    @property
    def image_tokens(self) -> int:
        """The number of image tokens of a picture."""
        return self.grid**2

    @property
    def has_class_token(self) -> bool:
        """Whether the vision tower puts a class token before its patches: CLIP does."""
        return str(self.vision_config.model_type).startswith("clip")

    def check_layers(self) -> None:
        """Raise ValueError where the connector would get hidden states that there are not."""
        depth = self.vision_config.num_hidden_layers
        for layer in self.feature_layers:
            if not -depth <= layer <= -1:
                raise ValueError(
                    f"hidden state {layer} of a vision tower of {depth} layers: expected a number "
                    f"from -{depth} (after the first layer) to -1 (after the last)"
                )


@strict
class GPT4RoIConfig(_RegionConfig):
    """The configuration of GPT4RoI.

    The defaults are the paper's, with the width and the box embedding of its released code.
    """

    model_type = "gpt4roi"
    default_vision = CLIP_H_224

    template: TemplateName = "vicuna_v0"
    image_fit: Literal["pad", "stretch"] = "stretch"
    # Hidden states that become the levels of the pyramid, coarsest (the patch grid) first; each
    # next level has twice as many cells on a side. The first also gives the image tokens.
    pyramid_layers: list[int] | tuple[int, ...] = (-2, -5, -8, -11)
    pyramid_width: int = 1024  # channels of every level
    shuffle_blocks: int = 5  # scale-shuffle blocks, one after the other
    shuffle_groups: int = 64  # groups of their group normalisation
    roi_size: int = 14  # cells on a side of a region's crop
    roi_sampling_ratio: int = 2  # samples on a side of a cell
    box_embedding: bool = True  # add an embedding of the box's corners: the released code does
    box_embedding_width: int = 256  # its hidden width
    # Vectors before and after the image tokens. They are the rows of added words in the first
    # stage's checkpoint; without such a checkpoint there are none.
    image_boundaries: bool = False

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """The hidden states of the pyramid, coarsest level first."""
        return tuple(self.pyramid_layers)

    def check_layers(self) -> None:
        """Raise ValueError for layers that there are not, and widths that do not divide."""
        super().check_layers()
        if self.pyramid_width % 4:
            raise ValueError(f"pyramid_width is {self.pyramid_width}, expected a multiple of 4")
        if self.pyramid_width % self.shuffle_groups:
            raise ValueError(
                f"pyramid_width is {self.pyramid_width}, expected a multiple of shuffle_groups, "
                f"{self.shuffle_groups}"
            )


@strict
class RegionGPTConfig(_RegionConfig):
    """The configuration of RegionGPT; the defaults are the paper's."""

    model_type = "regiongpt"

    feature_layer: int = -2  # the hidden state that is refined
    # The way in which the feature map becomes finer (RegionGPT, Table 6): by two deconvolutions, 4
    # times as many cells on a side; by interpolation, 16 times; by both, 4 times each; or not.
    refinement: Literal["deconv", "bilinear", "deconv_bilinear", "none"] = "deconv"
    refinement_kernel: Literal[2, 4] = 2  # of a deconvolution with stride 2
    # The way in which masks become weights of cells: by the area that they cover, or as public code
    # resizes them, which loses many thin ones. Boxes go by area.
    mask_sampling: Literal["area", "bilinear"] = "area"

    @property
    def feature_layers(self) -> tuple[int, ...]:
        """The one hidden state that is refined."""
        return (self.feature_layer,)

    @property
    def region_grid(self) -> int:
        """The number of cells on a side of the map from which regions are pooled."""
        return self.grid * self.refinement_scale

    @property
    def refinement_scale(self) -> int:
        """The number of cells on a side of the refined map for each patch."""
        return {"deconv": 4, "bilinear": 16, "deconv_bilinear": 16, "none": 1}[self.refinement]


RegionConfig = GPT4RoIConfig | RegionGPTConfig


def _inner(
    config: dict[str, Any] | PreTrainedConfig | None, default: Mapping[str, Any]
) -> PreTrainedConfig:
    """Return an inner configuration from its JSON form; the default where there is none."""
    if isinstance(config, PreTrainedConfig):
        return config
    values = dict(default if config is None else config)
    chosen = values.pop("model_type", default["model_type"])
    if chosen not in CONFIG_MAPPING:
        raise ValueError(f"model_type {chosen!r} is not one that transformers knows")
    return CONFIG_MAPPING[chosen](**values)


def _check_format(version: int) -> None:
    if version != FORMAT:
        raise ValueError(
            f"the folder has format {version}, and this version of RegionForge reads {FORMAT}: "
            "use the version that wrote it, or train again"
        )
