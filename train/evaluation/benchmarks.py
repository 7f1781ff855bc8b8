"""The benchmarks, by the recipe of their build: what is scored, and how a model replies.

A metric is called with the answers and the options of the command line; one that an option turns
on returns no figures without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import UsageError
from train.evaluation.answers import Answer
from train.evaluation.asking import Form
from train.evaluation.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a command line adds to the metrics."""


Metric = Callable[[Sequence[Answer], Options], list[Figure]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is scored, and how a model replies."""

    metrics: tuple[Metric, ...]
    published: str  # the key of the published numbers
    form: Form = "generate"
    max_new_tokens: int = 0  # of a generated reply; 0 for a likelihood
    regions: bool = True  # the questions are about regions
    masks: bool = False  # the questions are about the regions' masks, not their boxes
    choices: bool = False  # a generated reply may stand beside the likelihood of few choices


_CLASSIFICATION: tuple[Metric, ...] = ()

BENCHMARKS: Mapping[str, Benchmark] = {
    "eval_coco": Benchmark(metrics=_CLASSIFICATION, published="coco", max_new_tokens=128),
    "eval_coco_dilated": Benchmark(
        metrics=_CLASSIFICATION, published="coco_dilated", max_new_tokens=128, masks=True
    ),
    "eval_coco_eroded": Benchmark(
        metrics=_CLASSIFICATION, published="coco_eroded", max_new_tokens=128, masks=True
    ),
    "eval_captions": Benchmark(metrics=(), published="captions", max_new_tokens=64),
    "eval_rec": Benchmark(metrics=(), published="rec", max_new_tokens=16),
    "eval_pope": Benchmark(
        metrics=(), published="pope", max_new_tokens=16, regions=False, choices=True
    ),
    "eval_vcr": Benchmark(metrics=(), published="vcr", form="likelihood"),
    "eval_v3det": Benchmark(metrics=_CLASSIFICATION, published="v3det", max_new_tokens=32),
}


def benchmark_named(name: str) -> Benchmark:
    """Return a benchmark by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"--config {name}: no benchmark, expected {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
