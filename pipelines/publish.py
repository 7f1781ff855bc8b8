"""Publish: the files of an output that describe its finished sources.

Rejections become one file per config. After the last shard, the state of each source is saved, then
`ledger.json`, the card and finally `manifest.json` are written; an output without a manifest is
unfinished. Sources that an earlier run finished come by their state, as if they had been read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsIter, PCollection

from pipelines.card.card import card_of
from pipelines.output.rejections import SortRejections, write_runs
from pipelines.output.source_state import SourceState, rejected_bytes, save_source_state
from pipelines.plan import Plan
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.layout import CARD, LEDGER, MANIFEST, REJECTED_FOLDER
from schemas.ledger import Ledger, TallyKey, ledger_of
from schemas.manifest import Manifest, Shard
from transforms.stage import StageOutputs
from transforms.subsample import CategoryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The results of all stages of a build: shards, counts and short categories."""

    shards: Sequence[Shard] = ()
    tallies: Sequence[tuple[TallyKey, int]] = ()
    rejected: Sequence[tuple[str, int]] = ()  # config and lines in its list of rejected items
    short: Sequence[tuple[CategoryKey, int]] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """The ledger of a build, and the content of the files that describe it, in order of writing."""

    ledger: Ledger
    content: dict[str, bytes]  # by path; without card and manifest if some input is not accounted


def publish(plan: Plan, findings: Findings) -> Ledger:
    """Write the ledger and, if every input could be read, the card and the manifest.

    Raises:
        BuildError: the number of rejected items written differs from the number in the ledger.
    """
    made = _states_of(plan, findings)
    published = published_files(plan, {**plan.finished, **made})
    _check_rejected(published.ledger, dict(findings.rejected), set(made))
    for config, state in made.items():
        ledger = ledger_of(dict(state.tally))
        if not ledger.unreadable_files() and not ledger.problems():
            save_source_state(plan.output, config, state)
    for name, content in published.content.items():
        files.write_whole(files.join(plan.output, name), content)
    return published.ledger


def published_files(plan: Plan, states: Mapping[str, SourceState]) -> Published:
    """Return what `publish` writes about the sources of a build, from their states."""
    ordered = [states[config] for config in plan.identity.sources]
    tallies = [item for state in ordered for item in state.tally]
    ledger = ledger_of(dict(tallies), plan.identity.guard)
    content = {LEDGER: ledger.model_dump_json(indent=2, exclude_defaults=True).encode()}
    if ledger.unreadable_files() or ledger.problems():
        return Published(ledger, content)
    shards = [shard for state in ordered for shard in state.shards]
    manifest = Manifest(
        identity=plan.identity,
        shards=sorted(shards, key=lambda shard: shard.path),
        rejected={
            config: state.rejected for config, state in sorted(states.items()) if state.rejected
        },
        short_categories=_nested(item for state in ordered for item in state.short),
    )
    content[CARD] = card_of(plan, manifest, ledger)
    content[MANIFEST] = manifest.model_dump_json(indent=2).encode()
    return Published(ledger, content)


def _states_of(plan: Plan, findings: Findings) -> dict[str, SourceState]:
    """Return the states of the sources that were read."""
    rejected = dict(findings.rejected)
    return {
        config: SourceState(
            inputs={
                split: plan.inputs[name, split] for name, split in plan.inputs if name == config
            },
            shards=tuple(
                sorted(
                    (shard for shard in findings.shards if shard.config == config),
                    key=lambda shard: shard.path,
                )
            ),
            tally=tuple(sorted(item for item in findings.tallies if item[0][0] == config)),
            short=tuple(sorted(item for item in findings.short if item[0][0] == config)),
            rejected=rejected.get(config, 0),
            rejected_bytes=rejected_bytes(plan.output, config),
        )
        for config in plan.identity.sources
        if config not in plan.finished
    }


def _check_rejected(ledger: Ledger, lines: Mapping[str, int], made: Collection[str]) -> None:
    for source in sorted((ledger.sources.keys() & made) | lines.keys()):
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
            stage.rejected | f"Sort{number}" >> beam.ParDo(SortRejections(self.plan.spool))
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
