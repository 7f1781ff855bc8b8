"""The weights of masks as a configuration says, in a batch and through a saved folder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from model.presets import tiny_regiongpt
from model.processor import RegionProcessor, processor_for

TEXT = "<image>\nWhat is in <region1>?"


def weights_of(processor: RegionProcessor, mask: np.ndarray) -> Tensor:
    picture = Image.new("RGB", mask.shape[::-1])
    weights: Tensor = processor(images=picture, text=TEXT, regions=[mask])["region_weights"]
    return weights[0, 0]


@pytest.mark.parametrize("sampling", ["area", "bilinear"])
def test_masks_are_weighed_as_the_configuration_says(
    llama_tokenizer: PreTrainedTokenizerBase, tmp_path: Path, sampling: str
) -> None:
    mask = np.random.default_rng(0).random((56, 56)) < 0.3
    processor = processor_for(tiny_regiongpt(mask_sampling=sampling), llama_tokenizer)
    pixels = torch.from_numpy(mask).float()[None, None]
    # 56 pixels on 16 cells of 3.5: the mean of 3.5 x 3.5 pixels, or of the four in the middle.
    twice = pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)
    areas = functional.avg_pool2d(twice, 7)
    samples = functional.interpolate(pixels, size=16, mode="bilinear")
    expected = {"area": areas, "bilinear": samples}[sampling]
    torch.testing.assert_close(weights_of(processor, mask), expected[0, 0])

    processor.save_pretrained(tmp_path)
    loaded = RegionProcessor.from_pretrained(tmp_path)
    assert torch.equal(weights_of(loaded, mask), weights_of(processor, mask))


def test_thin_masks_that_bilinear_sampling_loses_give_a_warning(
    llama_tokenizer: PreTrainedTokenizerBase,
) -> None:
    mask = np.zeros((56, 56), dtype=bool)
    mask[:, 0] = True
    processor = processor_for(tiny_regiongpt(mask_sampling="bilinear"), llama_tokenizer)
    with pytest.warns(UserWarning, match="row 0: 1 regions lie .*, or between the samples"):
        assert weights_of(processor, mask).sum() == 1


def test_another_word_is_refused(llama_tokenizer: PreTrainedTokenizerBase) -> None:
    processor = processor_for(tiny_regiongpt(), llama_tokenizer)
    with pytest.raises(ValueError, match="'nearest' is not a valid Sampling"):
        RegionProcessor(processor.image_processor, llama_tokenizer, mask_sampling="nearest")
