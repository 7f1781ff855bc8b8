import pytest
import torch
from torch import Tensor

from model.config import GPT4RoIConfig
from model.gpt4roi import GPT4RoIConnector
from model.presets import gpt4roi_7b, gpt4roi_7b_released, tiny_gpt4roi
from model.region_inputs import Regions
from model.region_model import GPT4RoIForConditionalGeneration

BOXES = torch.tensor([[0.0, 0.0, 56.0, 56.0], [3.0, 5.0, 20.0, 30.0], [9.0, 9.0, 10.0, 50.0]])
REGIONS = Regions(boxes=BOXES, images=torch.tensor([1, 0, 1]))


def make_features(config: GPT4RoIConfig, pictures: int = 2) -> tuple[Tensor, ...]:
    shape = (pictures, config.image_tokens, config.vision_config.hidden_size)
    return tuple(torch.randn(shape) for _ in config.feature_layers)


def test_image_tokens_are_a_linear_map_of_the_first_feature():
    config = tiny_gpt4roi()
    connector, features = GPT4RoIConnector(config), make_features(config)
    tokens, regions = connector(features, None)
    weight, bias = connector.projector.weight, connector.projector.bias
    torch.testing.assert_close(tokens, features[0] @ weight.T + bias)
    assert regions is None


def test_regions_leave_image_tokens_as_they_are():
    config = tiny_gpt4roi()
    connector, features = GPT4RoIConnector(config), make_features(config)
    tokens, regions = connector(features, REGIONS)
    assert regions.shape == (3, 64)
    torch.testing.assert_close(tokens, connector(features, None)[0])
    torch.testing.assert_close(
        regions, connector.region_encoder(features, REGIONS.boxes, REGIONS.images)
    )


def test_only_pictures_that_have_regions_are_encoded():
    config = tiny_gpt4roi()
    connector, features = GPT4RoIConnector(config), make_features(config, pictures=5)
    images = torch.tensor([3, 1, 3])
    tokens, expected = connector(features, Regions(boxes=BOXES, images=images))
    levels: list[int] = []
    connector.region_encoder.shuffle.register_forward_pre_hook(
        lambda _, given: levels.extend(len(level) for level in given[0])
    )
    pictures = torch.tensor([1, 3])
    same, regions = connector(features, Regions(boxes=BOXES, images=images, pictures=pictures))
    assert set(levels) == {2}
    torch.testing.assert_close(same, tokens)
    torch.testing.assert_close(regions, expected)


def test_boundary_vectors_are_there_where_the_configuration_has_them():
    plain = set(GPT4RoIConnector(tiny_gpt4roi()).state_dict())
    bounded = GPT4RoIConnector(tiny_gpt4roi(image_boundaries=True))
    assert set(bounded.state_dict()) - plain == {"image_start", "image_end"}
    assert bounded.image_start.shape == (64,)
    for vector in (bounded.image_start, bounded.image_end):
        assert 0.01 < vector.std() < 0.03


@pytest.mark.parametrize(
    ("config", "levels"),
    # Of each level: a product of V x 1024 channels, of 2 x 1024 coordinates, and a bias.
    [
        (gpt4roi_7b_released(), 4 * (1024 * 1024 + 2 * 1024 + 1024)),
        (gpt4roi_7b(), 4 * (1280 * 1024 + 2 * 1024 + 1024)),
    ],
)
def test_the_presets_have_the_numbers_of_parameters_that_their_layers_give(
    config: GPT4RoIConfig, levels: int
):
    with torch.device("meta"):
        connector = GPT4RoIConnector(config)
    parts = {
        name: sum(parameter.numel() for parameter in part.parameters())
        for name, part in connector.region_encoder.named_children()
    }
    assert parts == {
        "levels": levels,
        "shuffle": 5 * (3 * 3 * 1024 * 1024 + 2 * 1024),
        "crop_conv": 3 * 3 * 4 * 1024 * 1024 + 1024,
        "flatten": 14 * 14 * 1024 * 1024 + 1024,
        "box_embedding": (4 * 256 + 256) + 2 * 256 + (256 * 1024 + 1024) + 2 * 1024,
        "output": 1024 * 4096 + 4096,
    }
    # Of them, the first levels alone differ between the two.
    assert sum(parts.values()) - levels == 299_139_840 - 4_206_592


def test_other_widths_grids_and_levels():
    config = tiny_gpt4roi(pyramid_layers=(-1, -2), pyramid_width=32, box_embedding=False)
    config.vision_config.hidden_size = 48
    config.vision_config.image_size = 75  # 5 patches of 14 pixels, and 5 pixels left over
    features = make_features(config)
    boxes = torch.tensor([[0.0, 0, 75, 75], [0, 0, 70, 70], [71, 71, 75, 75]])
    tokens, regions = GPT4RoIConnector(config)(
        features, Regions(boxes=boxes, images=torch.tensor([1, 1, 0]))
    )
    assert tokens.shape == (2, 25, 64)
    assert regions.shape == (3, 64)
    assert torch.equal(regions[0], regions[1])  # boxes end where the patches do
    assert regions.isfinite().all()


def test_in_a_model_of_transformers_the_parts_start_and_checkpoint_as_they_do_alone():
    model = GPT4RoIForConditionalGeneration(tiny_gpt4roi())
    encoder = model.connector.region_encoder
    assert encoder.crop_conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
    kaiming = (2 / (64 * 9)) ** 0.5
    assert encoder.shuffle.blocks[0].conv.weight.std().item() == pytest.approx(kaiming, rel=0.02)
    bound = (64 * 4 * 4) ** -0.5  # transformers' own rule is one deviation for every layer
    assert 0.99 * bound < encoder.flatten.weight.abs().max() <= bound
    assert encoder.shuffle.gradient_checkpointing is False
    # The switch's first name is deprecated in later versions, which have the second.
    later = "activation_checkpointing_enable"
    getattr(model, later if hasattr(model, later) else "gradient_checkpointing_enable")()
    assert encoder.shuffle.gradient_checkpointing is True
