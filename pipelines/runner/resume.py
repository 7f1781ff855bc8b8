"""The sources that a run keeps as an earlier run has left them, so that they are not read."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.output.check import HALF_WRITTEN, Held
from pipelines.output.reader import is_shard, sizes_in
from pipelines.output.source_state import load_source_state
from pipelines.plan import Plan
from pipelines.publish import published_files
from pipelines.shards.inputs import input_digests
from pipelines.shards.options import InputDigests
from pipelines.shards.state import finished_shards, load_state
from pipelines.storage import files
from schemas.console import notice
from schemas.layout import IDENTITY, config_of
from schemas.manifest import Manifest


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
    sources = plan.identity.sources
    recorded = {
        config: before[config]
        for config in held.configs
        if before[config].same_as(sources[config])  # else it is updated
    }
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


def earlier_shards(plan: Plan) -> dict[str, str]:
    """Return the SHA-256 of each finished shard of the sources that are read, by path."""
    read = {split.source for split in plan.unfinished}
    sizes = sizes_in(plan.output)
    names = (name for name in sizes if config_of(name) in read)
    states = (load_state(plan.output, name, sizes) for name in names)
    return {state.shard.path: state.shard.sha256 for state in states if state}


def print_renewed(plan: Plan, earlier: Mapping[str, str], manifest: Manifest) -> None:
    """Say on standard error how many shards are new of each source that had finished shards.

    Args:
        plan: the plan of the run.
        earlier: the finished shards before the run, see `earlier_shards`.
        manifest: the manifest after the run.
    """
    for config in dict.fromkeys(split.source for split in plan.unfinished):
        shards = [shard for shard in manifest.shards if shard.config == config]
        kept = sum(earlier.get(shard.path) == shard.sha256 for shard in shards)
        if kept:
            notice(
                f"{config}: {len(shards) - kept:,} of {len(shards):,} shards are new; "
                f"{kept:,} are kept"
            )
