"""The passage of a damaged file through locate, the quick look, parse, screen and compose.

It is all that a build does before it opens pictures, in one process and without a pipeline. What
must hold at its end:

- nothing is raised but the project's own errors, which name the file
- every item that was read is kept, rejected with a reason, or left out: the ledger balances
- every rejection has an id and a detail, is no longer than a few lines, and can be written
- divided for three workers, the file gives the same
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from apache_beam.pvalue import TaggedOutput

from pipelines.divide import Divide, Sharing
from pipelines.images import ComposeImage, PrepareImage
from pipelines.pieces import BinKey, Piece
from pipelines.plan import Plan
from pipelines.read import _DealOut, _ReadBin, _ReadWhole
from schemas.errors import RegionForgeError
from schemas.ledger import Ledger, Stage, Tally, ledger_of
from schemas.limits import MAX_DETAIL_CHARACTERS
from schemas.rejection import Kind, Rejection
from schemas.source import SourceImage, SplitInput
from tests.fuzz.targets import Target
from transforms.ledger import Ledgers

MAX_MESSAGE = 3_000  # characters of an error


@dataclass(slots=True)
class Passage:
    """What became of a damaged file."""

    faults: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)  # codes of rejections and repairs
    outcome: str = "read"  # or the error that the quick look ended with
    images: int = 0


def pass_through(
    target: Target, path: Path, *, limit: int | None = None, parts: int = 1
) -> Passage:
    """Return what became of a target whose file at a path is damaged.

    Args:
        target: the target.
        path: the damaged file, below the root.
        limit: the number of images to take of each split; None: all.
        parts: also read every split in so many parts, and compare.
    """
    passage = Passage()
    try:
        plan = target.plan(target.folder / "unused", limit=limit)
    except RegionForgeError as error:
        passage.outcome = f"refused: {type(error).__name__}"
        passage.faults += _unnamed(str(error), path)
        plan = target.whole_plan  # read all the same: a quick look does not see everything
    ledgers = Ledgers()
    rejections = _pass(plan, plan.splits, ledgers, passage)
    passage.faults += _problems(rejections, ledgers.tally(), path)
    passage.reasons.update(str(rejection.reason) for rejection in rejections)
    passage.reasons.update(
        f"repaired {outcome.partition(':')[2]}"
        for (*_, outcome), number in ledgers.tally().items()
        if outcome.startswith("repaired:") and number
    )
    if parts > 1:
        passage.faults += _differences(plan, parts)
    return passage


def _pass(
    plan: Plan, splits: Iterable[SplitInput], ledgers: Ledgers, passage: Passage
) -> list[Rejection]:
    prepare, compose = PrepareImage.of(plan), ComposeImage.of(plan)
    rejections: list[Rejection] = []
    for split in splits:
        for image in _images(split, ledgers):
            passage.images += 1
            screened = prepare(image, ledgers)
            if screened is not None:
                compose(screened, ledgers)
            rejections += ledgers.take_rejections()
        rejections += ledgers.take_rejections()
    return rejections


def _images(split: SplitInput, ledgers: Ledgers) -> Iterator[SourceImage]:
    reader = _ReadWhole()
    reader.start_bundle()
    reader.ledgers = ledgers
    for batch in reader.results(split):
        if not isinstance(batch, TaggedOutput):
            yield from batch


def _problems(rejections: list[Rejection], tally: Tally, path: Path) -> Iterator[str]:
    yield from balance(tally)
    counted = sum(n for (*_, outcome), n in tally.items() if outcome.startswith("rejected:"))
    if counted != len(rejections):
        yield f"{counted} rejections are counted, {len(rejections)} are listed"
    for rejection in rejections:
        if not rejection.id or not rejection.detail:
            yield f"a rejection without id or detail: {rejection!r:.300}"
        if len(rejection.detail) > MAX_DETAIL_CHARACTERS:
            yield f"a rejection of {len(rejection.detail)} characters: {rejection!r:.300}"
        try:
            if Rejection.from_line(rejection.line()) != rejection:
                yield f"a rejection that its line does not hold: {rejection!r:.300}"
        except UnicodeEncodeError:
            yield f"a rejection that cannot be written: {rejection!r:.300}"
        if rejection.kind is Kind.FILE:
            yield from _unnamed(rejection.detail, path)


def balance(tally: Tally) -> list[str]:
    """Return what does not balance in a ledger that ends where conversations are composed."""
    written: Tally = Counter()
    for (source, split, stage, kind, outcome), number in tally.items():
        if stage == Stage.COMPOSE and outcome == "kept":
            written[source, split, Stage.WRITE, kind, "read"] += number
            written[source, split, Stage.WRITE, kind, "kept"] += number
    ledger: Ledger = ledger_of(tally + written)
    return ledger.problems()


def _unnamed(message: str, path: Path) -> Iterator[str]:
    if path.name not in message:
        yield f"an error that does not name {path.name}: {message[:300]!r}"
    if len(message) > MAX_MESSAGE:
        yield f"an error of {len(message)} characters: {message[:300]!r}"


def _differences(plan: Plan, parts: int) -> Iterator[str]:
    """Yield what differs between a split read as a whole and in parts, unreadable files apart."""
    whole, divided = _read(plan.splits, _images), _read(plan.splits, partial(_divided, parts))
    for name, one, other in zip(("images", "rejections", "counts"), whole, divided, strict=True):
        if one != other:
            more, less = list((other - one).elements()), list((one - other).elements())
            yield f"in {parts} parts, {name}: more {more!r:.300}, fewer {less!r:.300}"


def _divided(parts: int, split: SplitInput, ledgers: Ledgers) -> Iterator[SourceImage]:
    """Yield the images of a split as so many workers read them."""
    divide, deal_out, read_bin = Divide(parts, None), _DealOut(None), _ReadBin()
    for stage in (divide, deal_out, read_bin):
        stage.start_bundle()
        stage.ledgers = ledgers
    pieces: dict[BinKey, list[Piece]] = defaultdict(list)
    for result in divide.results(Sharing([split], {})):
        if not isinstance(result, TaggedOutput):
            for key, page in deal_out.results(result):
                pieces[key].append(page)
        elif result.tag == "bin":
            key, piece = result.value
            pieces[key].append(piece)
    for waiting in pieces.items():
        for batch in read_bin.results(waiting):
            if not isinstance(batch, TaggedOutput):
                yield from batch


def _read(
    splits: Iterable[SplitInput], images_of: Callable[[SplitInput, Ledgers], Iterator[SourceImage]]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    ledgers = Ledgers()
    images = Counter(repr(image) for split in splits for image in images_of(split, ledgers))
    rejections = ledgers.take_rejections()
    if any(rejection.kind is Kind.FILE for rejection in rejections):
        return Counter(), Counter(), Counter()  # each part may get another way before the fault
    counts = Counter({str(key): number for key, number in ledgers.tally().items()})
    return images, Counter(map(repr, rejections)), counts
