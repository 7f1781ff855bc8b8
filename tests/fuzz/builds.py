"""Damaged inputs in whole builds: one annotation file at a time, pictures by the hundred.

A build runs as the command does, in one process, and its output is verified. It either ends with
one of the project's errors, or what it made is sound: `verify` has nothing to say, and every
picture is in a record or among the rejections.
"""

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from pipelines.datasets.spec import SourceRequest
from pipelines.output.reader import read_ledger, read_rejections
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from schemas.errors import BuildError, RegionForgeError
from schemas.manifest import ImagesMode
from tests.fuzz.annotations import Case, case_of
from tests.fuzz.pictures import Gallery
from tests.fuzz.result import Result, faults_in
from tests.fuzz.targets import Target
from tests.fuzz.watch import watched

MEMORY_BYTES = 2 << 30  # of a build: it may decode two pictures of 80 million pixels
_FIRST = 1_000_000  # the number of the first case: others than those of `annotations`


def run_builds(targets: Sequence[Target], numbers: Iterable[int], seed: int) -> Iterator[Result]:
    """Yield the outcome of builds of damaged annotation files."""
    for number in numbers:
        case = case_of(targets, "world", _FIRST + number, seed)
        yield _build_damaged(case, f"builds:{number}")


def _build_damaged(case: Case, name: str) -> Result:
    target, began, faults = case.target, time.monotonic(), list[str]()
    target.files  # noqa: B018 - found before anything is damaged
    output = target.folder.with_name("output")
    shutil.rmtree(output, ignore_errors=True)
    outcome, reasons = "failed", Counter[str]()
    with (
        target.damaged(case.path, case.mutation.content),
        watched(target.whole, target.folder.parent, memory=MEMORY_BYTES, pipeline=True) as seen,
        faults_in(faults),
    ):
        try:
            launch(target.plan(output, limit=case.limit), LaunchOptions())
            outcome = "built"
            faults += verify(str(output)).problems[:5]
        except RegionForgeError as error:
            outcome = f"refused: {type(error).__name__}"
            faults += _odd_refusal(str(error), case.path)
        if (output / "ledger.json").exists():
            faults += read_ledger(str(output)).problems()
            reasons = reasons_of(output, target.request.name)
    faults += seen.faults
    shutil.rmtree(output, ignore_errors=True)
    return Result(
        case=name,
        target=f"build {target.name}",
        file=str(case.path),
        operators=case.mutation.operators,
        outcome=outcome,
        reasons=dict(reasons),
        faults=faults,
        seconds=time.monotonic() - began,
    )


def _odd_refusal(message: str, path: Path) -> Iterator[str]:
    """Yield what is wrong with an error that ends a build."""
    named = path.name in message or "nothing" in message or "pictures" in message
    if not named or "balance" in message or "Traceback" in message:
        yield f"ends with {message!r:.400}"


def reasons_of(output: Path, source: str) -> Counter[str]:
    """Return how often each code is in an output's ledger, repairs included."""
    reasons: Counter[str] = Counter()
    for _, account in read_ledger(str(output)).accounts():
        reasons.update({str(reason): number for reason, number in account.rejected.items()})
        reasons.update({f"repaired {code}": n for code, n in account.repaired.items()})
    return reasons


def run_pictures(folder: Path, numbers: Iterable[int], seed: int) -> Iterator[Result]:
    """Yield the outcome of builds of pictures, most of which are damaged."""
    for number in numbers:
        chance = Random(f"pictures {seed} {number}")
        yield _build_pictures(folder, f"pictures:{number}", chance)


def _build_pictures(folder: Path, name: str, chance: Random) -> Result:
    began, faults = time.monotonic(), list[str]()
    gallery = Gallery(folder / "gallery", chance)
    gallery.hang()
    output = folder / "output"
    request = SourceRequest(
        name="coco", annotations=str(gallery.file), images=str(gallery.folder), label_set="Things"
    )
    images: ImagesMode = "embed" if chance.random() < 0.7 else "reference"
    recipe = Recipe(sources=(request,), images=images, allow_missing=True, guard=False)
    reasons, outcome = Counter[str](), "failed"
    with watched(folder, memory=MEMORY_BYTES, pipeline=True) as seen, faults_in(faults):
        try:
            launch(make_plan(recipe, "", str(output)), LaunchOptions())
            outcome = "built"
        except BuildError as error:
            faults.append(f"ends with {error!s:.300}")
        faults += verify(str(output)).problems[:5]  # pictures that are referred to are not opened
        reasons = reasons_of(output, "coco")
        faults += _lost(output, gallery.names)
    faults += seen.faults
    shutil.rmtree(output, ignore_errors=True)
    shutil.rmtree(gallery.folder)
    return Result(
        case=name,
        target=f"pictures, {images}",
        operators=gallery.operators,
        outcome=outcome,
        reasons=dict(reasons),
        faults=faults,
        mutations=len(gallery.operators),
        seconds=time.monotonic() - began,
    )


def _lost(output: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield a fault for pictures that are neither kept nor rejected."""
    ledger = read_ledger(str(output))
    kept = sum(
        account.kept for (*_, stage, kind), account in ledger.accounts()
        if (stage, kind) == ("write", "image")
    )  # fmt: skip
    lines = read_rejections(str(output), "coco")
    rejected = sum(rejection.kind == "image" for rejection in lines)
    if kept + rejected != len(names):
        yield f"{len(names)} pictures, of which {kept} are kept and {rejected} rejected"
