"""The verification of a whole build, in order:

1. The manifest is read; without a manifest there is nothing to compare with.
2. The folder holds the shards that the manifest lists, and nothing else that is read as data.
3. Every shard is read once, in parallel: bytes, stream, rows, provenance, pictures.
4. Ids are unique over all shards.
5. The identity, the ledger, the rejected items and the card agree with the manifest.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from pipelines.output.reader import read_manifest
from pipelines.runner.pool_processes import ended_children, follow_parent
from pipelines.storage import files
from pipelines.storage.store_client import store_options, use_store_options
from pipelines.verify.card import card_problems
from pipelines.verify.identity import identity_problems, stamp_of
from pipelines.verify.ids import repeated_ids
from pipelines.verify.ledger import ledger_problems
from pipelines.verify.listing import entry_problems, listing_problems
from pipelines.verify.owners import owners_folders
from pipelines.verify.picture import Roots
from pipelines.verify.shard import Finding, Job, verify_shard
from schemas.console.libraries import start_quietly
from schemas.errors import InputFileError, NoOutputError, VerifyError

T = TypeVar("T")
U = TypeVar("U")

OnProgress = Callable[[int, int], None]  # records done, records in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a verification."""

    problems: list[str]  # each names a file and, where there is one, a row
    rows: int
    shards: int
    bytes: int  # totals over the shards that were read

    @property
    def ok(self) -> bool:
        """True where the build has no problem."""
        return not self.problems


def verify(
    output: str,
    *,
    workers: int = 1,
    image_root: str | None = None,
    data_root: str | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Return the report on a finished build, after reading all of it again.

    Args:
        output: the folder of the build.
        workers: the number of processes that read shards.
        image_root: the folder of the pictures that records only refer to; None: such pictures
            are not read.
        data_root: the folder of the owners' files; None: images are not compared with theirs.
        on_progress: called after each shard.

    Raises:
        NoOutputError: no build has written into the folder.
        VerifyError: the manifest is missing or unreadable, or a worker process died.
    """
    try:
        manifest = read_manifest(output)
    except NoOutputError:
        raise
    except InputFileError as error:
        raise VerifyError(str(error)) from None
    sizes = files.FileStore().sizes(output)
    problems = list(listing_problems(manifest, sizes))
    if files.is_local(output):
        problems += entry_problems(output)
    recipe = manifest.identity.recipe
    jobs = [
        Job(
            output=output,
            shard=shard,
            size=sizes[path],
            images=recipe.get("images", "embed"),
            roots=Roots(
                referenced=image_root or data_root,
                owners=owners_folders(data_root, manifest.identity, shard.config, shard.split)
                if data_root
                else (),
            ),
            owners_masks=recipe.get("masks", "annotated") == "annotated",
            stamp=stamp_of(manifest.identity, shard.config),
            evaluation=recipe.get("evaluation", False),
            counted="max_words" in recipe,  # programs without that setting counted no turns
        )
        for path, shard in {shard.path: shard for shard in manifest.shards}.items()
        if path in sizes
    ]
    findings = _findings(jobs, workers, on_progress)
    problems += [line for finding in findings for line in finding.problems]
    problems += repeated_ids(output, findings)
    problems += identity_problems(output, manifest.identity)
    problems += ledger_problems(output, manifest)
    problems += card_problems(output, manifest)
    return Report(
        problems=problems,
        rows=sum(finding.rows for finding in findings),
        shards=len(findings),
        bytes=sum(finding.bytes for finding in findings),
    )


def _findings(jobs: Sequence[Job], workers: int, on_progress: OnProgress | None) -> list[Finding]:
    findings: list[Finding] = []
    done, total = 0, sum(job.shard.rows for job in jobs)
    for job, finding in zip(jobs, spread(verify_shard, jobs, workers), strict=True):
        findings.append(finding)
        done += job.shard.rows
        if on_progress:
            on_progress(done, total)
    return findings


def prepare(parent: int, options: Mapping[str, Any]) -> None:
    """Set up a worker process like the process that started it."""
    follow_parent(parent)
    use_store_options(options)


def spread(function: Callable[[T], U], jobs: Sequence[T], workers: int) -> Iterator[U]:
    """Yield the results of a function for each job, in order; several processes compute them."""
    if workers == 1 or len(jobs) < 2:
        yield from map(function, jobs)
        return
    count = min(workers, len(jobs))
    setting = os.getpid(), store_options()
    begin = partial(start_quietly, prepare.__module__, prepare.__name__, *setting)
    spawn = get_context("spawn")
    with ProcessPoolExecutor(count, spawn, begin) as pool, ended_children():
        try:
            yield from pool.map(function, jobs)
        except BrokenProcessPool:
            raise VerifyError(
                "a worker process died; if it was killed for want of memory, use fewer --workers"
            ) from None
