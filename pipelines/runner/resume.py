"""The sources that a run keeps as an earlier run has left them, so that they are not read."""

from dataclasses import replace

from pipelines.output.check import HALF_WRITTEN, Held
from pipelines.output.reader import is_shard
from pipelines.output.source_state import load_source_state
from pipelines.plan import Plan
from pipelines.publish import published_files
from pipelines.shards.inputs import input_digests
from pipelines.shards.options import InputDigests
from pipelines.shards.state import finished_shards
from pipelines.storage import files
from schemas.console import notice
from schemas.layout import IDENTITY


def resumed(plan: Plan, held: Held, *, again: bool = False) -> Plan:
    """Return a plan that keeps the finished sources of an output.

    The folders of pictures are listed. A source is finished if nothing of it has changed, none of
    its shards is missing, and all its pictures could be read. It keeps its builder.

    Args:
        plan: the plan of the run.
        held: the build in the output.
        again: whether all sources are read, finished or not.
    """
    before = held.identity.sources if held.identity else {}
    recorded = {config: before[config] for config in held.configs}
    sources = plan.identity.sources
    as_recorded = plan.identity.model_copy(update={"sources": sources | recorded})
    inputs = input_digests(as_recorded, plan.splits, plan.output)
    shards = finished_shards(plan.output, inputs) if recorded else frozenset()
    finished = {}
    for config in sorted(recorded) if not again else ():
        of_config = {split: digests for (name, split), digests in inputs.items() if name == config}
        if state := load_source_state(plan.output, config, of_config, shards):
            finished[config] = state
    kept = {config: recorded[config] for config in finished}
    identity = plan.identity.model_copy(update={"sources": sources | kept})
    return replace(
        plan,
        identity=identity,
        inputs={
            key: InputDigests(identity.digest_of(key[0]), digests.pictures)
            for key, digests in inputs.items()
        },
        finished=finished,
    )


def is_up_to_date(plan: Plan, held: Held) -> bool:
    """Return whether an output is just what a run of a resumed plan would leave."""
    if plan.unfinished or any(HALF_WRITTEN.fullmatch(name) for name in held.names):
        return False
    expected = published_files(plan, plan.finished).content
    expected[IDENTITY] = plan.identity.as_json()
    shards = {shard.path for state in plan.finished.values() for shard in state.shards}
    return {name for name in held.names if is_shard(name)} == shards and all(
        name in held.names and files.FileStore().read(files.join(plan.output, name)) == content
        for name, content in expected.items()
    )


def print_kept(plan: Plan) -> None:
    """Say on standard error which sources are kept, before any result."""
    if plan.finished:
        kept = ", ".join(plan.finished)
        line = f"kept as finished: {kept}" if plan.unfinished else "up to date: nothing is read"
        notice(line)
