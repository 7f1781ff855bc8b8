"""What a person reads of the leakage guard, in the card and on the console."""

from rich.console import Console
from rich.markup import escape

from pipelines.plan import Plan
from schemas.ledger import Ledger, Stage
from schemas.manifest import GuardList
from schemas.rejection import Kind, Reason

TITLE = "## Guard"


def guard_section(plan: Plan, ledger: Ledger) -> str:
    """Return the card's section: all lists, those missing as well, and what they removed."""
    recipe = plan.recipe
    if not recipe.guard and not recipe.evaluation:
        return f"{TITLE}\n\nNone: splits to train on may hold pictures that are evaluated on."
    if not plan.guard.lists:
        return ""
    removed = {
        f"{source}/{split}": account.rejected[Reason.EVALUATION_IMAGE]
        for source, splits in ledger.sources.items()
        for split in splits
        if (account := ledger.account(source, split, Stage.GUARD, Kind.IMAGE)).rejected
    }
    lines = [
        TITLE,
        "",
        "No split to train on holds a picture of these evaluations, by its number in COCO, its id "
        "in Visual Genome or, as far as COCO val2017 and Visual Genome tell it, on Flickr.",
        "",
        "| evaluation | pictures | SHA-256 of their names | |",
        "|---|---:|---|---|",
        *(_row(found) for found in plan.guard.lists),
    ]
    if removed:
        lines += ["", "Removed images:", ""]
        lines += [f"- {split}: {number}" for split, number in sorted(removed.items())]
    return "\n".join(lines)


def _row(found: GuardList) -> str:
    remarks = [found.note] if found.note else []
    remarks += [f"**not guarded**: {found.missing}"] if found.missing else []
    digest = f"`{found.sha256}`" if found.sha256 else ""
    cells = [f"`{found.name}`", f"{found.pictures:,}", digest, "; ".join(remarks)]
    return f"| {' | '.join(cells)} |"


def print_guard(plan: Plan) -> None:
    """Print which evaluations' pictures a build keeps out of its splits to train on.

    It goes to standard error, as all that is said before there is a result.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    lists = plan.guard.lists
    if there := [found for found in lists if found.pictures]:
        listed = ", ".join(f"{found.name} ({found.pictures:,})" for found in there)
        console.print(f"guard: no split to train on will hold pictures of {listed}")
    elif lists:
        names = ", ".join(found.name for found in lists)
        console.print(f"[yellow]guard: no list is below the data root[/yellow]: {names}")
        return
    for found in lists:
        if found.note:
            console.print(f"guard: {found.name} is {escape(found.note)}")
        if found.missing:
            what = f"[yellow]guard: missing of {found.name}[/yellow]"
            console.print(f"{what}: {escape(found.missing)}")
