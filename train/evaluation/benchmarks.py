"""The benchmarks, by the recipe of their build: what is scored, and how a model replies.

A metric is called with the answers and the options of the command line; one that an option turns
on returns no figures without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import UsageError
from schemas.near import near
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.judged import JudgedBench
from train.evaluation.metrics.captions import MeteorScorer, captions
from train.evaluation.metrics.classification import classification
from train.evaluation.metrics.dlc import dlc
from train.evaluation.metrics.entries import missing
from train.evaluation.metrics.gar import gar_captions, gar_vqa
from train.evaluation.metrics.pope import pope
from train.evaluation.metrics.rec import rec
from train.evaluation.metrics.semantic import ColonRule, semantic
from train.evaluation.metrics.synonyms import synonyms
from train.evaluation.metrics.vcr import vcr

if TYPE_CHECKING:  # they need torch
    from train.evaluation.asking import Form
    from train.evaluation.metrics.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a command line adds to the metrics."""

    encoder: "Encoder | None" = None
    colon_rule: ColonRule = "osprey"
    meteor: MeteorScorer | None = None
    grouped: bool = False


Metric = Callable[[Sequence[Answer], Options], list[Figure]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What is scored, and how a model replies."""

    metrics: tuple[Metric, ...]
    published: str  # the key of the published numbers
    form: "Form" = "generate"
    max_new_tokens: int = 0  # of a generated reply; 0 for a likelihood
    regions: bool = True  # the questions are about regions
    masks: bool = False  # the questions are about the regions' masks, not their boxes
    judge: JudgedBench | None = None  # answers in words are judged
    takes: frozenset[str] = frozenset()  # the flags that act here alone, e.g. "encoder"


def _synonyms(answers: Sequence[Answer], options: Options) -> list[Figure]:
    return [] if options.encoder is None else synonyms(answers, options.encoder)


def _semantic(answers: Sequence[Answer], options: Options) -> list[Figure]:
    return semantic(answers, options.encoder, options.colon_rule)


def _captions(answers: Sequence[Answer], options: Options) -> list[Figure]:
    figures = captions(answers, scorer=options.meteor)
    if options.grouped:
        figures += captions(answers, grouped=True, scorer=options.meteor)
    return figures


def _letters(answers: Sequence[Answer], options: Options) -> list[Figure]:
    """Return the accuracy of answers with a letter; a judge scores those in words."""
    lettered = [answer for answer in answers if answer.choices]
    return gar_vqa(lettered) if lettered else missing(answers)


def _missing(answers: Sequence[Answer], options: Options) -> list[Figure]:
    return missing(answers)


def _alone(metric: Callable[[Sequence[Answer]], list[Figure]]) -> Metric:
    """Return a metric that no option changes."""
    return lambda answers, options: metric(answers)


_NAMES: tuple[Metric, ...] = (_alone(classification), _synonyms)
_MANY_NAMES: tuple[Metric, ...] = (_alone(classification), _synonyms, _semantic)
_ENCODER = frozenset({"encoder", "baseline"})
_JUDGED = frozenset({"judged"})
_SEMANTIC = _ENCODER | {"colon_rule"}

BENCHMARKS: Mapping[str, Benchmark] = {
    "eval_coco": Benchmark(metrics=_NAMES, published="coco", max_new_tokens=128, takes=_ENCODER),
    "eval_coco_dilated": Benchmark(
        metrics=_NAMES, published="coco_dilated", max_new_tokens=128, masks=True, takes=_ENCODER
    ),
    "eval_coco_eroded": Benchmark(
        metrics=_NAMES, published="coco_eroded", max_new_tokens=128, masks=True, takes=_ENCODER
    ),
    "eval_v3det": Benchmark(
        metrics=_MANY_NAMES, published="v3det", max_new_tokens=32, takes=_SEMANTIC
    ),
    "eval_lvis": Benchmark(
        metrics=_MANY_NAMES, published="lvis", max_new_tokens=32, takes=_SEMANTIC
    ),
    "eval_captions": Benchmark(
        metrics=(_captions,),
        published="captions",
        max_new_tokens=64,
        takes=frozenset({"grouped"}),
    ),
    "eval_rec": Benchmark(metrics=(_alone(rec),), published="rec", max_new_tokens=16),
    "eval_pope": Benchmark(
        metrics=(_alone(pope),),
        published="pope",
        max_new_tokens=16,
        regions=False,
        takes=frozenset({"choice_likelihood"}),
    ),
    "eval_dlc": Benchmark(
        metrics=(_missing,),
        published="dlc",
        max_new_tokens=512,
        judge=JudgedBench(name="dlc", metric=dlc),
        takes=_JUDGED,
    ),
    "eval_gar": Benchmark(
        metrics=(_letters,),
        published="gar",
        max_new_tokens=512,
        judge=JudgedBench(name="gar", metric=gar_captions),
        takes=_JUDGED,
    ),
    "eval_vcr": Benchmark(metrics=(_alone(vcr),), published="vcr", form="likelihood"),
}


def benchmark_named(name: str) -> Benchmark:
    """Return a benchmark by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"--config {name}: there is no such benchmark; {near(name, BENCHMARKS)}")
    return BENCHMARKS[name]
