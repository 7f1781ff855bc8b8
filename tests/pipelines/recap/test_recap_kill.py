"""Runs killed at any moment: nothing is lost or doubled, and no call repeated that need not be."""

import json
import os
import random
import signal
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

FORKED_RUNS = str(Path(__file__).with_name("forked_runs.py"))
KILLS = int(os.environ.get("REGIONFORGE_KILLS", "12"))
SEED = int(os.environ.get("REGIONFORGE_KILLS_SEED", "0"))
CONCURRENCY = 4
ANSWER_SECONDS = 0.02
SHARD_BYTES = 8_000
PROGRAM = f"from runpy import run_path; run_path({FORKED_RUNS!r}, run_name='__main__')"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked")


class Forge:
    """Runs `forked_runs.py`: undisturbed, or killed."""

    def __init__(self, forked, owner, server, *, modern: bool = False) -> None:
        options = {
            "modern": modern,
            "url": server.url,
            "annotations": str(owner.file),
            "pictures": str(owner.pictures),
            "concurrency": CONCURRENCY,
            "shard_bytes": SHARD_BYTES,
        }
        self._forked, self._options, self._server = forked, json.dumps(options), server

    def run(
        self, output: Path, kill_after: float | None = None, *, calls: int = 0
    ) -> tuple[int, float]:
        """Return the exit status of a run and when it ended, seconds of the monotonic clock.

        It is killed some seconds after it has begun, or after so many further calls.
        """
        until = time.monotonic() + 60
        calls += len(self._server.log()) if calls else 0
        started = self._forked(output, self._options, program=PROGRAM)
        while calls and len(self._server.log()) < calls and time.monotonic() < until:
            time.sleep(0.01)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(started.pid, signal.SIGKILL)  # not its group: it may not have made one yet
        status = started.wait().returncode
        return status, time.monotonic()


@pytest.fixture
def forge(forked, coco_file, serve):
    """A forge and its server; a run of it lasts for a second or two."""
    server = serve(delay=ANSWER_SECONDS)
    return Forge(forked, coco_file().good(*range(1, 17)).save(), server), server


def phase(folder: Path, calm: Path) -> str:
    """The phase of a run at which it was killed."""
    if (folder / "manifest.json").exists():
        return "done"
    if not (folder / "_state" / "build.json").exists():
        return "starting"
    if (folder / "_rejected").exists():
        return "publishing"
    journals = list(folder.glob("_state/captions/recapd/*"))
    if not journals:
        return "reading"
    lines = [
        (path.read_bytes(), (calm / path.relative_to(folder)).read_bytes()) for path in journals
    ]
    for kind, name in ((b'"answer"', "captioning"), (b'"score"', "scoring")):
        if any(here.count(kind) < there.count(kind) for here, there in lines):
            return name
    return "writing"


def repeated(server, kills: list[float]) -> Counter[float]:
    """The number of answers that were given again after each kill."""
    by_kill: Counter[float] = Counter()
    answers: dict[str, list[float]] = {}
    for line in server.log():
        if line["status"] == 200:
            answers.setdefault(line["id"], []).append(line["ended"])
    for times in answers.values():
        for before, after in pairwise(times):
            (between, *_) = [moment for moment in kills if before <= moment <= after]
            by_kill[between] += 1
    return by_kill


@pytest.fixture
def modern_forge(forked, coco_file, serve):
    """The same with two pictures a call, samples, answers in parts, and a judge at one server."""
    server = serve(delay=ANSWER_SECONDS)
    owner = coco_file().good(*range(1, 9)).save()
    return Forge(forked, owner, server, modern=True), server


@pytest.mark.timeout(900)  # it starts and kills many processes
def test_runs_killed_at_random_moments(forge, recap_output, tmp_path) -> None:
    runs, server = forge
    phases = check_kills(runs, server, recap_output, tmp_path, at_once=CONCURRENCY)
    assert phases["captioning"]


@pytest.mark.timeout(900)
def test_runs_with_a_judge_killed_at_random_moments(modern_forge, recap_output, tmp_path) -> None:
    runs, server = modern_forge
    # Fewer kills, for these runs last longer; `make fuzz` has many of the kind.
    outputs = recap_output, tmp_path
    phases = check_kills(runs, server, *outputs, at_once=2 * CONCURRENCY, number=KILLS // 2)
    assert phases["captioning"]
    asked = server.answered()
    assert any("/judge/" in each for each in asked)
    assert any("/sample/1/" in each for each in asked)


def check_kills(
    runs, server, recap_output, tmp_path, *, at_once: int, number: int = KILLS
) -> Counter[str]:
    """Check runs that are killed against one that is not, and return the phases they were in.

    `at_once` is the largest number of calls in flight, `number` that of kills.
    """
    chance = random.Random(SEED)
    began = time.monotonic()
    status, ended = runs.run(tmp_path / "calm")
    lasts, calls = ended - began, len(server.log())
    calm = recap_output(tmp_path / "calm")
    assert status == 0
    assert calm.noted() == server.answered()

    phases: Counter[str] = Counter()
    kills: list[float] = []
    rounds, most = 0, 0
    while len(kills) < number:
        rounds += 1
        output = tmp_path / f"killed-{rounds}"
        server.forget()
        kills_of_round: list[float] = []
        while len(kills) + len(kills_of_round) < number and not (output / "manifest.json").exists():
            missing = calls - len(server.answered())
            began = time.monotonic()
            if missing > 0 and len(kills_of_round) % 2 == 0:  # while it captions
                some = chance.randint(1, missing)
                moment = chance.uniform(0.0, ANSWER_SECONDS)
                status, ended = runs.run(output, moment, calls=some)
            else:  # at any time
                status, ended = runs.run(output, chance.uniform(0.0, lasts))
            if status == 0:
                lasts = min(lasts, ended - began)  # for a machine may be less busy than it was
                break
            assert status == -9
            kills_of_round.append(ended)
            phases[phase(output, calm.folder)] += 1
        status, _ = runs.run(output)
        assert status == 0
        killed = recap_output(output)
        assert killed.output.digests() == calm.output.digests()
        assert killed.output.manifest() == calm.output.manifest()
        assert killed.output.ledger() == calm.output.ledger()
        assert killed.rejected() == calm.rejected()
        assert killed.noted() == calm.noted()
        assert server.answered().keys() == calm.noted().keys()
        left = [path.name for path in output.rglob("*")]
        assert [name for name in left if ".tmp-" in name or ".damaged" in name] == []
        again = repeated(server, kills_of_round)
        assert max(again.values(), default=0) <= at_once
        most += again.total()
        kills += kills_of_round
    by_phase = ", ".join(f"{times} {name}" for name, times in phases.most_common())
    print(f"{len(kills)} kills in {rounds} rounds, of {lasts:.1f} s if undisturbed: {by_phase}")
    print(f"{most} calls repeated")
    return phases


def test_there_is_something_to_kill(forge, recap_output, tmp_path) -> None:
    runs, _ = forge
    runs.run(tmp_path / "calm")
    calm = recap_output(tmp_path / "calm")
    assert len(calm.output.digests()) >= 5
    assert Counter(line["type"] for line in calm.journal()) == {"answer": 48, "score": 32}
    assert 5 < len(calm.captions()) < 32
