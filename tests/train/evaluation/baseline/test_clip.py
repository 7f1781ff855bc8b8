"""CLIP's names of crops: against open_clip by hand, and models that cannot be used."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from schemas.errors import UsageError

open_clip = pytest.importorskip("open_clip", reason="open_clip (the extra clip) is not installed")
from train.evaluation.baseline.clip import ClipClassifier  # noqa: E402

CPU = torch.device("cpu")
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 1, "width": 32, "head_width": 16},
    "text_cfg": {"context_length": 77, "width": 16, "heads": 2, "layers": 1},
}
NAMES = ("dog", "hot {dog}", "star")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """The weights of a small model with random weights, which open_clip knows by its name."""
    folder = tmp_path_factory.mktemp("clip")
    path = folder / "regionforge-tiny-baseline.json"
    path.write_text(json.dumps(TINY), encoding="utf-8")
    open_clip.add_model_config(path)
    torch.set_num_threads(1)  # tests run side by side
    torch.manual_seed(3)
    model = open_clip.create_model("regionforge-tiny-baseline")
    save_file(model.state_dict(), folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


@pytest.fixture(scope="module")
def clip(weights) -> ClipClassifier:
    return ClipClassifier("regionforge-tiny-baseline", str(weights), CPU)


def pictures(count: int) -> list[Image.Image]:
    chance = np.random.default_rng(count)
    sizes = chance.integers(1, 90, (count, 2)).tolist()
    return [
        Image.fromarray(chance.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in sizes
    ]


def by_hand(weights: Path, picture: Image.Image, names: tuple[str, ...]) -> np.ndarray:
    """The probabilities of names for the whole of a picture, text by text."""
    model = open_clip.create_model("regionforge-tiny-baseline", pretrained=str(weights)).eval()
    tokenize = open_clip.get_tokenizer("regionforge-tiny-baseline")
    square = picture.resize((32, 32), Image.Resampling.BICUBIC)
    pixels = np.asarray(square, np.float32) / 255
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    ready = torch.tensor((pixels - mean) / std, dtype=torch.float32).permute(2, 0, 1)[None]
    vectors = []
    with torch.no_grad():
        seen = torch.nn.functional.normalize(model.encode_image(ready)[0], dim=0)
        for name in names:
            texts = [template(name) for template in open_clip.SIMPLE_IMAGENET_TEMPLATES]
            rows = [model.encode_text(tokenize([text]))[0] for text in texts]
            mean_row = torch.stack([row / row.norm() for row in rows]).mean(dim=0)
            vectors.append(mean_row / mean_row.norm())
        logits = torch.stack([vector @ seen for vector in vectors]) * model.logit_scale.exp()
    return logits.softmax(dim=0).numpy()


def test_probabilities_are_those_of_the_model_itself(weights, clip):
    for picture in pictures(5):
        (row,) = clip.probabilities([picture], NAMES)
        assert row == pytest.approx(by_hand(weights, picture, NAMES), abs=2e-4)


def test_an_answer_does_not_hang_on_its_company(clip):
    some = pictures(35)
    together = clip.probabilities(some, NAMES)
    assert together.shape == (35, 3)
    assert np.allclose(together.sum(axis=1), 1, atol=1e-5)
    for number in (0, 15, 16, 34):
        assert np.array_equal(clip.probabilities([some[number]], NAMES)[0], together[number])
    turned = clip.probabilities(some[::-1], NAMES)[::-1]
    assert np.array_equal(turned, together)
    assert clip.probabilities([], NAMES).shape == (0, 3)


def test_crops_of_any_shape(clip):
    for size in ((1, 1), (1, 700), (700, 1)):
        row = clip.probabilities([Image.new("RGB", size)], NAMES)
        assert np.isfinite(row).all()


def test_the_identity_is_model_and_weights_wherever_they_lie(weights, clip):
    digest = sha256(weights.read_bytes()).hexdigest()
    assert clip.identity == f"regionforge-tiny-baseline sha256:{digest}"


def test_a_folder_brings_its_weights(weights, clip, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "open_clip_model.safetensors").write_bytes(weights.read_bytes())
    config = {"model_cfg": TINY, "preprocess_cfg": {}}
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    picture = pictures(1)
    same = ClipClassifier(f"local-dir:{folder}", "", CPU)
    assert np.array_equal(same.probabilities(picture, NAMES), clip.probabilities(picture, NAMES))
    assert same.identity == clip.identity.replace("regionforge-tiny-baseline", "mine")
    with pytest.raises(UsageError, match="brings its weights"):
        ClipClassifier(f"local-dir:{folder}", str(weights), CPU)
    path.write_text(json.dumps(config | {"vocabulary": ["dog"]}), encoding="utf-8")
    with pytest.raises(UsageError, match="a vocabulary that open_clip does not read"):
        ClipClassifier(f"local-dir:{folder}", "", CPU)
    path.unlink()
    with pytest.raises(UsageError, match=r"open_clip_config.json: no such file"):
        ClipClassifier(f"local-dir:{folder}", "", CPU)


class Planted:
    """An object whose unpickling would leave a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_weights_that_would_run_code_are_refused(weights, tmp_path):
    path, trace = tmp_path / "planted.pt", tmp_path / "trace"
    torch.save({"state_dict": Planted(trace)}, path)
    with pytest.raises(UsageError, match="UnpicklingError"):
        ClipClassifier("regionforge-tiny-baseline", str(path), CPU)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        ("regionforge-tiny-baseline", "", "needs weights"),
        ("no-such-model", "openai", "no-such-model"),
        ("regionforge-tiny-baseline", "no-such-tag", "no-such-tag"),
        ("local-dir:/nowhere", "", "no such file"),
    ],
)
def test_a_model_that_is_not_there_is_refused(weights, model, words, message):
    with pytest.raises(UsageError, match=message):
        ClipClassifier(model, words, CPU)


def test_a_file_of_another_kind_is_refused(weights, tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected weights that end in one of .safetensors"):
        ClipClassifier("regionforge-tiny-baseline", str(path), CPU)
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UsageError, match="--clip-model 'regionforge-tiny-baseline'"):
        ClipClassifier("regionforge-tiny-baseline", str(bad), CPU)


def test_openais_weights_have_the_activation_they_were_trained_with(weights, monkeypatch):
    """open_clip's name of the model alone builds another one, and loads the same file."""
    name = "regionforge-tiny-baseline"
    usual = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    tags = {"quick": usual | {"quick_gelu": True}, "plain": usual}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, name, tags)
    with pytest.raises(UsageError, match="differ in activation"):
        ClipClassifier(name, str(weights), CPU)
    for tag, activation in (("quick", "QuickGELU"), ("plain", "GELU")):
        classifier = ClipClassifier(name, f"{tag}={weights}", CPU)
        kinds = {type(module).__name__ for module in classifier._model.modules()}
        assert {kind for kind in kinds if "GELU" in kind} == {activation}
        assert classifier.identity.endswith("QuickGELU") == (tag == "quick")
