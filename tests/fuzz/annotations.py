"""Damaged annotation files and pickles, one at a time; see `passage` for what must hold.

A case is a number: it chooses a target, a file, operators and a limit, by the seed and nothing
else. `annotations-world:317` is case 317 on the sample world.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz.mutate import Mutation, mutate
from tests.fuzz.passage import Passage, pass_through
from tests.fuzz.result import Result, faults_in
from tests.fuzz.targets import Target
from tests.fuzz.watch import outlasted_threads, watched

_PARTS_SHARE = 0.1  # of cases that are also read in parts
_LIMIT_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Case:
    """A damaged file of a target."""

    name: str  # "annotations-world:317"
    target: Target
    path: Path  # below the root
    mutation: Mutation
    limit: int | None = None
    parts: int = 1


def case_of(targets: Sequence[Target], kind: str, number: int, seed: int) -> Case:
    """Return the case with a number."""
    chance = Random(f"annotations {seed} {number}")
    target = targets[number % len(targets)]
    first = target.files[: len({split.split for split in target.whole_plan.splits})]
    path = chance.choice(first if chance.random() < 0.5 else target.files)
    others = [content for other, content in target.contents.items() if other != path]
    made = str(target.folder / "made")
    mutation = mutate(target.contents[path], path.suffix, chance, others[:8], made)
    return Case(
        name=f"annotations-{kind}:{number}",
        target=target,
        path=path,
        mutation=mutation,
        limit=2 if chance.random() < _LIMIT_SHARE else None,
        parts=3 if chance.random() < _PARTS_SHARE else 1,
    )


def run_case(case: Case, content: bytes | None = None) -> Result:
    """Return the outcome of a case, or of the same case with other content of its file."""
    target, began, passages = case.target, time.monotonic(), [Passage()]
    faults: list[str] = []
    damage = case.mutation.content if content is None else content
    with (
        target.damaged(case.path, damage),
        watched(target.whole, target.folder) as seen,
        outlasted_threads(),
        faults_in(faults),
    ):
        passages.append(pass_through(target, case.path, limit=case.limit, parts=case.parts))
    if (target.folder / "made").exists():
        (target.folder / "made").unlink()
        faults.append("a pickle was executed")
    passage = passages[-1]
    return Result(
        case=case.name,
        target=target.name,
        file=str(case.path),
        operators=case.mutation.operators,
        outcome="failed" if len(passages) == 1 else passage.outcome,
        reasons=dict(passage.reasons),
        faults=[*faults, *passage.faults, *seen.faults],
        seconds=time.monotonic() - began,
    )


def run_cases(
    targets: Sequence[Target], kind: str, numbers: Iterable[int], seed: int
) -> Iterator[Result]:
    """Yield the outcome of each case."""
    for number in numbers:
        yield run_case(case_of(targets, kind, number, seed))


def shrunk(case: Case, tries: int = 120) -> bytes:
    """Return a shorter content that fails in the same way, found by leaving parts out."""
    content, way = case.mutation.content, _way(run_case(case))
    size = len(content) // 2
    while size >= 1 and tries > 0:
        start = 0
        while start < len(content) and tries > 0:
            shorter = content[:start] + content[start + size :]
            tries -= 1
            if _way(run_case(case, shorter)) == way:
                content = shorter
            else:
                start += size
        size //= 2
    return content


def _way(result: Result) -> str:
    """Return the kind of the first fault: its words before any value."""
    return result.faults[0].partition(":")[0][:40] if result.faults else ""
