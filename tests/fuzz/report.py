"""The report of a fuzz run: what was damaged, what became of it, and every fault.

A run leaves its results, a line of JSON each, and what else its report says, so that the reports of
several runs, each of some stages, add up to one.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.rejection import Reason, Repair
from tests.fuzz.result import Result

RESULTS, _RUN = "results.jsonl", "run.json"
_SLOWEST = 5
_LISTED = 60  # faults


@dataclass(slots=True)
class Report:
    """The counts of a run."""

    seed: int
    seconds: float = 0.0
    cases: Counter[str] = field(default_factory=Counter)  # by target
    mutations: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    operators: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    faulty: list[Result] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # cases that time was short for
    busy: Counter[str] = field(default_factory=Counter)  # seconds, by stage

    def add(self, result: Result) -> None:
        """Count a result."""
        self.cases[result.target] += 1
        self.mutations[result.target] += result.mutations
        self.outcomes[result.target][result.outcome] += 1
        self.operators.update(result.operators)
        self.reasons.update(result.reasons)
        self.busy[result.case.partition(":")[0]] += result.seconds  # type: ignore[assignment]
        self.slowest = sorted([*self.slowest, (result.seconds, result.case)])[-_SLOWEST:]
        if result.faults:
            self.faulty.append(result)

    def save(self, folder: Path) -> None:
        """Write what the results do not say."""
        run = {"seed": self.seed, "seconds": self.seconds, "left_out": self.left_out}
        (folder / _RUN).write_text(json.dumps(run), encoding="utf-8")

    def text(self, folder: Path) -> str:
        """Return the report as plain text."""
        return "\n".join(self._lines(folder))

    def _lines(self, folder: Path) -> Iterator[str]:
        total, faulty = sum(self.mutations.values()), len(self.faulty)
        yield (
            f"{total:,} mutations in {sum(self.cases.values()):,} cases, seed {self.seed}, "
            f"{self.seconds / 60:.1f} minutes: {faulty} faults"
        )
        if self.left_out:
            yield f"NOT RUN, for the time was up: {_listed(self.left_out)}"
        yield f"\n{'damaged':28} {'cases':>6} {'mutations':>9}  outcomes"
        for target in sorted(self.cases):
            outcomes = ", ".join(f"{n} {name}" for name, n in self.outcomes[target].most_common())
            yield f"{target:28} {self.cases[target]:6} {self.mutations[target]:9}  {outcomes}"
        yield "\noperators: " + _listed(self.operators)
        yield "reason codes: " + _listed(self.reasons)
        yield from self._coverage()
        yield "seconds: " + ", ".join(f"{name} {number:.0f}" for name, number in self.busy.items())
        yield "slowest: " + ", ".join(f"{case} {took:.1f} s" for took, case in self.slowest[::-1])
        for result in sorted(self.faulty, key=lambda result: result.case)[:_LISTED]:
            yield f"\nFAULT {result.target} {result.file} {', '.join(result.operators)}"
            yield from (f"    {fault:.400}" for fault in result.faults[:3])
            command = f"python -m tests.fuzz --seed {self.seed} --case {result.case}"
            yield f"    {command}"
        yield f"\nresults and failures: {folder}"

    def _coverage(self) -> Iterator[str]:
        codes = {str(code) for code in Reason}
        repairs = {f"repaired {code}" for code in Repair}
        reached = codes & self.reasons.keys()
        yield (
            f"reached {len(reached)} of {len(codes)} reason codes, "
            + (f"{len(repairs & self.reasons.keys())} of {len(repairs)} repairs; not reached: ")
            + ", ".join(sorted(codes - reached) + sorted(repairs - self.reasons.keys()))
        )


def joined(folders: Sequence[Path]) -> Report:
    """Return the reports of runs with one seed as one; a case that several ran counts once."""
    runs = [json.loads((folder / _RUN).read_text(encoding="utf-8")) for folder in folders]
    (seed,) = {run["seed"] for run in runs}
    report = Report(seed=seed, seconds=sum(run["seconds"] for run in runs))
    seen = set[str]()
    for folder, run in zip(folders, runs, strict=True):
        report.left_out.update(run["left_out"])
        for line in (folder / RESULTS).read_text(encoding="utf-8").splitlines():
            result = Result.from_line(line)
            if result.case not in seen:
                report.add(result)
            seen.add(result.case)
    return report


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())
