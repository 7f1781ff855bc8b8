"""The filters of captions on the sample world, by a captioner with known mistakes and a judge.

    python -m bench.caption_filters [--pictures N] [--seed N] [--samples N]

This is a simulation: captions are scripted, with mistakes of known kinds at known rates, and the
judge is scripted, and wrong in 10 % of its answers by hash. It shows what each filter can do with
mistakes of its kind, and nothing of what models do. The exit status is 1 where a bar is missed.
With `--samples N`, N captions of each region are drawn, of which each makes its mistakes by itself,
and the table is of the ways to choose one.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from bench.caption_filters import choices
from bench.caption_filters.mistakes import KINDS, RIGHT, Caption
from bench.caption_filters.runs import BY_SENTENCE, JUDGED, Simulation, simulation
from pipelines.recipes.recap import Filter
from transforms.sentences import sentences

NAMED = ("wrong color", "wrong place", "neighbour described", "object denied")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one choice of filters let through."""

    name: str
    out: dict[str, float]  # share of the captions with a kind of mistake that is out
    right_in: float  # share of the right captions that is in, whole or in part
    precision: float  # share of the captions that are in of which all is true
    false_out: float  # share of the false sentences
    true_in: float  # share of the true sentences


def main() -> int:
    """Run all choices of filters, print the table, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=1)
    args = parser.parse_args()
    with simulation(args.pictures, args.seed, args.samples) as simulated:
        if args.samples > 1:
            print(choices.table(list(choices.choices(simulated))))
            return 0
        rows = list(measure(simulated))
    print(table(rows))
    missed = list(misses({row.name: row for row in rows}))
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return bool(missed)


def measure(simulated: Simulation) -> Iterator[Measured]:
    """Yield what each choice of filters lets through."""
    captions = {region: samples[0] for region, samples in simulated.captions.items()}
    run = simulated.kept_by
    plain = run("plain", Filter())
    yield measured("checks of words", captions, plain)
    yield measured("named checks", captions, run("named", Filter(measured_checks=True)))
    clip = simulated.calibrated("plain")
    yield measured("words, CLIP", captions, run("clip", Filter(**clip)))
    yield measured("words, judge", captions, run("judge", Filter(**JUDGED)))
    yield measured("words, judge by sentence", captions, run("sentence", Filter(**BY_SENTENCE)))
    both = Filter(**BY_SENTENCE, measured_checks=True)
    yield measured("named checks, judge by sentence", captions, run("both", both))
    every = Filter(**clip, **BY_SENTENCE, measured_checks=True)
    yield measured("all together", captions, run("all", every))


def measured(name: str, captions: dict[str, Caption], kept: dict[str, str]) -> Measured:
    """Return what a choice of filters let through."""
    left = {key: set(sentences(text)) for key, text in kept.items()}
    false = {key: each.that_are(is_true=False) for key, each in captions.items()}
    true = {key: each.that_are(is_true=True) for key, each in captions.items()}
    clean = {key for key in captions if not false[key] & left.get(key, set())}
    by_kind = {kind: [key for key, each in captions.items() if each.kind == kind] for kind in KINDS}
    right = [key for key, each in captions.items() if each.kind == RIGHT]
    return Measured(
        name=name,
        out={kind: sum(key in clean for key in keys) / len(keys) for kind, keys in by_kind.items()},
        right_in=sum(key in left for key in right) / len(right),
        precision=sum(key in clean for key in left) / len(left),
        false_out=1 - _share(false, left),
        true_in=_share(true, left),
    )


def _share(wanted: dict[str, set[str]], left: dict[str, set[str]]) -> float:
    """Return the share of wanted sentences that are left."""
    total = sum(map(len, wanted.values()))
    return sum(len(each & left.get(key, set())) for key, each in wanted.items()) / total


def misses(rows: dict[str, Measured]) -> Iterator[str]:
    """Yield the bars that are missed."""
    named, judged = rows["named checks"], rows["words, judge by sentence"]
    for kind in NAMED:
        if named.out[kind] < 1:
            yield f"named checks let {1 - named.out[kind]:.1%} of {kind!r} through, expected none"
    if named.right_in < 0.98:
        yield f"named checks lose {1 - named.right_in:.1%} of the right captions, expected 2 %"
    bars = {"false sentences are out": judged.false_out, "true ones are in": judged.true_in}
    for what, share in bars.items():
        if share < 0.85:
            yield f"by sentence {share:.1%} of {what}, expected 85 %"


def table(rows: list[Measured]) -> str:
    """Return the table in Markdown."""
    kinds = list(KINDS)
    head = [*(f"{kind} out" for kind in kinds), "right captions in", "precision"]
    head += ["false sentences out", "true sentences in"]
    lines = [f"| filters | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    for row in rows:
        values = [*(row.out[kind] for kind in kinds), row.right_in, row.precision]
        values += [row.false_out, row.true_in]
        lines.append(f"| {row.name} | {' | '.join(f'{value:.1%}' for value in values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
