"""The summary that the console shows at the end of a build."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from pipelines.card.card import default_config
from pipelines.card.mix import print_mix
from pipelines.card.paper import print_reported
from pipelines.output.losses import Losses
from pipelines.output.reader import read_ledger
from pipelines.plan import Plan
from pipelines.storage import files
from schemas.layout import REJECTED_FOLDER
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest
from schemas.rejection import Kind, Reason, Repair


def print_summary(plan: Plan, manifest: Manifest, seconds: float) -> None:
    """Print the numbers of kept and rejected items of a build, and how to open its output."""
    console = Console(highlight=False)
    ledger = read_ledger(plan.output)
    table = Table()
    for name in (
        "source",
        "split",
        "images",
        "regions",
        "conversations",
        "rejected",
        "sampled out",
    ):
        table.add_column(name, no_wrap=name in {"source", "split"})
    for split in plan.splits:
        key = split.source, split.split
        accounts = [account for account_key, account in ledger.accounts() if account_key[:2] == key]
        kept = [
            ledger.account(*key, Stage.WRITE, kind).kept
            for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CONVERSATION)
        ]
        rejected = sum(sum(a.rejected.values()) for a in accounts)
        sampled_out = sum(a.sampled_out for a in accounts)
        table.add_row(*key, *(f"{n:,}" for n in (*kept, rejected, sampled_out)))
    console.print(table)
    print_mix(console, manifest)
    for name, cap in plan.resolved.papers_caps().items():
        console.print(
            f"{name}: at most {cap} regions per image, the papers' cap; "
            f"--per-image {name}=all takes all",
            soft_wrap=True,
        )
    print_reported(console, plan, ledger)
    _print_reasons(console, plan, manifest)
    for doubt in plan.doubts:
        console.print(f"[bold red]annotations:[/bold red] {escape(doubt)}", soft_wrap=True)
    for line in _emptied(ledger, manifest):
        console.print(f"[bold red]nothing was kept of[/bold red] {escape(line)}")
    total = sum(shard.bytes for shard in manifest.shards)
    shards = f"{len(manifest.shards)} shards, {decimal(total)}, in {seconds:.1f} s"
    console.print(f"{shards}: {escape(plan.output)}")
    config = default_config(plan.recipe.name, manifest)
    console.print("\nfrom datasets import load_dataset")
    console.print(f'data = load_dataset("{escape(plan.output)}", "{config}")', soft_wrap=True)
    for line in Losses(plan.output, ledger).lines():
        console.print(f"[bold yellow]warning:[/bold yellow] {escape(line)}", soft_wrap=True)


def _print_reasons(console: Console, plan: Plan, manifest: Manifest) -> None:
    reasons: Counter[str] = Counter()
    with_image: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    for (*_, kind), account in read_ledger(plan.output).accounts():
        for reason, number in account.rejected.items():
            reasons[f"{kind} {reason}"] += number
        with_image[kind] += account.with_image
        repaired.update({f"{kind} {repair}": n for repair, n in account.repaired.items()})
    if reasons:
        lines = escape(files.join(plan.output, REJECTED_FOLDER))
        console.print(f"rejected: {_listed(reasons)} (see {lines})")
    if +with_image:
        console.print(f"left out with a rejected image: {_listed(+with_image)}")
    if repaired:
        console.print(f"repaired: {_listed(repaired)}")
    if turned := repaired[f"{Kind.IMAGE} {Repair.IMAGE_TURNED}"]:
        by_boxes = repaired[f"{Kind.IMAGE} {Repair.FRAME_BY_BOXES}"]
        console.print(
            f"{turned:,} pictures were stored rotated (EXIF) and are upright now; of these, "
            f"{by_boxes:,} have boxes that were drawn upright beside the stored size",
            soft_wrap=True,
        )
    for split, short in manifest.short_categories.items():
        least = ", ".join(f"{name} ({n})" for name, n in sorted(short.items(), key=_by_count)[:5])
        console.print(f"{split}: {len(short)} categories fall short, e.g. {escape(least)}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def _emptied(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
    """Yield each split that lost all its images to rejections, with the most frequent reason."""
    filled = {(shard.config, shard.split) for shard in manifest.shards if shard.rows}
    for source, splits in ledger.sources.items():
        for split, stages in splits.items():
            images = [stage[Kind.IMAGE] for stage in stages.values() if Kind.IMAGE in stage]
            causes = sum((Counter(account.rejected) for account in images), Counter[Reason]())
            unasked = causes and Reason.EVALUATION_IMAGE not in causes
            sampled = any(account.sampled_out for account in images)
            if unasked and not sampled and (source, split) not in filled:
                [(reason, number)] = causes.most_common(1)
                yield f"{source}/{split}: {reason} {number:,}"


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return item[1], item[0]
