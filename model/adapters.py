"""Low-rank adapters by peft, and weights of 8 or 4 bits, for both models.

peft and the two libraries of few-bit weights are imported where they are used: a model runs
without them.

Adapters, and a plain model of them again:

    model = peft.get_peft_model(model, lora_config(rank=16))
    ...                                     # training as ever
    model.save_pretrained("adapter")        # the adapters alone, some megabytes
    model = model.merge_and_unload()

Weights of 4 bits, on which adapters can be trained too:

    model = AutoModelForImageTextToText.from_pretrained(
        folder, quantization_config=quantization(4)
    )
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers.utils.quantization_config import QuantizationConfigMixin

# The parts that stay in the dtype asked for: all but the language model's blocks.
FULL_PRECISION = ["vision_tower", "connector", "language_model.lm_head"]


def lora_config(
    rank: int = 16,
    alpha: float | None = None,
    dropout: float = 0.0,
    connector: Literal["adapted", "trained", "frozen"] = "adapted",
) -> "LoraConfig":
    """The `LoraConfig` of adapters on every linear layer of the language model's blocks.

    The connector's linear layers are adapted too; or the connector is `trained`, which is a
    whole copy of it (peft's `modules_to_save`), saved with the adapters and put in its stead by
    `merge_and_unload`; or it is `frozen`. Its convolutions and its start and end vectors are
    trained only with the whole. `alpha` is twice the rank where not given.
    """
    from peft import LoraConfig

    parts = "language_model|connector" if connector == "adapted" else "language_model"
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank if alpha is None else alpha,
        lora_dropout=dropout,
        target_modules="all-linear",  # never the output layer
        exclude_modules=rf"(?!(?:{parts})\.).*",
        modules_to_save=["connector"] if connector == "trained" else None,
    )


def quantization(
    bits: Literal[4, 8], library: Literal["bitsandbytes", "torchao"] = "bitsandbytes"
) -> "QuantizationConfigMixin":
    """The `quantization_config=` of `from_pretrained`: the language model's blocks in few bits.

    transformers' own default would quantise the vision tower and the connector with them, which
    hold 5 % of the weights and all of the picture. Four bits are NF4 with bitsandbytes; torchao's
    need a kernel of the device.
    """
    if library == "bitsandbytes":
        return _bitsandbytes(bits)
    return _torchao(bits)


def _bitsandbytes(bits: int) -> "QuantizationConfigMixin":
    """The configuration of bitsandbytes: LLM.int8 or NF4 with bfloat16 products."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_8bit=bits == 8,
        load_in_4bit=bits == 4,
        llm_int8_skip_modules=FULL_PRECISION,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _torchao(bits: int) -> "QuantizationConfigMixin":
    """The configuration of torchao: weights alone are quantised."""
    from torchao.quantization import Int4WeightOnlyConfig, Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    kind = Int8WeightOnlyConfig() if bits == 8 else Int4WeightOnlyConfig()
    return TorchAoConfig(kind, modules_to_not_convert=FULL_PRECISION)
