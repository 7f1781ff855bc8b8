"""The text about the leakage guard, for the card and the console."""

from rich.console import Console
from rich.markup import escape

from pipelines.plan import Plan
from schemas.ledger import Ledger, Stage
from schemas.manifest import GuardList
from schemas.rejection import Kind, Reason

_TITLE = "## Guard"


def guard_section(plan: Plan, ledger: Ledger) -> str:
    """Return the card's section on the guard: all lists, missing or not, and the removed images."""
    recipe = plan.recipe
    if not recipe.guard and not recipe.evaluation:
        return f"{_TITLE}\n\nNone: splits to train on may hold pictures that are evaluated on."
    if not plan.guard.lists:
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
        *(_row(guard_list) for guard_list in plan.guard.lists),
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
    """Print the evaluations whose pictures a build keeps out of its training splits.

    The text goes to standard error, like all output that precedes the result.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    lists = plan.guard.lists
    if there := [guard_list for guard_list in lists if guard_list.pictures]:
        listed = ", ".join(f"{guard_list.name} ({guard_list.pictures:,})" for guard_list in there)
        console.print(f"guard: no split to train on will hold pictures of {listed}")
    elif lists:
        names = ", ".join(guard_list.name for guard_list in lists)
        console.print(f"[yellow]guard: no list is below the data root[/yellow]: {names}")
        return
    for guard_list in lists:
        if guard_list.note:
            console.print(f"guard: {guard_list.name} is {escape(guard_list.note)}")
        if guard_list.missing:
            what = f"[yellow]guard: the list {guard_list.name} is incomplete[/yellow]"
            console.print(f"{what}: {escape(guard_list.missing)}")
