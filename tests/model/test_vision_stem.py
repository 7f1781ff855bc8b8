"""A tower's stem of convolutions: its grid, its folder, and what is refused."""

import pytest
import torch

from model.config import RegionGPTConfig
from model.presets import proof_regiongpt
from model.region_model import RegionGPTForConditionalGeneration
from model.vision import ConvolutionStem, VisionTower


def with_vision(**changes):
    config = proof_regiongpt()
    vision = {**config.vision_config.to_dict(), **changes}
    return RegionGPTConfig(vision_config=vision, text_config=config.text_config, feature_layer=-1)


def test_a_patch_is_a_cell_of_the_stem():
    torch.manual_seed(0)
    tower = VisionTower(proof_regiongpt())
    stem = tower.model.embeddings.patch_embedding
    assert isinstance(stem, ConvolutionStem)
    pictures = torch.randn(2, 3, 72, 72)
    assert stem(pictures).shape == (2, 96, 9, 9)
    (features,) = tower(pictures)
    assert features.shape == (2, 81, 96)
    changed = pictures.clone()
    changed[:, :, 32:40, 32:40] += 1  # the patch in the middle
    moved = (stem(changed) - stem(pictures)).abs().amax(dim=(0, 1))
    assert moved.argmax() == 4 * 9 + 4


def test_a_model_with_a_stem_is_saved_and_opened(tmp_path):
    torch.manual_seed(0)
    model = RegionGPTForConditionalGeneration(proof_regiongpt())
    model.save_pretrained(tmp_path)
    again = RegionGPTForConditionalGeneration.from_pretrained(tmp_path)
    assert again.config.vision_config.stem == "convolutions"
    state = again.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_other_towers_keep_their_patch_embedding():
    tower = VisionTower(with_vision(stem=None))
    assert isinstance(tower.model.embeddings.patch_embedding, torch.nn.Conv2d)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"stem": "pooling"}, "the stem .* 'pooling'"), ({"patch_size": 12}, "patches of 12 pixels")],
)
def test_what_cannot_be_made_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        VisionTower(with_vision(**changes))
