"""The tiny towers in the package: plain small files, which know the drawn world."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from model.checkpoint import load_towers
from model.image_processor import RegionImageProcessor
from model.presets import proof_regiongpt
from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.draw import draw
from pipelines.sample_world.look import PROOF
from pipelines.sample_world.scene import World
from regionforge.tiny_towers import FOLDER, LANGUAGE, VISION

PICTURES, LEARNED_FROM = 240, 180
SEED = 5  # of pictures that no tower has been trained on
PATCH = 8  # pixels


@pytest.fixture(scope="module")
def model():
    """A tiny RegionGPT on the towers; its connector is random."""
    torch.set_num_threads(1)
    return load_towers(proof_regiongpt(), vision=VISION, language=LANGUAGE).eval()


@pytest.fixture(scope="module")
def random_model(model):
    """The same with random weights."""
    torch.manual_seed(0)
    return AutoModel.from_config(copy.deepcopy(model.config)).eval()


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    """Pictures that no tower has been trained on."""
    return list(album("test", World(seed=SEED, pictures=PICTURES, look=PROOF)))


def test_they_are_plain_and_small():
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    kinds = {path.suffix for path in files}
    assert kinds == {".json", ".md", ".py", ".safetensors"}
    assert sum(path.stat().st_size for path in files if path.suffix != ".py") <= 4e6
    for folder in (VISION, LANGUAGE):
        weights = load_file(folder / "model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def centres(model, shots: list[Shot]) -> tuple[np.ndarray, list[str]]:
    """What the tower gives for the patch at the centre of each thing, and what the thing is."""
    processor = RegionImageProcessor.from_config(model.config)
    pixels = np.stack([processor.fit(draw(shot.scene))[0] for shot in shots])
    with torch.inference_mode():
        (patches,) = model.vision_tower(torch.from_numpy(pixels))
    maps = patches.reshape(len(shots), 9, 9, -1).numpy()
    vectors, names = [], []
    for number, shot in enumerate(shots):
        for thing in shot.scene.things:
            x0, y0, x1, y1 = thing.box
            row, column = int((y0 + y1) / 2 // PATCH), int((x0 + x1) / 2 // PATCH)
            vectors.append(maps[number, row, column])
            names.append(f"{thing.colour} {thing.shape}")
    return np.array(vectors), names


def share_recognised(model, shots: list[Shot]) -> float:
    """The share of things whose patch is nearest to the mean patch of their own kind."""
    vectors, names = centres(model, shots[:LEARNED_FROM])
    scale = vectors.std(axis=0) + 1e-6
    kinds = sorted(set(names))
    means = np.stack([vectors[np.array(names) == kind].mean(axis=0) for kind in kinds])
    others, expected = centres(model, shots[LEARNED_FROM:])
    distances = np.square((others[:, None] - means[None]) / scale).sum(axis=-1)
    nearest = [kinds[number] for number in distances.argmin(axis=1)]
    return float(np.mean([a == b for a, b in zip(nearest, expected, strict=True)]))


def test_the_vision_tower_sees_what_lies_where(model, random_model, shots):
    assert share_recognised(model, shots) >= 0.9
    assert share_recognised(random_model, shots) <= 0.3


def chance_of_shapes(model) -> float:
    """The mean probability, over colours, that a shape follows; nothing tells of which region."""
    tokenizer = AutoTokenizer.from_pretrained(LANGUAGE)
    shapes = [tokenizer.encode(f"a {shape}") for shape in PROOF.shapes]
    assert {len(ids) for ids in shapes} == {3}  # each is a word of its vocabulary
    prompts = [tokenizer.encode(f"ASSISTANT: {colour}") for colour in PROOF.colours]
    with torch.inference_mode():
        logits = model.language_model(input_ids=torch.tensor(prompts)).logits[:, -1]
    return float(logits.softmax(-1)[:, sorted({ids[2] for ids in shapes})].sum(-1).mean())


def test_the_language_model_says_a_shape_after_a_colour(model, random_model):
    assert chance_of_shapes(model) >= 5 * chance_of_shapes(random_model)


def test_the_note_says_how_they_were_made():
    note = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "regionforge train --recipe tiny_towers " in note
