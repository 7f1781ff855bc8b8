"""Runs of `recap` that are killed: the same bytes in the end, and no call paid for twice.

The server is a process of its own, whose log says how often each request was answered. A call that
was on its way when the run was killed is made again, and no other: of a case, as many as calls may
be in flight. Half of the runs are killed twice.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from bench.stub_process import StubServer
from tests.fuzz.kills import ENDING_MAY_TAKE, differences, digests, ended, faults_of_ending, forked
from tests.fuzz.processes import members
from tests.fuzz.recap_runs import CONCURRENCY, recap
from tests.fuzz.result import Result

_ANSWER_SECONDS = 0.01


def run_recap_kills(
    world: Path, folder: Path, numbers: Iterable[int], seed: int
) -> Iterator[Result]:
    """Yield the outcome of each case."""
    server = StubServer(folder / "server", {"delay": _ANSWER_SECONDS})
    try:
        calm = folder / "calm"
        assert faults_of_ending(_started(world, calm, server), calm) == []
        calls = _answered(server)
        assert max(calls.values()) == 1
        for number in numbers:
            chance = Random(f"recap-kills {seed} {number}")
            yield _killed(world, folder / f"killed-{number}", server, chance, (calm, calls))
    finally:
        server.stop()


def _started(world: Path, output: Path, server: StubServer) -> int:
    return forked(lambda: recap(world, output, server.url), output)


def _answered(server: StubServer) -> Counter[str]:
    return Counter({name: n for name, n in server.answered().items() if "canary" not in name})


def _killed(
    world: Path, output: Path, server: StubServer, chance: Random, calm: tuple[Path, Counter[str]]
) -> Result:
    began, faults, moments = time.monotonic(), list[str](), list[str]()
    server.forget()
    kills = chance.choice([1, 2])
    for goal in sorted(chance.randrange(calm[1].total() + 8) for _ in range(kills)):
        process = forked(lambda: recap(world, output, server.url), output)
        _wait(process, server, goal)
        moments.append(f"{_answered(server).total()} of {calm[1].total()} calls")
        for pid in members(process):
            os.kill(pid, signal.SIGKILL)
        ended(process)
    faults += faults_of_ending(_started(world, output, server), output)
    faults += differences(digests(calm[0]), digests(output))
    calls = _answered(server)
    if calls.keys() != calm[1].keys():
        faults.append(
            f"calls that a calm run does not make, or lacks: {calls.keys() ^ calm[1].keys()}"
        )
    if (again := calls.total() - len(calls)) > kills * CONCURRENCY:
        faults.append(f"{again} calls are made again after {kills} kills")
    faults += [f"{n} answers to {name} are noted" for name, n in _noted(output).items() if n > 1]
    return Result(
        case=f"recap-kills:{output.name.rpartition('-')[2]}",
        target="kill: recap",
        operators=("recap",) * kills,
        outcome="killed" if kills == 1 else "killed twice",
        file=", ".join(moments),
        faults=faults,
        mutations=kills,
        seconds=time.monotonic() - began,
    )


def _wait(process: int, server: StubServer, goal: int) -> None:
    """Wait until a run has asked so much, or has ended."""
    end = time.monotonic() + ENDING_MAY_TAKE
    while _answered(server).total() < goal and members(process) and time.monotonic() < end:
        time.sleep(0.005)


def _noted(output: Path) -> Counter[str]:
    """Return how often the journals hold each answer."""
    paths = output.glob("_state/captions/*/*.jsonl")
    lines = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
    return Counter(line["id"] for line in lines if line["type"] == "answer")
