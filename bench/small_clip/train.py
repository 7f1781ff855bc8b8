"""The training of the small CLIP on drawn crops, with captions that are known to be true or false.

    python -m bench.small_clip.train [--output DIR] [--seed N] [--threads N]

Each crop of a batch has a true caption and a false one. The loss compares every crop with every
caption, as in SigLIP: each pair has a label, true or false, so that a caption that is also true of
another crop counts as true. The same seed gives the same weights on the same machine. Some words
are replaced by the unknown token at random, so that the model can cope with unknown words.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
from safetensors.torch import save
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    normalize,
    softplus,
)

from bench.small_clip.crops import sights
from bench.small_clip.measure import print_measures
from bench.small_clip.sentences import (
    VALUES,
    Facts,
    caption,
    claimed_values,
    draw_wordings,
    every_text,
    falsified,
)
from pipelines.recap.clip.open_clip import CONFIG_NAME, ClipScorer
from pipelines.recap.small_clip import FOLDER
from pipelines.recap.small_clip.vocabulary import END_ID, PAD_ID, UNKNOWN_ID, Vocabulary, words_of
from schemas.clip_weights import FOLDER_PREFIX, WEIGHTS_NAME

SIDE = 64  # pixels of a side of the model's input
_CONTEXT = 24  # number of tokens of a text
SCENES = 3000
_CONTEXTS = (0.0, 0.0, 0.0, 0.0, 0.1, 0.25)
BATCH = 128
STEPS = 1500
_WARMUP = 50
RATE = 1e-3
_WEIGHT_DECAY = 0.05
_SAY_EVERY = 100
_HIDDEN = 0.1  # share of hidden words, among words without a claim
_CAPTION_WORDS = (1, 1, 8, 14, 18)  # minimum words of a caption, for one to three sentences

MODEL: dict[str, Any] = {
    "embed_dim": 128,
    "init_logit_scale": math.log(10),
    "init_logit_bias": -5.0,
    "vision_cfg": {
        "image_size": SIDE,
        "patch_size": 16,
        "layers": 4,
        "width": 128,
        "head_width": 32,
    },
    "text_cfg": {
        "context_length": _CONTEXT,
        "layers": 2,
        "width": 64,
        "heads": 4,
        "pool_type": "eos",  # the default, the highest id, fits only open_clip's vocabulary
        "eos_id": END_ID,
        "pad_id": PAD_ID,
    },
}
_PREPROCESS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "longest",  # keeps the aspect ratio, so that circles stay round
    "fill_color": 127,
}

_CLAIMS = [(name, value) for name, values in VALUES.items() for value in values]


class Batch(NamedTuple):
    """A batch of B crops and 2 B captions: the true captions of the crops, then the false ones."""

    pixels: Any  # (B, 3, H, W)
    tokens: Any  # (2 B, L)
    values: Any  # (B, V): 1 where a value is true of a crop
    claims: Any  # (2 B, V): 1 where a caption claims a value

    def holds(self) -> Any:
        """Return a mask, (B, 2 B), of the pairs of crop and caption that are true."""
        return self.values @ self.claims.T == self.claims.sum(dim=1)


class Material:
    """The crops and facts from which training batches are sampled."""

    def __init__(self, preprocess: Any, vocabulary: Vocabulary, rng: np.random.Generator) -> None:
        self._rng = rng
        self._vocabulary = vocabulary
        self._facts: list[Facts] = []
        pixels = []
        for sight in sights("train", SCENES, _CONTEXTS):
            pixels.append((preprocess(sight.crop) * 127.5 + 127.5).round().byte())
            self._facts.append(sight.facts)
        self._pixels = torch.stack(pixels)
        rows = [_row({(name, getattr(facts, name)) for name in VALUES}) for facts in self._facts]
        self._values = torch.tensor(np.stack(rows))
        sizes = [facts.size for facts in self._facts]
        rarity = {size: 1 / count for size, count in Counter(sizes).items()}
        chances = np.array([rarity[size] for size in sizes])
        self._chances = chances / chances.sum()
        values = [word for name in VALUES.values() for value in name for word in words_of(value)]
        self._telling = torch.tensor(vocabulary.encode(" ".join(values), len(values) + 1))

    def batch(self) -> Batch:
        """Return a random batch, in which small, medium and large shapes are equally frequent."""
        rng = self._rng
        chosen = rng.choice(len(self._facts), BATCH, p=self._chances)
        true, false = [], []
        for facts in (self._facts[index] for index in chosen):
            wordings = draw_wordings(facts, rng, int(rng.choice(_CAPTION_WORDS)), claiming=False)
            while len(words_of(caption(wordings, [facts] * len(wordings)))) >= _CONTEXT - 2:
                wordings = wordings[1:]
            true.append((wordings, [facts] * len(wordings)))
            false.append((wordings, falsified(wordings, facts, rng)))
        texts = true + false
        pixels = self._pixels[torch.from_numpy(chosen)].float() / 127.5 - 1
        mirrored = torch.from_numpy(rng.random(BATCH) < 0.5)[:, None, None, None]
        return Batch(
            pixels=torch.where(mirrored, pixels.flip(-1), pixels),
            tokens=self._tokens(texts),
            values=self._values[chosen],
            claims=torch.tensor(np.stack([_row(claimed_values(*text)) for text in texts])),
        )

    def _tokens(self, texts: Sequence[tuple[Sequence[str], Sequence[Facts]]]) -> Any:
        rows = [self._vocabulary.encode(caption(*text), _CONTEXT) for text in texts]
        tokens = torch.tensor(rows)
        mute = ~torch.isin(tokens, self._telling) & (tokens != PAD_ID) & (tokens != END_ID)
        hidden = torch.from_numpy(self._rng.random(tokens.shape) < _HIDDEN)
        return torch.where(mute & hidden, UNKNOWN_ID, tokens)


def _row(values: Set[tuple[str, str]]) -> Any:
    """Return a vector over `_CLAIMS`, (V,), with 1 for each given pair of attribute and value."""
    return np.array([claim in values for claim in _CLAIMS], dtype=np.float32)


class Lesson:
    """A model with two linear classifiers of its embeddings, which help it learn attributes."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._seen = torch.nn.Linear(MODEL["embed_dim"], len(_CLAIMS))
        self._read = torch.nn.Linear(MODEL["embed_dim"], len(_CLAIMS))

    def parameters(self) -> list[Any]:
        """Return all parameters to train, including the classifiers', which are not saved."""
        return [*self._model.parameters(), *self._seen.parameters(), *self._read.parameters()]

    def loss(self, batch: Batch) -> Any:
        """Return the loss of a batch.

        True pairs, false pairs, and the pairs of a crop with its own false caption have equal
        weight. Among true pairs, each caption has equal weight, however many crops it fits.
        """
        seen = self._model.encode_image(batch.pixels)
        read = self._model.encode_text(batch.tokens)
        cosines = normalize(seen, dim=-1) @ normalize(read, dim=-1).T
        logits = self._model.logit_scale.exp() * cosines + self._model.logit_bias
        holds, near = batch.holds(), torch.eye(BATCH).repeat(1, 2).bool()
        share = holds / holds.sum(dim=0).clamp(min=1)
        held = (softplus(-logits) * share).sum() / holds.any(dim=0).sum()
        others = softplus(logits[~holds & ~near]).mean() + softplus(logits[~holds & near]).mean()
        return held + others + self._readers_loss(seen, read, batch)

    def _readers_loss(self, seen: Any, read: Any, batch: Batch) -> Any:
        values = _cross_entropy_of(self._seen(seen), batch.values)
        claims = binary_cross_entropy_with_logits(self._read(read), batch.claims)
        return values + len(VALUES) * claims


def _cross_entropy_of(logits: Any, values: Any) -> Any:
    """Return the cross entropy of the true value of each attribute, averaged over attributes."""
    widths = [len(names) for names in VALUES.values()]
    parts = zip(logits.split(widths, dim=1), values.split(widths, dim=1), strict=True)
    return sum(cross_entropy(predicted, true) for predicted, true in parts) / len(widths)


def train(folder: Path, seed: int) -> None:
    """Train a model and write its weights and config to a folder, in open_clip's layout."""
    torch.manual_seed(seed)
    words = sorted({word for text in every_text() for word in words_of(text)})
    vocabulary = Vocabulary(words)
    _write_config(folder, words)
    model, _, preprocess = open_clip.create_model_and_transforms(
        f"{FOLDER_PREFIX}{folder}", load_weights=False
    )
    material = Material(preprocess, vocabulary, np.random.default_rng(seed))
    lesson = Lesson(model)
    parameters = lesson.parameters()
    optimizer = torch.optim.AdamW(
        parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=_WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate)
    for step in range(1, STEPS + 1):
        loss = lesson.loss(material.batch())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % _SAY_EVERY == 0:
            print(f"step {step} of {STEPS}: loss {loss.item():.3f}", flush=True)
    halves = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    (folder / WEIGHTS_NAME).write_bytes(save(halves))


def _rate(step: int) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to 0."""
    if step < _WARMUP:
        return (step + 1) / _WARMUP
    return (1 + math.cos(math.pi * (step - _WARMUP) / (STEPS - _WARMUP))) / 2


def _write_config(folder: Path, words: Sequence[str]) -> None:
    """Write the config file of a model: architecture, image preprocessing and vocabulary."""
    text = MODEL["text_cfg"] | {"vocab_size": len(Vocabulary(words))}
    config = {
        "model_cfg": MODEL | {"text_cfg": text},
        "preprocess_cfg": _PREPROCESS,
        "vocabulary": words,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Train a model and print the measures of its scores."""
    parser = argparse.ArgumentParser(description="Train the small CLIP on drawn crops.")
    parser.add_argument("--output", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    started = time.monotonic()
    train(args.output, args.seed)
    print(f"trained in {time.monotonic() - started:.0f} s")
    print_measures(ClipScorer(f"{FOLDER_PREFIX}{args.output}"))


if __name__ == "__main__":
    main()
