"""Builds that are killed, stopped, starved of disk or memory: a rerun ends with the same bytes.

Runs are forked from this process, which has everything imported and no thread of its own, so that
all their time is spent on what may be interrupted. A case ends like this: after the harm, the build
is run again to its end, and every file of its output is compared with those of a calm build.

    driver     the process is killed after so many shards
    publish    the same, while card, manifest and ledger are written
    workers    one of two worker processes is killed
    largest    the process of the run that holds most memory is killed
    memory     the run may take no more memory from some moment on (RLIMIT_AS)
    disk       the disk is full from some moment on (a tmpfs); "refused" where none can be mounted
    stopped    all processes are stopped for a while (SIGSTOP, SIGCONT)
"""

import hashlib
import os
import resource
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from schemas.errors import RegionForgeError
from tests.fuzz.processes import largest, members, wait_until_gone, worker_of
from tests.fuzz.result import Result

KINDS = ("driver", "driver", "driver", "driver", "publish", "workers", "largest", "memory", "disk",
         "stopped")  # fmt: skip
SHARD_BYTES = 6_000
ENDING_MAY_TAKE = 120  # seconds
_TMPFS_BYTES = 40 << 20


@dataclass(slots=True)
class Harm:
    """The harm that is done to one build."""

    kind: str
    chance: Random
    world: Path
    output: Path
    shards: int  # of the calm build
    faults: list[str] = field(default_factory=list)
    moment: str = ""  # at which it was done
    ended: str = ""  # how the run ended

    @property
    def workers(self) -> int:
        """The number of worker processes of the harmed run."""
        return 2 if self.kind in {"workers", "largest"} else 1

    def run(self) -> None:
        """Start a run, harm it, and see that it ends."""
        goal = self.shards if self.kind == "publish" else self.chance.randrange(self.shards)
        process = start(self.world, self.output, self.workers)
        status = self._wait_until(process, goal)
        if status is None:
            time.sleep(self.chance.random() / 30)
            self.moment = f"after {shards_in(self.output)} of {self.shards} shards"
            HARMS[self.kind](self, process)
            status = ended(process)
        if status is None:
            self.faults.append(f"does not end within {ENDING_MAY_TAKE} s")
        for pid in members(process):
            os.kill(pid, signal.SIGKILL)
        if status is None:
            status = ended(process)
        self.ended = {-signal.SIGKILL: "killed", 0: "finished"}.get(status or 0, "with an error")
        if left := wait_until_gone(process):
            self.faults.append(f"leaves processes: {left}")

    def _wait_until(self, process: int, goal: int) -> int | None:
        """Wait until a run has so many shards; return its status if it ends before."""
        end = time.monotonic() + ENDING_MAY_TAKE
        while shards_in(self.output) < goal or len(members(process)) < self.workers + 1 > 2:
            pid, status = os.waitpid(process, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                return None
            time.sleep(0.002)
        return None


def start(world: Path, output: Path, workers: int = 1) -> int:
    """Fork a build; return its process."""
    return forked(lambda: build(world, output, workers), output)


def forked(run: Callable[[], None], output: Path) -> int:
    """Fork a run in a session of its own, which speaks into a file; return its process."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(f"{output}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for new, old in ((null, 0), (log, 1), (log, 2)):
            os.dup2(new, old)
        try:
            run()
            status = 0
        except RegionForgeError as error:
            print(f"error: {error}", flush=True)
            status = 1
        except BaseException:
            traceback.print_exc()
            raise
    finally:
        os._exit(status)


def build(world: Path, output: Path, workers: int) -> None:
    """Build two small sources."""
    sources = (
        SourceRequest(name="coco", year=2017, label_set="Shapes-15"),
        SourceRequest(name="visual_genome"),
    )
    recipe = Recipe(sources=sources, shard_bytes=SHARD_BYTES, guard=False, allow_missing=True)
    plan = make_plan(recipe, str(world), str(output), rebuild=False)
    launch(plan, LaunchOptions(workers=workers, fork=True))


def ended(process: int) -> int | None:
    """Return the status of a process when it has ended; None where it does not."""
    end = time.monotonic() + ENDING_MAY_TAKE
    while time.monotonic() < end:
        try:
            pid, status = os.waitpid(process, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def faults_of_ending(process: int, output: Path) -> list[str]:
    """Return a fault where a run that was not harmed does not end well; end it where it is slow."""
    status = ended(process)
    if status == 0:
        return []
    ending = f"ends with {status}"
    if status is None:
        ending = f"does not end within {ENDING_MAY_TAKE} s"
        for pid in members(process):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(process, 0)
    log = Path(f"{output}.log").read_text("utf-8", "replace")
    return [f"the rerun {ending}: {log[-600:]}"]


def shards_in(output: Path) -> int:
    """Return the number of finished shards."""
    return sum(1 for _ in output.glob("*/*.arrow"))


def digests(output: Path) -> dict[str, str]:
    """Return the digest of every file that an output holds, but for what it notes for itself."""
    return {
        name: hashlib.sha256((output / name).read_bytes()).hexdigest()
        for name in sorted(str(path.relative_to(output)) for path in output.rglob("*"))
        if (output / name).is_file() and not name.startswith("_state/")
    }


def differences(expected: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a fault where the files of an output are not those of a calm run."""
    wrong = {path for path in expected | after if after.get(path) != expected.get(path)}
    return [f"differs from a calm run: {sorted(wrong)}"] if wrong else []


def _kill(_: Harm, process: int) -> None:
    os.kill(process, signal.SIGKILL)


def _kill_worker(_: Harm, process: int) -> None:
    if (worker := worker_of(process)) is not None:
        os.kill(worker, signal.SIGKILL)


def _kill_largest(_: Harm, process: int) -> None:
    if (pid := largest(process)) is not None:
        os.kill(pid, signal.SIGKILL)


def _starve(harm: Harm, process: int) -> None:
    """Let a run take hardly any more memory."""
    words = Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()
    limit = int(words[0]) * resource.getpagesize() + harm.chance.choice([0, 1 << 20, 64 << 20])
    _, most = resource.prlimit(process, resource.RLIMIT_AS)
    resource.prlimit(process, resource.RLIMIT_AS, (limit, most))


def _fill(harm: Harm, _: int) -> None:
    """Fill the disk but for a few bytes."""
    filler = harm.output.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))
    os.truncate(filler, max(0, filler.stat().st_size - harm.chance.choice([0, 4_096, 16_384])))


def _stop(harm: Harm, process: int) -> None:
    for name in (signal.SIGSTOP, signal.SIGCONT):
        for pid in members(process):
            os.kill(pid, name)
        time.sleep(harm.chance.random() / 2 if name == signal.SIGSTOP else 0)


HARMS: dict[str, Callable[[Harm, int], None]] = {
    "driver": _kill,
    "publish": _kill,
    "workers": _kill_worker,
    "largest": _kill_largest,
    "memory": _starve,
    "disk": _fill,
    "stopped": _stop,
}


def run_kills(world: Path, folder: Path, numbers: Iterable[int], seed: int) -> Iterator[Result]:
    """Yield the outcome of each harm."""
    calm = folder / "calm"
    process = start(world, calm)
    assert ended(process) == 0, Path(f"{calm}.log").read_text(encoding="utf-8")
    expected, shards = digests(calm), shards_in(calm)
    for number in numbers:
        chance = Random(f"kills {seed} {number}")
        kind = KINDS[number % len(KINDS)]
        with _disk(folder / "disk", mounted=kind == "disk") as disk:
            harm = Harm(kind, chance, world, disk / "output", shards)
            yield _harmed(harm, f"kills:{number}", expected)


def _harmed(harm: Harm, name: str, expected: dict[str, str]) -> Result:
    began = time.monotonic()
    harm.run()
    half = digests(harm.output) if harm.output.exists() else {}
    harm.faults += [
        f"{path} is not as in a calm build, after the harm"
        for path, digest in half.items()
        if path.endswith(".arrow") and expected.get(path) != digest and ".tmp-" not in path
    ]
    (harm.output.parent / "filler").unlink(missing_ok=True)
    message = Path(f"{harm.output}.log").read_text("utf-8", "replace")
    if "Traceback" in message and harm.kind != "memory":
        harm.faults.append(f"traceback: {message[-600:]}")
    process = start(harm.world, harm.output)
    harm.faults += faults_of_ending(process, harm.output) or differences(
        expected, digests(harm.output)
    )
    return Result(
        case=name,
        target=f"kill: {harm.kind}",
        operators=(harm.kind,),
        outcome=harm.ended + ("" if harm.moment else ", before the harm"),
        file=harm.moment,
        faults=harm.faults,
        seconds=time.monotonic() - began,
    )


class _disk:  # noqa: N801 - a context manager, used as a function
    """A folder for an output, which is a disk of its own if asked for."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self._folder, self._mounted = folder, mounted

    def __enter__(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        if self._mounted:
            words = ["mount", "-t", "tmpfs", "-o", f"size={_TMPFS_BYTES}", "tmpfs"]
            subprocess.run([*words, str(self._folder)], check=True)
        return self._folder

    def __exit__(self, *_: object) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)
