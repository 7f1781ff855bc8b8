"""The text about the leakage guard, for the card and the console."""

from pipelines.plan import Plan
from schemas.console import detail, notice
from schemas.ledger import Ledger, Stage
from schemas.manifest import GuardList
from schemas.rejection import Kind, Reason

_TITLE = "## Guard"


def guard_section(ledger: Ledger, *, unguarded: bool) -> str:
    """Return the card's section on the guard: all lists, missing or not, and the removed images.

    Args:
        ledger: the ledger of the output, with the lists of the guard.
        unguarded: whether splits to train on were not guarded.
    """
    if unguarded:
        return f"{_TITLE}\n\nNone: splits to train on may hold pictures that are evaluated on."
    if not ledger.guard:
        return ""
    removed = {
        f"{source}/{split}": account.rejected[Reason.EVALUATION_IMAGE]
        for source, splits in ledger.sources.items()
        for split in splits
        if (account := ledger.account(source, split, Stage.GUARD, Kind.IMAGE)).rejected
    }
    lines = [
        _TITLE,
        "",
        "No split to train on holds a picture of these evaluations, by its number in COCO or "
        "Objects365, its id in Visual Genome or, as far as COCO val2017 and Visual Genome tell it, "
        "on Flickr.",
        "",
        "| evaluation | pictures | SHA-256 of their names | |",
        "|---|---:|---|---|",
        *(_row(guard_list) for guard_list in ledger.guard),
    ]
    if removed:
        lines += ["", "Removed images:", ""]
        lines += [f"- {split}: {number}" for split, number in sorted(removed.items())]
    return "\n".join(lines)


def _row(guard_list: GuardList) -> str:
    remarks = [guard_list.note] if guard_list.note else []
    remarks += [f"**not guarded**: {guard_list.missing}"] if guard_list.missing else []
    digest = f"`{guard_list.sha256}`" if guard_list.sha256 else ""
    cells = [f"`{guard_list.name}`", f"{guard_list.pictures:,}", digest, "; ".join(remarks)]
    return f"| {' | '.join(cells)} |"


def print_guard(plan: Plan) -> None:
    """Print one line on the evaluations whose pictures a build keeps out of its training splits.

    Numbers and missing files of the lists are details. All goes to standard error, like all output
    that precedes the result.
    """
    lists = plan.guard.lists
    if not lists:
        return
    held = [item.name for item in lists if item.pictures]
    missing = [_missing(item) for item in lists if item.missing]
    parts = [f"no training on {', '.join(held)}"] if held else []
    if missing:
        parts += [f"missing lists: {', '.join(missing)} (see `regionforge sources`)"]
    notice(f"guard: {'; '.join(parts)}")
    for item in lists:
        remarks = [f"{item.pictures:,} pictures", item.note, item.missing]
        detail(f"guard, {item.name}: {'; '.join(filter(None, remarks))}")


def _missing(guard_list: GuardList) -> str:
    return f"{guard_list.name} (in part)" if guard_list.pictures else guard_list.name
