"""The connector's start: LLaVA's first stage under its key names, or a connector of ours."""

import pytest
import torch
from safetensors.torch import load_file

from model.checkpoint import export_parts, load_towers
from model.presets import tiny_regiongpt
from schemas.errors import InputFileError, OtherSchemaError
from tests.model.checkpoint.published import (
    write_weights,
)

RANDOM = torch.Generator().manual_seed(3)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=RANDOM)


TWO_LAYERS = {  # LLaVA-1.5's mm_projector.bin
    "model.mm_projector.0.weight": random(64, 64),
    "model.mm_projector.0.bias": random(64),
    "model.mm_projector.2.weight": random(64, 64),
    "model.mm_projector.2.bias": random(64),
}
ONE_LAYER = {  # LLaVA's of April 2023
    "model.mm_projector.weight": random(64, 64),
    "model.mm_projector.bias": random(64),
}
ROWS = random(2, 64)


@pytest.fixture
def regiongpt(clip_folder, vicuna_folder):
    def load(**options):
        return load_towers(tiny_regiongpt(), vision=clip_folder, language=vicuna_folder, **options)

    return load


@pytest.fixture
def gpt4roi(clip_folder, vicuna_folder, shallow_gpt4roi):
    def load(boundaries=False, **options):
        config = shallow_gpt4roi(image_boundaries=boundaries)
        return load_towers(config, vision=clip_folder, language=vicuna_folder, **options)

    return load


def test_regiongpt_starts_from_two_layers(tmp_path, regiongpt):
    write_weights(tmp_path / "mm_projector.bin", TWO_LAYERS)
    for init in (tmp_path, tmp_path / "mm_projector.bin"):
        state = regiongpt(init=init).connector.state_dict()
        for key, value in TWO_LAYERS.items():
            assert torch.equal(state[key.removeprefix("model.mm_")], value), key
        assert state["refinement.deconv1.weight"].std() > 0, "the rest starts anew"


@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_converted_projector(tmp_path, regiongpt, prefix):
    names = {"model.mm_projector.0": "linear_1", "model.mm_projector.2": "linear_2"}
    state = {
        f"{prefix}multi_modal_projector.{names[key[:20]]}{key[20:]}": value
        for key, value in TWO_LAYERS.items()
    }
    write_weights(tmp_path / "p.safetensors", state)
    weight = regiongpt(init=tmp_path / "p.safetensors").connector.projector[2].weight
    assert torch.equal(weight, TWO_LAYERS["model.mm_projector.2.weight"])


@pytest.mark.parametrize("rows", [ROWS, torch.cat([random(515, 64), ROWS])])
@pytest.mark.parametrize("asked", [False, True])
def test_gpt4roi_starts_from_one_layer_and_two_words(tmp_path, gpt4roi, rows, asked):
    """The file has the two rows alone, or a whole table that ends with them."""
    write_weights(tmp_path / "p.bin", {**ONE_LAYER, "model.embed_tokens.weight": rows})
    model = gpt4roi(asked, init=tmp_path / "p.bin")
    assert model.config.image_boundaries
    assert torch.equal(model.connector.image_start, ROWS[0])
    assert torch.equal(model.connector.image_end, ROWS[1])
    assert torch.equal(model.connector.projector.weight, ONE_LAYER["model.mm_projector.weight"])
    assert torch.equal(model.connector.projector.bias, ONE_LAYER["model.mm_projector.bias"])
    assert model.connector.region_encoder.flatten.weight.std() > 0
    assert model.language_model.config.vocab_size == 512


def test_without_the_words_there_are_no_vectors(tmp_path, gpt4roi):
    write_weights(tmp_path / "p.bin", ONE_LAYER)
    assert not hasattr(gpt4roi(init=tmp_path / "p.bin").connector, "image_start")
    with pytest.raises(InputFileError, match=r"p\.bin: no rows of model\.embed_tokens\.weight"):
        gpt4roi(True, init=tmp_path / "p.bin")
    assert gpt4roi(True).config.image_boundaries, "without a start, the configuration says"


@pytest.mark.parametrize("boundaries", [False, True])
def test_a_whole_connector_of_ours(tmp_path, gpt4roi, boundaries):
    first = gpt4roi(boundaries)
    export_parts(first, tmp_path / "parts")
    second = gpt4roi(init=tmp_path / "parts" / "connector")
    state = second.connector.state_dict()
    assert state.keys() == first.connector.state_dict().keys()
    for key, value in first.connector.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_what_does_not_fit(tmp_path, regiongpt, gpt4roi):
    def saved(state):
        write_weights(tmp_path / "p.bin", state)
        return tmp_path / "p.bin"

    with pytest.raises(InputFileError, match="no projector of 2 linear layers, which regiongpt"):
        regiongpt(init=saved(ONE_LAYER))
    with pytest.raises(InputFileError, match="no projector of 1 linear layer, which gpt4roi has"):
        gpt4roi(init=saved(TWO_LAYERS))
    with pytest.raises(InputFileError, match=r"p\.bin: the weights do not fit: 1 surplus: other"):
        regiongpt(init=saved({**TWO_LAYERS, "other": torch.ones(1)}))
    wide = {**TWO_LAYERS, "model.mm_projector.0.weight": random(64, 32)}
    expected = r"connector\.projector\.0\.weight \(p\.bin\) is \[64, 32\], expected \[64, 64\]"
    with pytest.raises(InputFileError, match=expected):
        regiongpt(init=saved(wide))
    with pytest.raises(InputFileError, match=r"none\.bin: no such file"):
        regiongpt(init=tmp_path / "none.bin")
    with pytest.raises(InputFileError, match=r"embed_tokens\.weight is \[1, 64\], and has no rows"):
        gpt4roi(init=saved({**ONE_LAYER, "model.embed_tokens.weight": ROWS[:1]}))


def test_a_whole_connector_lacks_nothing(tmp_path, regiongpt):
    export_parts(regiongpt(), tmp_path / "parts")
    path = tmp_path / "parts" / "connector" / "connector.safetensors"
    state = load_file(path)
    write_weights(path, {key: state[key] for key in state if key != "refinement.norm.bias"})
    with pytest.raises(InputFileError, match=r"1 missing: connector\.refinement\.norm\.bias$"):
        regiongpt(init=path.parent)


def test_a_connector_of_another_model_or_format(tmp_path, regiongpt, gpt4roi):
    export_parts(regiongpt(), tmp_path / "parts")
    folder = tmp_path / "parts" / "connector"
    with pytest.raises(InputFileError, match="the connector of regiongpt, expected gpt4roi's"):
        gpt4roi(init=folder)
    text = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(text.replace('"format": 1', '"format": 2'), "utf-8")
    with pytest.raises(OtherSchemaError, match=r"connector/config\.json: format 2, and this") as e:
        regiongpt(init=folder)
    assert "\n" not in str(e.value)
