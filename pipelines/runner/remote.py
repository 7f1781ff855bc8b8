"""The paths of a build on machines that share no disk with this one."""

from collections.abc import Iterator

from pipelines.plan import Plan
from pipelines.storage import files
from schemas.errors import UsageError

_REMOTE_RUNNERS = ("dataflowrunner",)  # whose workers are never this machine


def check_paths(plan: Plan, runner: str) -> None:
    """Raise `UsageError` for a local path of a plan, where no worker of the runner can reach it."""
    if runner.rpartition(".")[2].casefold() not in _REMOTE_RUNNERS:
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
