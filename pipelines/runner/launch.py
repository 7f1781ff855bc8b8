"""The launch of a build on a runner, such that every failure ends the build with an error."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
)
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.job.utils import dict_to_struct
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
    FnApiRunner,
)
from apache_beam.runners.runner import PipelineResult, PipelineRunner, create_runner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from pipelines.build import build
from pipelines.output.begin import begin
from pipelines.output.check import Rebuild, check_output
from pipelines.output.finish import finish
from pipelines.output.lock import locked_output
from pipelines.plan import Plan
from pipelines.preflight.room import check_room
from pipelines.publish import Findings, publish
from pipelines.runner.group_pieces import groups_in_pieces
from pipelines.runner.lossless_streams import lossless_streams
from pipelines.runner.probe import probe
from pipelines.runner.process_state import removed_folders, tuned_memory
from pipelines.runner.progress import build_display
from pipelines.runner.remote import LOCAL_RUNNERS, check_paths, is_remote
from pipelines.runner.resume import (
    earlier_shards,
    is_up_to_date,
    print_kept,
    print_renewed,
    resumed,
)
from pipelines.runner.services import check_services, options_of
from pipelines.runner.signs_of_life import Watch, watch_for
from pipelines.runner.staging import stage_package
from pipelines.runner.watched_run import run_watched
from pipelines.runner.worker_pool import WorkerPool, ready_workers, socket_folder
from pipelines.storage.spool import spool_folder
from pipelines.storage.store_client import store_options
from schemas.console import detail
from schemas.errors import BuildError, RegionForgeError, UsageError
from schemas.manifest import Manifest

Layout = Callable[[beam.Pipeline, Plan, int], None]  # the int: number of parts of a split to read

_CANCEL_SECONDS = 10.0
_REMOTE_PARTS = 16  # readers per annotation file on remote runners, which scale by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """The options of a run of a build; none of them changes the bytes of the shards."""

    runner: str = "local"
    workers: int = 1  # number of processes of a local run
    rebuild: Rebuild = False  # what an existing build in the output is replaced of
    update: bool | None = None  # see `check_output`
    keep: str | None = None  # a folder in the output that a rebuild keeps
    again: bool = False  # read sources that are finished, too
    asks_servers: bool = False  # whose patience has limits of its own
    beam_flags: Sequence[str] = ()
    fork: bool = False  # whether workers may be forked: only where no other threads run

    @property
    def in_this_process(self) -> bool:
        """Whether no other process works on the run."""
        return self.runner in LOCAL_RUNNERS and self.workers == 1

    @property
    def template(self) -> str | None:
        """The path of a template to write, of which the pipeline runs later; None: it runs now."""
        return PipelineOptions(list(self.beam_flags)).view_as(GoogleCloudOptions).template_location

    def parts(self) -> int:
        """Return the number of parts of a split that are read in parallel."""
        return self.workers if self.runner in LOCAL_RUNNERS else _REMOTE_PARTS


def launch(plan: Plan, options: LaunchOptions, lay_out: Layout = build) -> Manifest:
    """Run a build to its end and return its manifest.

    Args:
        plan: the plan of the build.
        options: the options of the run.
        lay_out: function that adds the stages to the pipeline.

    Raises:
        UsageError: the runner cannot reach a path, or loses what a build needs.
        BuildError: the disk is too small, the output holds another build, a worker died, an input
            could not be read, nothing was kept, most pictures of a split are missing, or the ledger
            does not balance.
    """
    with _begun(plan, options) as (plan, up_to_date):
        earlier = {} if up_to_date else earlier_shards(plan)
        if not up_to_date:
            _make(plan, options, lay_out)
        manifest = finish(plan.output, plan.identity, allow_missing=plan.recipe.allow_missing)
        print_renewed(plan, earlier, manifest)
        return manifest


def write_template(plan: Plan, options: LaunchOptions) -> None:
    """Have a runner write the template of a build, whose pipeline then runs without this process.

    Args:
        plan: the plan of the build.
        options: the options of the run, which name the template's path to Beam.

    Raises:
        UsageError: the runner cannot reach a path, or does not start.
        BuildError: the output holds another build, or nothing is left to do.
    """
    with _begun(plan, options) as (plan, _):
        if not plan.unfinished:
            raise BuildError(f"{plan.output} holds all shards already: there is nothing to run")
        _make(plan, options, build)


@contextmanager
def _begun(plan: Plan, options: LaunchOptions) -> Iterator[tuple[Plan, bool]]:
    """Lock the output and begin a build there; yield the rest of its plan, and if it is whole."""
    check_paths(plan, options.runner)
    with locked_output(plan.output):
        held = check_output(
            plan.output, plan.identity, rebuild=options.rebuild, update=options.update
        )
        plan = resumed(plan, held, again=options.again)
        print_kept(plan)
        up_to_date = is_up_to_date(plan, held)
        if not up_to_date:
            plan.check_rest()
            check_room(plan.output, plan.estimate, spools=options.runner in LOCAL_RUNNERS)
            begin(plan.output, plan.identity, held, finished=plan.finished, keep=options.keep)
        plan.digests.save(plan.output)
        yield plan, up_to_date


def check_launch(options: LaunchOptions) -> None:
    """Raise `UsageError` for a runner that does not exist, lacks flags or does not answer.

    The same for local workers that would find no folder for their socket.
    """
    if options.template and not is_remote(options.runner):
        raise UsageError(
            f"--template_location is for DataflowRunner, not --runner {options.runner}"
        )
    if options.runner not in LOCAL_RUNNERS:
        check_services(options.beam_flags)
        with removed_folders():
            runner = _named_runner(options.runner)
            with _starting(options):
                beam.Pipeline(runner, options=_pipeline_options(options))
    elif options.workers > 1:
        socket_folder()


def _make(plan: Plan, options: LaunchOptions, lay_out: Layout) -> None:
    """Make all that an output lacks: shards by a pipeline, if any, then the other files."""
    if not plan.unfinished:
        publish(plan, Findings())
        return
    with (
        _spooled(plan, options) as plan,
        tuned_memory(),
        lossless_streams(),
        groups_in_pieces(),
        _started_runner(options) as (runner, pool),
        removed_folders(),
        build_display() as ticker,
    ):
        is_watched = options.runner in LOCAL_RUNNERS and not options.asks_servers
        display = ticker if is_watched else None
        workers = watch_for(options.runner, options.beam_flags, plan.output)
        jobs: list[PipelineResult] = []
        work = partial(_run, lay_out, plan, options, runner, workers, jobs)
        try:
            run_watched(work, plan.output, pool, display, workers)
        except RegionForgeError:
            for job in jobs:  # on other machines, which write on otherwise
                _cancel(job)
            raise


def _cancel(job: PipelineResult) -> None:
    """Cancel a job, as far as its engine answers; the run's own error is the one to show."""

    def ask() -> None:
        with suppress(Exception):
            job.cancel()

    asking = threading.Thread(target=ask, name="cancel", daemon=True)
    asking.start()
    asking.join(_CANCEL_SECONDS)


@contextmanager
def _spooled(plan: Plan, options: LaunchOptions) -> Iterator[Plan]:
    """Yield a plan that lets what is grouped wait on disk, if it is grouped in this machine."""
    if options.runner not in LOCAL_RUNNERS:
        yield plan
        return
    with spool_folder(plan.output) as folder:
        yield replace(plan, spool=folder)


@contextmanager
def _started_runner(options: LaunchOptions) -> Iterator[tuple[PipelineRunner, WorkerPool | None]]:
    """Yield a runner, and its local worker processes if it has any."""
    if options.runner not in LOCAL_RUNNERS:
        yield _named_runner(options.runner), None
    elif options.workers == 1:
        yield FnApiRunner(), None
    else:
        fork = options.fork and threading.active_count() == 1  # stores' clients have threads
        with ready_workers(options.workers, fork=fork) as pool:
            environment = SubprocessSDKEnvironment.from_command_string(pool.command)
            # The runner itself keeps the flags from its workers, which open stores by them.
            settings = beam_provision_api_pb2.ProvisionInfo(
                pipeline_options=dict_to_struct(store_options())
            )
            yield (
                FnApiRunner(
                    default_environment=environment, provision_info=ExtendedProvisionInfo(settings)
                ),
                pool,
            )


def _named_runner(name: str) -> PipelineRunner:
    try:
        return create_runner(name)
    except ValueError as error:  # the message lists all runners
        raise UsageError(f"--runner {name}: {error}") from None


def _run(
    lay_out: Layout,
    plan: Plan,
    options: LaunchOptions,
    runner: PipelineRunner,
    workers: Watch | None,
    jobs: list[PipelineResult],
) -> None:
    """Run the pipeline; a job that goes on elsewhere is added to the list once it is started."""
    with _starting(options):
        if options.runner not in LOCAL_RUNNERS:
            probe(runner, _pipeline_options(options), plan.output)
        pipeline = beam.Pipeline(runner, options=_pipeline_options(options))
    lay_out(pipeline, plan, options.parts())
    if workers:
        workers.fit(pipeline)
    with _starting(options):
        running = pipeline.run()
    if options.template:
        return
    jobs.append(running)
    if workers:
        workers.begin()
    running.wait_until_finish()


@contextmanager
def _starting(options: LaunchOptions) -> Iterator[None]:
    """Turn errors at the start of a remote runner into `UsageError`; most are missing flags."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        if options.runner in LOCAL_RUNNERS:
            raise
        detail(str(error))
        cause = error.details() if isinstance(error, grpc.Call) else error
        raise UsageError(f"--runner {options.runner} did not start: {cause}") from error


def _pipeline_options(options: LaunchOptions) -> PipelineOptions:
    pipeline_options = options_of(options.beam_flags)
    if options.runner in LOCAL_RUNNERS:
        pipeline_options.view_as(DirectOptions).direct_num_workers = options.workers
    pipeline_options.view_as(SetupOptions).save_main_session = False
    if is_remote(options.runner):
        stage_package(pipeline_options)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # errors are raised as exceptions
    return pipeline_options
