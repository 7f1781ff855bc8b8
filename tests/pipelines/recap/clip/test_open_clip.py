"""CLIP by open_clip: the choice of weights, and scores that do not depend on the batch."""

import json
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipelines.recap.clip.open_clip import ClipScorer
from pipelines.recap.small_clip import FOLDER
from schemas.clip_weights import WEIGHTS_NAME
from schemas.errors import UsageError

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16},
    "text_cfg": {"context_length": 77, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A model of open_clip's registry, with its usual words and 77 tokens, and its tensors."""
    path = tmp_path_factory.mktemp("configs") / "regionforge-tiny.json"
    path.write_text(json.dumps(TINY), encoding="utf-8")
    open_clip.add_model_config(path)
    torch.set_num_threads(1)  # tests run side by side
    torch.manual_seed(5)
    model = open_clip.create_model("regionforge-tiny")
    return "regionforge-tiny", {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def tiny_scorer(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save(tiny[1], path)
    return ClipScorer(tiny[0], str(path), "cpu")


def crops(number: int) -> list[Image.Image]:
    rng = np.random.default_rng(number)
    sides = rng.integers(1, 90, (number, 2)).tolist()
    return [
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in sides
    ]


def test_a_score_does_not_hang_on_its_company(small_clip):
    pictures = crops(23)
    captions = [f"A red star number {k}. " * (1 + k % 9) for k in range(len(pictures))]
    together = small_clip.score(pictures, captions)
    assert together == small_clip.score(pictures, captions)
    turned = small_clip.score(pictures[::-1], captions[::-1])[::-1]
    alone = [small_clip.score([p], [c])[0] for p, c in zip(pictures, captions, strict=True)]
    assert together == turned == alone


def test_nothing_is_scored_without_pairs(small_clip):
    assert small_clip.score([], []) == []
    with pytest.raises(ValueError, match="1 crops, 0 captions"):
        small_clip.score(crops(1), [])


def test_a_score_is_that_of_the_model_itself(tiny_scorer, tiny):
    (picture,) = crops(1)
    model, _, preprocess = open_clip.create_model_and_transforms(tiny[0])
    model.load_state_dict(tiny[1])
    with torch.no_grad():
        seen = model.eval().encode_image(preprocess(picture)[None])[0]
        read = model.encode_text(open_clip.get_tokenizer(tiny[0])(["a dog"]))[0]
    cosine = torch.cosine_similarity(seen, read, dim=0).item()
    (score,) = tiny_scorer.score([picture], ["a dog"])
    assert score.mean == score.minimum == pytest.approx(cosine, abs=1e-5)


def test_each_sentence_is_scored_by_itself(tiny_scorer):
    (picture,) = crops(1)
    said = ["A dog.", "It sits on a red bench in the park.", "Two small birds fly by above it."]
    caption = " ".join([said[0], said[1], said[2]])
    alone = [score.mean for score in tiny_scorer.score([picture] * 3, said)]
    assert len({round(mean, 4) for mean in alone}) == 3
    (score,) = tiny_scorer.score([picture], [caption])
    by_hand = (2 * alone[0] + 9 * alone[1] + 7 * alone[2]) / 18
    assert score.mean == pytest.approx(by_hand, abs=2e-5)
    assert score.minimum == pytest.approx(min(alone), abs=2e-5)


def test_what_stands_at_the_end_of_a_long_caption_counts(tiny_scorer):
    pictures, text = crops(1) * 2, "A dog is on a bench. " * 30
    red, blue = tiny_scorer.score(pictures, [text + "It is red.", text + "It is blue."])
    assert red != blue


def test_text_and_pictures_of_any_kind(small_clip):
    captions = ["", "\n", "🐕 " * 50, "x" * 3000, "<|endoftext|>", "no.stops " * 100]
    scores = small_clip.score(crops(len(captions)), captions)
    assert all(-1 <= score.minimum <= score.mean <= 1 for score in scores)


def test_identity_is_model_and_weights_wherever_they_lie(tiny, tmp_path, small_clip):
    digest = sha256((FOLDER / WEIGHTS_NAME).read_bytes()).hexdigest()
    assert small_clip.identity == f"small sha256:{digest}, GELU, by sentence"
    paths = [tmp_path / "a.pt", tmp_path / "b.bin"]
    torch.save(tiny[1], paths[0])
    paths[1].write_bytes(paths[0].read_bytes())
    digest = sha256(paths[0].read_bytes()).hexdigest()
    for path in paths:
        scorer = ClipScorer(tiny[0], str(path), "cpu")
        assert scorer.identity == f"{tiny[0]} sha256:{digest}, GELU, by sentence"


def test_weights_of_either_format_give_the_same_scores(tiny, tiny_scorer, tmp_path):
    safe = tmp_path / "tiny.safetensors"
    save_file(tiny[1], safe)
    pictures, captions = crops(3), ["a dog", "a cat", "two birds"]
    scorer = ClipScorer(tiny[0], str(safe), "cpu")
    assert scorer.score(pictures, captions) == tiny_scorer.score(pictures, captions)
    assert scorer.identity != tiny_scorer.identity


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pth"])
def test_a_pickle_is_never_obeyed(tiny, tmp_path, suffix):
    sprung, path = tmp_path / "sprung", tmp_path / f"weights{suffix}"
    torch.save({"state_dict": Trap(sprung)}, path)
    with pytest.raises(UsageError, match="weights"):
        ClipScorer(tiny[0], str(path), "cpu")
    path.write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    with pytest.raises(UsageError, match="weights"):
        ClipScorer(tiny[0], str(path), "cpu")
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x08" + b"\0" * 7 + b"{}      "])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_damaged_weights(tiny, tmp_path, content, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="CLIP model 'regionforge-tiny'"):
        ClipScorer(tiny[0], str(path), "cpu")


def test_weights_of_another_model(tiny, tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"logit_scale": torch.ones(())}, path)
    with pytest.raises(UsageError, match="CLIP model"):
        ClipScorer(tiny[0], str(path), "cpu")


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("no-such-model", "openai", "no-such-model"),
        ("ViT-B-32", "", "needs weights"),
        ("ViT-B-32", "no-such-tag", "no-such-tag"),
        ("ViT-B-32", "openai=/nowhere.pt", "no such file"),
        ("small", "openai", "brings its weights"),
        ("hf-hub:owner/name", "openai", "brings its weights"),
        ("local-dir:/nowhere", "", "no such file"),
    ],
)
def test_what_cannot_be_loaded_is_a_mistake_of_the_user(model, weights, message):
    with pytest.raises(UsageError, match=message):
        ClipScorer(model, weights, "cpu")


def test_weights_must_say_what_they_are(tiny, tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="expected weights that end in"):
        ClipScorer(tiny[0], str(path), "cpu")


def test_no_such_device():
    with pytest.raises(UsageError, match="device 'abacus'"):
        ClipScorer(device="abacus")


def test_without_the_extra_it_says_what_to_install():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from schemas.errors import UsageError\n"
        "import pipelines.cli.parser, pipelines.recap.clip.calibrate, bench.small_clip.measure\n"
        "try:\n    import pipelines.recap.clip.open_clip\n"
        "except UsageError as error:\n    print(error)\n"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert "pip install 'regionforge[clip]'" in shown
