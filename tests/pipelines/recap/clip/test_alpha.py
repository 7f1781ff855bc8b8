"""Alpha-CLIP: its published tensors in open_clip's tower, beside a computation by hand."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import conv2d, layer_norm, linear, softmax

from pipelines.cli import parser as cli
from pipelines.recap.clip.crops import alpha_crop, decoded
from pipelines.recap.clip.open_clip import ClipScorer
from schemas.errors import UsageError
from schemas.mask import from_pixels

SIDE, PATCH, WIDTH, HEADS = 32, 16, 32, 2
TINY = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": SIDE,
        "patch_size": PATCH,
        "layers": 2,
        "width": WIDTH,
        "head_width": WIDTH // HEADS,
    },
    "text_cfg": {"context_length": 77, "width": 16, "heads": 2, "layers": 1},
}
NAME = "regionforge-alpha"
COLOURS = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The weights of a tiny model with QuickGELU, in open_clip's registry."""
    folder: Path = tmp_path_factory.mktemp("alpha")
    config = folder / f"{NAME}.json"
    config.write_text(json.dumps(TINY), encoding="utf-8")
    open_clip.add_model_config(config)
    torch.set_num_threads(1)  # tests run side by side
    torch.manual_seed(7)
    torch.save(open_clip.create_model(NAME).state_dict(), folder / "base.pt")
    return folder / "base.pt"


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """A vision tower with random tensors, named and shaped as in Alpha-CLIP's files."""
    rng = torch.Generator().manual_seed(11)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng) * 0.2

    tower = {
        "class_embedding": drawn(WIDTH),
        "positional_embedding": drawn((SIDE // PATCH) ** 2 + 1, WIDTH),
        "proj": drawn(WIDTH, 16),
        "conv1.weight": drawn(WIDTH, 3, PATCH, PATCH),
        "conv1_alpha.weight": drawn(WIDTH, 1, PATCH, PATCH),
    }
    norms = ["ln_pre", "ln_post"]
    for block in (f"transformer.resblocks.{k}" for k in range(2)):
        norms += [f"{block}.ln_1", f"{block}.ln_2"]
        for name, rows, columns in (
            ("attn.in_proj", 3 * WIDTH, WIDTH),
            ("attn.out_proj", WIDTH, WIDTH),
            ("mlp.c_fc", 4 * WIDTH, WIDTH),
            ("mlp.c_proj", WIDTH, 4 * WIDTH),
        ):
            tower[f"{block}.{name}.weight"] = drawn(rows, columns)
            tower[f"{block}.{name}.bias"] = drawn(rows)
    for name in norms:
        tower |= {f"{name}.weight": 1 + drawn(WIDTH), f"{name}.bias": drawn(WIDTH)}
    return tower


@pytest.fixture
def weights(published, tmp_path) -> Path:
    path: Path = tmp_path / "alpha.pth"
    torch.save(published, path)
    return path


def seen_by_hand(tower: dict[str, torch.Tensor], picture: Image.Image) -> torch.Tensor:
    """The embedding of a square RGBA picture of the model's size, step by step."""
    pixels = torch.tensor(np.asarray(picture), dtype=torch.float32).permute(2, 0, 1) / 255
    mean, deviation = (torch.tensor(each)[:, None, None] for each in COLOURS)
    colours, mask = (pixels[:3] - mean) / deviation, (pixels[3:] - 0.5) / 0.26
    patches = conv2d(colours[None], tower["conv1.weight"], stride=PATCH)
    patches += conv2d(mask[None], tower["conv1_alpha.weight"], stride=PATCH)
    tokens = torch.cat([tower["class_embedding"][None], patches[0].flatten(1).T])

    def normed(values: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(values, (WIDTH,), tower[f"{name}.weight"], tower[f"{name}.bias"])

    def projected(values: torch.Tensor, name: str) -> torch.Tensor:
        return linear(values, tower[f"{name}.weight"], tower[f"{name}.bias"])

    tokens = normed(tokens + tower["positional_embedding"], "ln_pre")
    for block in (f"transformer.resblocks.{k}" for k in range(2)):
        three = projected(normed(tokens, f"{block}.ln_1"), f"{block}.attn.in_proj").chunk(3, -1)
        query, key, value = (each.reshape(len(tokens), HEADS, -1).transpose(0, 1) for each in three)
        shares = softmax(query @ key.transpose(1, 2) / (WIDTH // HEADS) ** 0.5, dim=-1)
        heads = (shares @ value).transpose(0, 1).reshape(len(tokens), WIDTH)
        tokens = tokens + projected(heads, f"{block}.attn.out_proj")
        hidden = projected(normed(tokens, f"{block}.ln_2"), f"{block}.mlp.c_fc")
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        tokens = tokens + projected(hidden, f"{block}.mlp.c_proj")
    embedding = normed(tokens[0], "ln_post") @ tower["proj"]
    return embedding / embedding.norm()


def square(seed: int = 0, inside: slice = slice(8, 20)) -> Image.Image:
    """A noisy picture of the model's size, of which a rectangle is the region."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[inside, 4:28, 3] = 255
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def kite(base) -> torch.Tensor:
    """The embedding of "a red kite"."""
    model = open_clip.create_model(NAME, pretrained=str(base)).eval()
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(NAME)(["a red kite"])
        embedding: torch.Tensor = model.encode_text(tokens, normalize=True)[0]
    return embedding


def test_a_score_is_that_of_the_published_tensors(base, published, weights, kite) -> None:
    scorer = ClipScorer(NAME, str(base), "cpu", str(weights))
    by_hand = [float(seen_by_hand(published, square(seed)) @ kite) for seed in range(4)]
    scores = scorer.score([square(seed) for seed in range(4)], ["a red kite"] * 4)
    assert [score.mean for score in scores] == pytest.approx(by_hand, abs=2e-5)
    assert max(by_hand) - min(by_hand) > 0.01


@pytest.mark.parametrize(
    ("size", "resized", "cut"),
    [((96, 64), (48, 32), (8, 0)), ((64, 128), (32, 64), (0, 16)), ((16, 16), (32, 32), (0, 0))],
)
def test_a_mask_is_resized_and_cut_as_its_picture(
    base, published, weights, kite, size, resized, cut
) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (*size[::-1], 4), dtype=np.uint8)
    pixels[..., 3] = 255 * (pixels[..., 3] > 128)
    large = Image.fromarray(pixels)
    left, top = cut
    channels = [
        each.resize(resized, Image.Resampling.BICUBIC).crop((left, top, left + SIDE, top + SIDE))
        for each in large.split()
    ]
    by_hand = float(seen_by_hand(published, Image.merge("RGBA", channels)) @ kite)
    scorer = ClipScorer(NAME, str(base), "cpu", str(weights))
    assert scorer.score([large], ["a red kite"])[0].mean == pytest.approx(by_hand, abs=2e-5)


def test_the_mask_decides_the_score(base, weights) -> None:
    scorer = ClipScorer(NAME, str(base), "cpu", str(weights))
    crops = [square(), square(inside=slice(20, 30)), square().convert("RGB")]
    scores = [score.mean for score in scorer.score(crops, ["a red kite"] * 3)]
    assert len(set(scores)) == 3
    whole = square()
    whole.putalpha(255)
    assert scorer.score([whole], ["a red kite"])[0].mean == scores[2], "all of it is the region"


def test_the_identity_names_the_weights(base, weights, published, tmp_path) -> None:
    plain = ClipScorer(NAME, str(base), "cpu").identity
    scorer = ClipScorer(NAME, str(base), "cpu", str(weights))
    assert scorer.identity.startswith(plain.partition(",")[0] + ", alpha sha256:")
    assert scorer.identity.endswith(", QuickGELU, by sentence")
    other = tmp_path / "other.safetensors"
    save_file(published, other)
    again = ClipScorer(NAME, str(base), "cpu", str(other))
    assert again.identity != scorer.identity
    assert again.score([square()], ["a kite"]) == scorer.score([square()], ["a kite"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tower: tower.pop("conv1_alpha.weight"), "holds no conv1_alpha.weight"),
        (lambda tower: tower.pop("ln_pre.bias"), "do not fit the model.*ln_pre.bias"),
        (lambda tower: tower.update(more=torch.zeros(1)), "do not fit the model.*more"),
        (lambda tower: tower.update(proj=torch.zeros(3, 3)), "do not fit the model.*proj"),
        (
            lambda tower: tower.update({"transformer.lora_A": torch.zeros(1)}),
            "low-rank adapters",
        ),
    ],
)
def test_tensors_of_another_layout_are_refused(base, published, tmp_path, change, message) -> None:
    tower = dict(published)
    change(tower)
    torch.save(tower, tmp_path / "odd.pth")
    with pytest.raises(UsageError, match=message):
        ClipScorer(NAME, str(base), "cpu", str(tmp_path / "odd.pth"))


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_files_that_are_no_tensors_are_refused_and_never_obeyed(base, tmp_path) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "trap.pth"
    torch.save({"conv1_alpha.weight": Trap(sprung)}, path)
    with pytest.raises(UsageError, match=r"weights '.*trap\.pth'"):
        ClipScorer(NAME, str(base), "cpu", str(path))
    assert not sprung.exists()
    with pytest.raises(UsageError, match="no such file"):
        ClipScorer(NAME, str(base), "cpu", str(tmp_path / "none.pth"))


def test_a_model_with_another_activation_is_refused(weights, tmp_path) -> None:
    config = tmp_path / "regionforge-gelu.json"
    config.write_text(json.dumps(TINY | {"quick_gelu": False}), encoding="utf-8")
    open_clip.add_model_config(config)
    torch.save(open_clip.create_model("regionforge-gelu").state_dict(), tmp_path / "gelu.pt")
    with pytest.raises(UsageError, match=r"alpha\.pth' need QuickGELU"):
        ClipScorer("regionforge-gelu", str(tmp_path / "gelu.pt"), "cpu", str(weights))


def test_a_crop_holds_the_region_as_its_alpha_channel() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    picture, box = Image.fromarray(pixels), (20.2, 20.4, 39.9, 39.8)
    boxed = np.asarray(decoded(alpha_crop(picture, box)))
    assert np.array_equal(boxed[..., :3], pixels[10:50, 10:50])
    assert np.array_equal(boxed[..., 3] > 0, np.pad(np.ones((20, 20), bool), 10))
    inside = np.zeros((60, 80), np.uint8, order="F")
    inside[20:30, 20:40] = 1
    masked = np.asarray(decoded(alpha_crop(picture, box, from_pixels(inside))))
    assert np.array_equal(masked[..., 3], inside[10:50, 10:50] * 255)


def test_a_run_scores_by_masks_and_says_so(
    base, weights, recap_words, recap_output, tmp_path
) -> None:
    model = ["--clip-model", NAME, "--clip-weights", base, "--clip-alpha", weights]
    flags = ["--captioner", "builtin", "--limit", 2, "--device", "cpu", *model]
    status, printed = recap_words(tmp_path / "out", *flags, "--threshold", "-1", "--mask-blur")
    assert status == 2
    assert "--mask-blur: the model of --clip-alpha sees masks" in printed
    status, printed = recap_words(tmp_path / "out", *flags, "--threshold", "-1")
    assert status == 0, printed
    rows = recap_output(tmp_path / "out").output.rows()
    (scorer,) = {row["provenance"]["scorer"] for row in rows}
    identity = ClipScorer(NAME, str(base), "cpu", str(weights)).identity
    assert scorer == f"{identity}, view box with half of it around, and the region as alpha"
    scores = {region["captions"][0]["clip"] for row in rows for region in row["regions"]}
    assert len(scores) > 3


def test_a_large_crop_is_shrunk() -> None:
    crop = decoded(alpha_crop(Image.new("RGB", (2000, 1500)), (500.0, 400.0, 1500.0, 1000.0)))
    assert 300 * 300 < crop.width * crop.height <= 336 * 336
    assert (np.asarray(crop)[..., 3] > 127).mean() == pytest.approx(0.25, abs=0.01)


def test_a_threshold_is_calibrated_by_masks(
    base, weights, recap_words, recap_output, tmp_path, monkeypatch
) -> None:
    modes: list[str] = []
    score = ClipScorer.score

    def note_modes(self, crops, captions):
        modes.extend(crop.mode for crop in crops)
        return score(self, crops, captions)

    monkeypatch.setattr(ClipScorer, "score", note_modes)
    cpu = ["--device", "cpu", "--clip-model", NAME, "--clip-weights", base, "--clip-alpha", weights]
    out, to = tmp_path / "out", tmp_path / "calibration.json"
    status, printed = recap_words(out, "--captioner", "builtin", "--limit", 4, "--no-filter")
    assert status == 0, printed
    assert (
        cli.run(list(map(str, ["calibrate", out, "--to", to, "--pairs", 20, "--force", *cpu]))) == 0
    )
    calibration = json.loads(to.read_text(encoding="utf-8"))
    assert calibration["scorer"].endswith(", and the region as alpha")

    refilter = ["--captioner", "builtin", "--limit", 4, "--refilter", to]
    assert recap_words(out, *refilter, *cpu[:-2])[0] == 2, "it is not of this scorer"
    status, printed = recap_words(out, *refilter, *cpu)
    assert status == 0, printed
    assert set(modes) == {"RGBA"}
    made = recap_output(out).output
    captions = [each["captions"][0] for row in made.rows() for each in row["regions"]]
    assert min(caption["clip"] for caption in captions) >= calibration["threshold"]
    assert "caption_unlike_crop" in {item[2] for item in made.rejected()}
