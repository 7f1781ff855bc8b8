"""SigLIP 2 beside CLIP: its normalisation, its tokens, and its scale and bias.

Its weights and its tokenizer cannot be loaded here: a small model with the settings of open_clip's
SigLIP 2 and random weights stands in, with a tokenizer of transformers of a few words.
"""

import json
import math

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from pipelines.recap.clip.calibrate import Calibration
from pipelines.recap.clip.open_clip import ClipScorer
from schemas.errors import UsageError

PUBLISHED = "ViT-B-16-SigLIP2"
NAME = "regionforge-siglip2"
LENGTH = 64  # tokens, of SigLIP
WORDS = ["a", "red", "dog", "cat", "bench", "is", "on", "the", "and", "small", "big", "bird"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The configuration of open_clip's SigLIP 2, with smaller towers and few words."""
    folder = tmp_path_factory.mktemp("siglip")
    words = Tokenizer(
        models.WordLevel(
            {name: n for n, name in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}, "<unk>"
        )
    )
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    fast.save_pretrained(folder / "words")
    made = open_clip.get_model_config(PUBLISHED)
    made["embed_dim"] = 16
    made["vision_cfg"] = {
        "image_size": 32,
        "patch_size": 16,
        "layers": 1,
        "width": 32,
        "head_width": 16,
    }
    made["text_cfg"] |= {
        "width": 16,
        "heads": 2,
        "layers": 1,
        "vocab_size": 3 + len(WORDS),
        "hf_tokenizer_name": str(folder / "words"),
    }
    path = folder / f"{NAME}.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    open_clip.add_model_config(path)
    return made


@pytest.fixture
def weights(config, tmp_path, monkeypatch):
    """A file of random weights, which open_clip takes for those it publishes for SigLIP 2."""
    torch.set_num_threads(1)
    torch.manual_seed(2)
    path = tmp_path / "siglip.pt"
    torch.save(open_clip.create_model(NAME).state_dict(), path)
    tags = {"webli": open_clip.get_pretrained_cfg(PUBLISHED, "webli")}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, NAME, tags)
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(path))
    return path


@pytest.fixture
def picture() -> Image.Image:
    """Noise that is wider than high, so that squashing differs from cutting its middle out."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8))


def by_hand(weights, picture: Image.Image, ids: list[int]) -> float:
    """The cosine of a picture and tokens, without open_clip's transforms and tokenizers."""
    model = open_clip.create_model(NAME)
    model.load_state_dict(torch.load(weights))
    pixels = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC), np.float32) / 255
    image = torch.from_numpy((pixels - 0.5) / 0.5).permute(2, 0, 1)[None]
    text = torch.tensor([ids + [0] * (LENGTH - len(ids))])
    with torch.no_grad():
        seen, read = model.eval().encode_image(image), model.encode_text(text)
    return float(torch.cosine_similarity(seen, read))


@pytest.mark.parametrize("chosen", ["webli", "{}", "webli={}"])
def test_pictures_and_texts_are_those_of_siglip(weights, picture, chosen) -> None:
    scorer = ClipScorer(NAME, chosen.format(weights), "cpu")
    ids = [3 + WORDS.index(word) for word in ("a", "red", "dog")]
    (score,) = scorer.score([picture], ["A red dog!"])  # SigLIP's texts have no punctuation
    assert (
        score.mean == score.minimum == pytest.approx(by_hand(weights, picture, [*ids, 1]), abs=1e-4)
    )


def test_a_sentence_of_more_than_its_tokens_is_cut(weights, picture) -> None:
    scorer = ClipScorer(NAME, "webli", "cpu")
    fitting, rest = ["big"] * (LENGTH - 1), ["cat"] * 9
    (score,) = scorer.score([picture], [" ".join(fitting + rest)])
    first, second = (
        by_hand(weights, picture, [3 + WORDS.index(word) for word in words] + [1])
        for words in (fitting, rest)
    )
    assert score.mean == pytest.approx((63 * first + 9 * second) / 72, abs=1e-4)
    assert score.minimum == pytest.approx(min(first, second), abs=1e-4)


def test_its_own_probability_is_by_its_scale_and_bias(weights) -> None:
    scorer = ClipScorer(NAME, "webli", "cpu")
    tensors = torch.load(weights)
    scale, bias = math.exp(tensors["logit_scale"]), float(tensors["logit_bias"])
    assert bias == -10
    assert scorer.probability(0.25) == pytest.approx(1 / (1 + math.exp(-(scale * 0.25 + bias))))


def test_a_clip_without_a_bias_has_no_probability(config, weights, tmp_path) -> None:
    name = f"{NAME}-unbiased"
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps({**config, "init_logit_bias": None}), encoding="utf-8")
    open_clip.add_model_config(path)
    tensors = torch.load(weights)
    del tensors["logit_bias"]
    torch.save(tensors, weights)
    assert ClipScorer(name, str(weights), "cpu").probability(0.25) is None


def test_it_is_calibrated_anew(weights, small_clip) -> None:
    scorer = ClipScorer(NAME, "webli", "cpu")
    assert scorer.identity == f"{NAME} webli, GELU, by sentence"
    calibration = Calibration(
        threshold=0.25,
        false_accept=0.1,
        false_reject=0.1,
        wanted_false_accept=None,
        roc_area=0.9,
        pairs=100,
        scorer=f"{small_clip.identity}, view box",
        seed=0,
    )
    with pytest.raises(UsageError, match="calibrate anew"):
        calibration.check_scorer(f"{scorer.identity}, view box")


def test_open_clip_has_siglip_2_as_it_is_taken_here() -> None:
    published = open_clip.get_pretrained_cfg(PUBLISHED, "webli")
    assert published["mean"] == published["std"] == (0.5, 0.5, 0.5)
    assert published["resize_mode"] == "squash"
    made = open_clip.get_model_config(PUBLISHED)
    assert made["text_cfg"]["context_length"] == LENGTH
    assert made["init_logit_bias"] == -10
