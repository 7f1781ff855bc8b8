"""Publish: the files of an output that describe its finished shards.

Rejections become one file per config. After the last shard, `ledger.json`, the card and
finally `manifest.json` are written; an output without a manifest is unfinished.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, PCollection

from pipelines.card.card import write_card
from pipelines.output.rejections import SortRejections, write_runs
from pipelines.plan import Plan
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.layout import LEDGER, MANIFEST, REJECTED_FOLDER
from schemas.ledger import Ledger, TallyKey, ledger_of
from schemas.manifest import Manifest, Shard
from transforms.stage import StageOutputs
from transforms.subsample import CategoryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The results of all stages of a build: shards, counts and short categories."""

    shards: Sequence[Shard]
    tallies: Sequence[tuple[TallyKey, int]]
    rejected: Sequence[tuple[str, int]]  # config and lines in its list of rejected items
    short: Sequence[tuple[CategoryKey, int]]


def publish(plan: Plan, findings: Findings) -> Ledger:
    """Write the ledger and, if every input could be read, the card and the manifest.

    Raises:
        BuildError: the number of rejected items written differs from the number in the ledger.
    """
    ledger = ledger_of(dict(findings.tallies), plan.identity.guard)
    ledger_json = ledger.model_dump_json(indent=2, exclude_defaults=True)
    files.write_whole(files.join(plan.output, LEDGER), ledger_json.encode())
    _check_rejected(ledger, dict(findings.rejected))
    if ledger.unreadable_files() or ledger.problems():
        return ledger
    manifest = Manifest(
        identity=plan.identity,
        shards=sorted(findings.shards, key=lambda shard: shard.path),
        rejected=dict(sorted(findings.rejected)),
        short_categories=_nested(findings.short),
    )
    write_card(plan, manifest, ledger)
    content = manifest.model_dump_json(indent=2).encode()
    files.write_whole(files.join(plan.output, MANIFEST), content)
    return ledger


def _check_rejected(ledger: Ledger, lines: Mapping[str, int]) -> None:
    for source in sorted(ledger.sources.keys() | lines.keys()):
        if (number := ledger.rejected(source)) != lines.get(source, 0):
            raise BuildError(
                f"the ledger does not balance: {number} items of {source} were rejected, but "
                f"{REJECTED_FOLDER} lists {lines.get(source, 0)} of them"
            )


def _nested(short: Iterable[tuple[CategoryKey, int]]) -> dict[str, dict[str, int]]:
    tree: dict[str, dict[str, int]] = {}
    for (source, split, category), count in sorted(short):
        tree.setdefault(f"{source}/{split}", {})[category] = count
    return tree


class _Publish(beam.DoFn):
    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(
        self,
        _: None,
        shards: Iterable[Shard],
        tallies: Iterable[tuple[TallyKey, int]],
        rejected: Iterable[tuple[str, int]],
        short: Iterable[tuple[CategoryKey, int]],
    ) -> Iterator[Ledger]:
        findings = Findings(
            shards=list(shards), tallies=list(tallies), rejected=list(rejected), short=list(short)
        )
        yield publish(self._plan, findings)


@dataclass
class Publish(beam.PTransform[PCollection[Shard], PCollection[Ledger]]):
    """Shards, rejections, tallies and short categories of all stages -> the output's files."""

    plan: Plan
    stages: Sequence[StageOutputs[Any]]  # all of the flow
    short: PCollection[tuple[CategoryKey, int]]

    def expand(self, pcoll: PCollection[Shard]) -> PCollection[Ledger]:
        """Write the rejections, then the other files."""
        tallies = [stage.tally for stage in self.stages] | "Tallies" >> beam.Flatten()
        totals = tallies | "AddUp" >> beam.CombinePerKey(sum)
        # Sorted stage by stage before the stages' rejections are flattened and shuffled.
        runs = [
            stage.rejected | f"Sort{number}" >> beam.ParDo(SortRejections())
            for number, stage in enumerate(self.stages)
        ]
        rejected = (
            runs
            | "Rejections" >> beam.Flatten()
            | "ByConfig" >> beam.GroupByKey()
            | "WriteRejections" >> beam.Map(write_runs, self.plan.output)
        )
        return (
            pcoll.pipeline
            | "Once" >> beam.Create([None])
            | "Publish"
            >> beam.ParDo(
                _Publish(self.plan),
                AsIter(pcoll),
                AsIter(totals),
                AsIter(rejected),
                AsIter(self.short),
            )
        )
