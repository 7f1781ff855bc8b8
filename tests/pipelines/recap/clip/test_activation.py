"""Weights and the settings they were trained with: activation and normalisation.

No published weights can be loaded here: random ones stand in for them, and open_clip's tables say
what they are. All that differs between two scorers is how the same tensors are used.
"""

import json
import warnings
from hashlib import sha256

import open_clip
import pytest
import torch
from PIL import Image, ImageDraw

from pipelines.recap.clip.open_clip import ClipScorer
from schemas.clip_weights import chosen_weights
from schemas.errors import UsageError

NAME = "regionforge-two-kinds"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "layers": 2, "width": 32, "head_width": 16},
    "text_cfg": {"context_length": 77, "width": 16, "heads": 2, "layers": 2},
}
USUAL = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
QUICK = {"quick_gelu": True, "url": "https://example.org/quick.pt"}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of tensors that fit the models; open_clip knows weights of them by three tags."""
    for name, more in ((NAME, {}), (f"{NAME}-quickgelu", {"quick_gelu": True})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(CONFIG | more), encoding="utf-8")
        open_clip.add_model_config(path)
    torch.set_num_threads(1)
    torch.manual_seed(3)
    tensors = open_clip.create_model(NAME).state_dict()
    path = tmp_path / "tensors.pt"
    torch.save(
        {name: value * 3 if value.ndim == 2 else value for name, value in tensors.items()}, path
    )
    shape = {"interpolation": "bicubic", "resize_mode": "shortest"}
    tags = {
        "quick": QUICK | USUAL | shape,
        "plain": {"url": "https://example.org/plain.pt"} | USUAL | shape,
        "half": {"url": "https://example.org/half.pt"} | HALF | shape,
    }
    tables = open_clip.pretrained._PRETRAINED
    monkeypatch.setitem(tables, NAME, tags)
    monkeypatch.setitem(tables, f"{NAME}-quickgelu", {"quick": tags["quick"]})
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda *_, **__: str(path))
    return path


def scored(model: str, named: str):
    """The scorer, and its score of a drawing; open_clip must have nothing to warn of."""
    picture = Image.new("RGB", (80, 60), "white")
    ImageDraw.Draw(picture).rectangle((10, 10, 50, 50), fill="red")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        scorer = ClipScorer(model, named, "cpu")
    (score,) = scorer.score([picture], ["a red square on white"])
    return scorer, score.mean


def by_hand(path, tag: dict) -> float:
    """The score of the same drawing by open_clip alone, with the settings of a tag."""
    picture = Image.new("RGB", (80, 60), "white")
    ImageDraw.Draw(picture).rectangle((10, 10, 50, 50), fill="red")
    model, _, preprocess = open_clip.create_model_and_transforms(
        f"{NAME}-quickgelu" if tag.get("quick_gelu") else NAME,
        image_mean=tag["mean"],
        image_std=tag["std"],
    )
    model.load_state_dict(torch.load(path))
    with torch.no_grad():
        seen = model.eval().encode_image(preprocess(picture)[None], normalize=True)
        text = open_clip.get_tokenizer(NAME)(["a red square on white"])
        return float((seen * model.encode_text(text, normalize=True)).sum())


def test_the_three_kinds_give_three_scores(weights):
    """Otherwise the tests below prove nothing."""
    kinds = [by_hand(weights, tag) for tag in (QUICK | USUAL, USUAL, HALF)]
    assert min(abs(a - b) for a in kinds for b in kinds if a is not b) > 1e-3


@pytest.mark.parametrize("tag", ["quick", "plain", "half"])
def test_published_weights_and_a_file_of_them_are_used_as_they_were_trained(weights, tag):
    want = by_hand(weights, open_clip.get_pretrained_cfg(NAME, tag))
    activation = "QuickGELU" if tag == "quick" else "GELU"
    digest = sha256(weights.read_bytes()).hexdigest()
    for named, shown in ((tag, tag), (f"{tag}={weights}", f"{tag}=sha256:{digest}")):
        scorer, mean = scored(NAME, named)
        assert mean == pytest.approx(want, abs=1e-5)
        assert scorer.identity == f"{NAME} {shown}, {activation}, by sentence"


def test_a_name_that_says_it_gives_the_same(weights):
    tagged, mean = scored(f"{NAME}-quickgelu", "quick")
    _, of_file = scored(f"{NAME}-quickgelu", str(weights))
    assert mean == of_file == scored(NAME, "quick")[1]
    assert ", QuickGELU, " in tagged.identity


def test_a_file_that_may_be_either_is_refused_and_the_line_says_what_to_name(weights):
    with pytest.raises(UsageError, match="with QuickGELU quick; with GELU plain, half") as refusal:
        scored(NAME, str(weights))
    assert f"TAG={weights}" in str(refusal.value)


@pytest.mark.parametrize("named", ["plain", "plain={}"])
def test_a_name_with_another_activation_than_its_weights_is_refused(weights, monkeypatch, named):
    plain = open_clip.get_pretrained_cfg(NAME, "plain")
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, f"{NAME}-quickgelu", {"plain": plain})
    with pytest.raises(UsageError, match="is built with QuickGELU, and its weights 'plain'"):
        scored(f"{NAME}-quickgelu", named.format(weights))


def test_a_model_whose_towers_ignore_it_is_refused(weights, monkeypatch):
    create = open_clip.create_model_and_transforms

    def ignoring(name, **options):
        return create(name, **options | {"force_quick_gelu": False})

    monkeypatch.setattr(open_clip, "create_model_and_transforms", ignoring)
    with pytest.warns(UserWarning, match="mismatch"), pytest.raises(UsageError, match="QuickGELU"):
        ClipScorer(NAME, "quick", "cpu")


def test_a_tag_of_another_model(weights):
    with pytest.raises(UsageError, match="expected one of quick, plain, half"):
        scored(NAME, f"openai={weights}")


@pytest.mark.parametrize("model", ["ViT-L-14", "ViT-B-32", "ViT-L-14-336", "RN50"])
def test_openais_weights_are_quick_in_the_tables_of_open_clip(model, tmp_path):
    """A release of open_clip without this would make its plain names right or wrong in silence."""
    tags = open_clip.list_pretrained_tags_by_model(model)
    published = {tag: open_clip.get_pretrained_cfg(model, tag) for tag in tags}
    chosen = chosen_weights(model, "openai", published, quick_gelu=False)
    assert chosen.load == "openai"
    assert chosen.quick_gelu
    assert chosen.options["image_mean"] == open_clip.OPENAI_DATASET_MEAN
