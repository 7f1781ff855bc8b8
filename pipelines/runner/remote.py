"""Where runners work: in processes of this machine, on machines that share a disk, or on others."""

from collections.abc import Iterator

from pipelines.plan import Plan
from pipelines.storage import files
from schemas.errors import UsageError

LOCAL_RUNNERS = ("local", "DirectRunner", "FnApiRunner")
_REMOTE_RUNNERS = ("dataflowrunner",)  # whose workers are never this machine


def is_remote(runner: str) -> bool:
    """Return whether the workers of a runner are never this machine, e.g. of Dataflow's."""
    return runner.rpartition(".")[2].casefold() in _REMOTE_RUNNERS


def check_paths(plan: Plan, runner: str) -> None:
    """Raise `UsageError` for a local path of a plan, where no worker of the runner can reach it."""
    if not is_remote(runner):
        return
    for flag, path in _paths(plan):
        if files.is_local(path):
            raise UsageError(
                f"--runner {runner}: {path} is on this machine, and its workers are not. Give "
                f"{flag} in a store, as gs://BUCKET/FOLDER"
            )


def _paths(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the paths that workers use, with the flags that name them."""
    yield "--output", plan.output
    for split in plan.unfinished:
        for path in (*split.files.values(), split.pictures):
            yield "--data-root", path
