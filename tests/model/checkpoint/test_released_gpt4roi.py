"""The released GPT4RoI: look-alikes with its key names and shapes.

They are from its public code. What its region module computes is written here once more from its
description, with its own names, to prove that each tensor goes to its place.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import conv2d, group_norm, interpolate, layer_norm, linear, relu
from torchvision.ops import roi_align

from model.checkpoint import load_released
from model.checkpoint.files import Weights
from model.checkpoint.released_region_module import region_encoder
from model.gpt4roi.connector import GPT4RoIConnector
from model.presets import gpt4roi_7b_released, tiny_regiongpt
from model.region_inputs import Regions
from schemas.errors import InputFileError
from tests.model.checkpoint.published import (
    language_fields,
    language_state,
    write_config,
    write_shards,
    write_weights,
)

LEVELS, BLOCKS, WIDTH, HIDDEN, CELLS, GROUPS = 4, 2, 64, 32, 4, 8
WORDS = 512
ADDED = ["[PAD]", "<im_patch>", "<bbox>", "<point>", "<im_start>", "<im_end>"]


def region_module() -> dict[str, torch.Tensor]:
    """GPT4RoI's `spi_module`, small: 4 levels, 2 blocks, widths 64, crops of 4 x 4 cells."""
    shapes: dict[str, tuple[int, ...]]
    shapes = {"roi_align.flatten_linear": (WIDTH, WIDTH * CELLS * CELLS)}
    shapes |= {"roi_align.updims": (64, WIDTH), "roi_align.pos_embedd.0": (HIDDEN, 4)}
    shapes |= {"roi_align.pos_embedd.2": (HIDDEN,), "roi_align.pos_embedd.3": (WIDTH, HIDDEN)}
    shapes |= {"roi_align.pos_embedd.5": (WIDTH,)}
    for level in range(LEVELS):
        shapes[f"mlvl_fuse.input_conv.{level}"] = (WIDTH, 64 + 2, 1, 1)
        shapes[f"roi_align.pconvs.{level}"] = (WIDTH, WIDTH, 3, 3)
    for block in range(BLOCKS):
        shapes[f"mlvl_fuse.fuse_convs.{block}.conv"] = (WIDTH, WIDTH, 3, 3)
        shapes[f"mlvl_fuse.fuse_convs.{block}.gn"] = (WIDTH,)
    state = {}
    for name, shape in shapes.items():
        fan_in = max(1, torch.Size(shape[1:]).numel())
        state[f"{name}.weight"] = torch.randn(shape) / fan_in**0.5
        if not name.endswith(".conv"):
            state[f"{name}.bias"] = torch.randn(shape[0])
    return state


def released_regions(state, features, boxes, images) -> torch.Tensor:
    """Compute the released module's embeddings; features finest level first, boxes in pixels."""

    def layer(name):
        return state[f"{name}.weight"], state.get(f"{name}.bias")

    maps = []
    for level, feature in enumerate(features):
        side = 4 * 2 ** (LEVELS - 1 - level)
        grid = feature.transpose(1, 2).unflatten(2, (4, 4))
        grid = interpolate(grid, size=side, mode="bilinear", align_corners=True)
        ramp = torch.linspace(-1, 1, side)
        x, y = ramp.expand(len(grid), 1, side, side), ramp[:, None].expand(len(grid), 1, side, side)
        weight, bias = layer(f"mlvl_fuse.input_conv.{level}")
        maps.append(conv2d(torch.cat([grid, x, y], dim=1), weight, bias))
    quarter = WIDTH // 4
    for block in range(BLOCKS):
        mixed = []
        for level, own in enumerate(maps):
            above = maps[min(level + 1, LEVELS - 1)][:, 3 * quarter :]
            below = maps[max(level - 1, 0)][:, 2 * quarter : 3 * quarter]
            others = [
                interpolate(other, size=own.shape[-2:], mode="bilinear", align_corners=True)
                for other in (above, below)
            ]
            joined = torch.cat([own[:, : 2 * quarter], *others], dim=1)
            conv = conv2d(joined, layer(f"mlvl_fuse.fuse_convs.{block}.conv")[0], padding=1)
            mixed.append(relu(group_norm(conv, GROUPS, *layer(f"mlvl_fuse.fuse_convs.{block}.gn"))))
        maps = mixed
    rows = torch.cat([images[:, None].float(), boxes], dim=1)
    total = torch.zeros(())
    for level, feature in enumerate(maps):
        scale = feature.shape[-1] / 56
        crops = roi_align(feature, rows, CELLS, scale, sampling_ratio=2, aligned=True)
        total = total + conv2d(crops, *layer(f"roi_align.pconvs.{level}"), padding=1)
    embedding = linear(relu(total).flatten(1), *layer("roi_align.flatten_linear"))
    places = relu(linear(boxes / 56, *layer("roi_align.pos_embedd.0")))
    places = layer_norm(places, (HIDDEN,), *layer("roi_align.pos_embedd.2"))
    places = relu(linear(places, *layer("roi_align.pos_embedd.3")))
    places = layer_norm(places, (WIDTH,), *layer("roi_align.pos_embedd.5"))
    return linear(embedding + places, *layer("roi_align.updims"))


@pytest.fixture
def gpt4roi(tmp_path):
    """GPT4RoI as it was released, but whole: language model, projector, regions, six words."""
    folder, words = tmp_path / "gpt4roi", WORDS + len(ADDED)
    state = language_state(vocab_size=words)
    state["model.mm_projector.weight"] = torch.randn(64, 64)
    state["model.mm_projector.bias"] = torch.randn(64)
    state |= {f"model.spi_module.{key}": value for key, value in region_module().items()}
    fields = language_fields(vocab_size=words, pad_token_id=WORDS, mm_vision_select_layer=-2)
    write_config(folder, **{**fields, "model_type": "llava", "mm_vision_tower": "acme/absent"})
    write_shards(folder, state, bin=True)
    ids = {word: WORDS + number for number, word in enumerate(ADDED)}
    (folder / "added_tokens.json").write_text(json.dumps(ids), encoding="utf-8")
    return folder, state


def test_gpt4roi_computes_what_was_released(gpt4roi, clip_folder, shallow_gpt4roi):
    folder, state = gpt4roi
    model = load_released(folder, shallow_gpt4roi(), vision=clip_folder)
    regions = {
        key.removeprefix("model.spi_module."): value
        for key, value in state.items()
        if "spi_module" in key
    }
    features = tuple(torch.randn(2, 16, 64) for _ in range(LEVELS))  # ours: coarsest first
    boxes = torch.tensor([[0.0, 0, 56, 56], [3, 5, 20, 41], [30, 2, 33, 55]])
    images = torch.tensor([0, 1, 1])
    with torch.no_grad():
        tokens, actual = model.connector(features, Regions(boxes=boxes, images=images))
        expected = released_regions(regions, features[::-1], boxes, images)
    assert torch.allclose(actual, expected, atol=2e-5, rtol=1e-4)
    projected = linear(
        features[0], state["model.mm_projector.weight"], state["model.mm_projector.bias"]
    )
    assert torch.allclose(tokens[:, 1:-1], projected, atol=1e-6)
    assert torch.equal(tokens[1, 0], model.connector.image_start)
    assert torch.equal(tokens[0, -1], model.connector.image_end)


def test_gpt4roi_in_its_released_size():
    """The shapes in the public code, at 1024 and 4096 channels; nothing is in memory."""
    shapes: dict[str, tuple[int, ...]] = {
        "roi_align.flatten_linear.weight": (1024, 1024 * 14 * 14),
        "roi_align.flatten_linear.bias": (1024,),
        "roi_align.updims.weight": (4096, 1024),
        "roi_align.updims.bias": (4096,),
        "roi_align.pos_embedd.0.weight": (256, 4),
        "roi_align.pos_embedd.0.bias": (256,),
        "roi_align.pos_embedd.2.weight": (256,),
        "roi_align.pos_embedd.2.bias": (256,),
        "roi_align.pos_embedd.3.weight": (1024, 256),
        "roi_align.pos_embedd.3.bias": (1024,),
        "roi_align.pos_embedd.5.weight": (1024,),
        "roi_align.pos_embedd.5.bias": (1024,),
    }
    for level in range(4):
        shapes[f"mlvl_fuse.input_conv.{level}.weight"] = (1024, 1026, 1, 1)
        shapes[f"mlvl_fuse.input_conv.{level}.bias"] = (1024,)
        shapes[f"roi_align.pconvs.{level}.weight"] = (1024, 1024, 3, 3)
        shapes[f"roi_align.pconvs.{level}.bias"] = (1024,)
    for block in range(5):
        shapes[f"mlvl_fuse.fuse_convs.{block}.conv.weight"] = (1024, 1024, 3, 3)
        shapes[f"mlvl_fuse.fuse_convs.{block}.gn.weight"] = (1024,)
        shapes[f"mlvl_fuse.fuse_convs.{block}.gn.bias"] = (1024,)
    theirs = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    weights = Weights("released", theirs, dict.fromkeys(theirs, Path("released.bin")))
    config = gpt4roi_7b_released()
    ours = region_encoder(weights, "", config).tensors
    with torch.device("meta"):
        connector = GPT4RoIConnector(config)
    expected = {
        f"connector.{name}": parameter.shape
        for name, parameter in connector.named_parameters()
        if name.startswith("region_encoder.")
    }
    assert {name: tensor.shape for name, tensor in ours.items()} == expected


def test_gpt4rois_added_words(gpt4roi, clip_folder, shallow_gpt4roi):
    folder, state = gpt4roi
    model = load_released(folder, shallow_gpt4roi(), vision=clip_folder)
    table = state["model.embed_tokens.weight"]
    assert model.config.image_boundaries
    assert torch.equal(model.connector.image_start, table[WORDS + 4])
    assert torch.equal(model.connector.image_end, table[WORDS + 5])
    assert torch.equal(model.get_input_embeddings().weight, table[:WORDS])
    assert torch.equal(model.get_output_embeddings().weight, state["lm_head.weight"][:WORDS])
    assert model.config.text_config.vocab_size == WORDS
    assert model.config.vision_source == str(clip_folder)
    assert model.config.language_source is None, "no plain folder has this language model"


def test_added_words_go_by_their_names_not_their_order(gpt4roi, clip_folder, shallow_gpt4roi):
    folder, state = gpt4roi
    (folder / "added_tokens.json").unlink()
    swapped = {str(WORDS + 5): {"content": "<im_start>"}, str(WORDS + 2): {"content": "<im_end>"}}
    text = json.dumps({"added_tokens_decoder": swapped})
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    model = load_released(folder, shallow_gpt4roi(image_boundaries=True), vision=clip_folder)
    assert torch.equal(model.connector.image_start, state["model.embed_tokens.weight"][WORDS + 5])
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InputFileError, match=r"no rows of model\.embed_tokens.weight for image st"):
        load_released(folder, shallow_gpt4roi(image_boundaries=True), vision=clip_folder)


def test_a_difference_needs_its_base(
    tmp_path, gpt4roi, clip_folder, shallow_gpt4roi, language_folder
):
    """GPT4RoI was released as the difference to LLaMA, its own parts and words whole."""
    folder, state = gpt4roi
    base = language_folder("llama")
    base_state = load_file(base / "model.safetensors")
    base_state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    write_weights(base / "model.safetensors", base_state)
    difference = {key: value / 1000 for key, value in state.items()}
    for key in (key for key in state if "spi_module" in key or "mm_projector" in key):
        difference[key] = state[key]
    difference = {key: value.half() for key, value in difference.items()}
    difference["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8)
    write_shards(folder, difference, bin=True)
    with pytest.raises(InputFileError, match=r"are the difference to LLaMA's .* as base"):
        load_released(folder, shallow_gpt4roi(), vision=clip_folder)
    model = load_released(
        folder, shallow_gpt4roi(), vision=clip_folder, base=base, dtype=torch.float16
    )
    for key, value in model.language_model.state_dict().items():
        whole = difference[key][: len(value)] + base_state[key].half()
        assert torch.equal(value, whole), key
    start = difference["model.embed_tokens.weight"][WORDS + 4]
    assert torch.equal(model.connector.image_start, start), "added words have no base"
    assert torch.equal(model.connector.projector.weight, difference["model.mm_projector.weight"])
    del base_state["model.norm.weight"]
    write_weights(base / "model.safetensors", base_state)
    with pytest.raises(InputFileError, match=r"llama: no model\.norm\.weight, which"):
        load_released(folder, shallow_gpt4roi(), vision=clip_folder, base=base)


def test_whole_weights_need_no_base(gpt4roi, clip_folder, shallow_gpt4roi, language_folder):
    with pytest.raises(InputFileError, match="these weights are whole"):
        load_released(gpt4roi[0], shallow_gpt4roi(), vision=clip_folder, base=language_folder())


def test_gpt4roi_that_does_not_fit(gpt4roi, clip_folder, shallow_gpt4roi):
    folder, state = gpt4roi
    name = "model.spi_module.roi_align.pconvs.2.bias"
    write_shards(folder, {key: state[key] for key in state if key != name}, bin=True)
    with pytest.raises(InputFileError, match=rf"1 missing: {name}$"):
        load_released(folder, shallow_gpt4roi(), vision=clip_folder)
    write_shards(folder, {**state, "model.spi_module.odd": torch.ones(1)}, bin=True)
    with pytest.raises(InputFileError, match=r"1 surplus: model\.spi_module\.odd \(pytorch_mod"):
        load_released(folder, shallow_gpt4roi(), vision=clip_folder)
    with pytest.raises(InputFileError, match=r"odd .*of another shape: .*fuse_convs\.0"):
        load_released(folder, shallow_gpt4roi(pyramid_width=32), vision=clip_folder)
    with pytest.raises(InputFileError, match="no projector of 2 linear layers"):
        load_released(folder, tiny_regiongpt(), vision=clip_folder)
    write_shards(folder, state, bin=True)
    with pytest.raises(InputFileError, match="acme/absent: no such folder"):
        load_released(folder, shallow_gpt4roi())
