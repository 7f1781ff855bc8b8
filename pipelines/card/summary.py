"""The summary that the console shows at the end of a build."""

from collections import Counter
from collections.abc import Iterator

from rich.filesize import decimal
from rich.table import Table

from pipelines.card.captioning import agreement_lines, repeat_lines
from pipelines.card.card import default_config
from pipelines.card.mix import print_mix
from pipelines.card.paper import print_reported
from pipelines.output.losses import Losses
from pipelines.output.reader import read_ledger
from pipelines.plan import Plan
from pipelines.storage import files
from schemas.console import Console, result, say
from schemas.counted import counted
from schemas.duration import duration
from schemas.layout import REJECTED_FOLDER, split_pattern
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest
from schemas.rejection import Kind, Reason, Repair
from schemas.source import SplitInput

_COUNTS = ("images", "regions", "conversations", "rejected", "sampled_out")


def print_summary(plan: Plan, manifest: Manifest, seconds: float) -> None:
    """Print the numbers of kept and rejected items of a build, and how to open its output."""
    console = Console()
    ledger = read_ledger(plan.output)
    table = Table()
    for name in ("source", "split", *_COUNTS):
        table.add_column(name.replace("_", " "), no_wrap=name in {"source", "split"})
    for split in plan.splits:
        counts = split_counts(split, ledger)
        table.add_row(split.source, split.split, *(f"{counts[name]:,}" for name in _COUNTS))
    console.print(table)
    print_mix(console, manifest)
    for name, cap in plan.resolved.papers_caps().items():
        say(
            f"{name}: at most {cap} regions per image, the papers' cap; "
            f"--per-image {name}=all takes all"
        )
    print_reported(console, plan, ledger)
    _print_reasons(plan, manifest)
    for line in (*agreement_lines(manifest), *repeat_lines(manifest)):
        say(line)
    for doubt in plan.doubts:
        say(("annotations: ", "bold red"), doubt)
    for line in emptied(ledger, manifest):
        say(("nothing was kept of ", "bold red"), line)
    total = sum(shard.bytes for shard in manifest.shards)
    shards = f"{counted(len(manifest.shards), 'shard')}, {decimal(total)}, in {duration(seconds)}"
    result(f"{shards}: {plan.output}")
    config = default_config(plan.recipe.name, manifest)
    say("\nfrom datasets import load_dataset")
    say(f"data = {loading_line(plan.output, config, manifest)}")
    for line in Losses(plan.output, ledger).lines():
        say(("warning: ", "bold yellow"), line)


def loading_line(output: str, config: str, manifest: Manifest) -> str:
    """Return the call that opens a config of an output.

    `load_dataset` takes a folder of this machine by its card. In a store it opens files alone,
    which are then named by split, through the store's own library for fsspec (gcsfs, s3fs).
    """
    if files.is_local(output):
        return f'load_dataset("{output}", "{config}")'
    filled = manifest.filled()
    folder = config if config in {shard.config for shard in filled} else "*"
    patterns = ", ".join(
        f'"{split}": "{output}/{split_pattern(folder, split)}"'
        for split in sorted({s.split for s in filled if folder in ("*", s.config)})
    )
    return f'load_dataset("arrow", data_files={{{patterns}}})'


def split_counts(split: SplitInput, ledger: Ledger) -> dict[str, int]:
    """Return the numbers of a split's kept, rejected and sampled-out items by name."""
    key = split.source, split.split
    accounts = [account for account_key, account in ledger.accounts() if account_key[:2] == key]
    kept = [
        ledger.account(*key, Stage.WRITE, kind).kept
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CONVERSATION)
    ]
    rejected = sum(sum(account.rejected.values()) for account in accounts)
    sampled_out = sum(account.sampled_out for account in accounts)
    return dict(zip(_COUNTS, (*kept, rejected, sampled_out), strict=True))


def _print_reasons(plan: Plan, manifest: Manifest) -> None:
    reasons: Counter[str] = Counter()
    with_image: Counter[str] = Counter()
    repaired: Counter[str] = Counter()
    for (*_, kind), account in read_ledger(plan.output).accounts():
        for reason, number in account.rejected.items():
            reasons[f"{kind} {reason}"] += number
        with_image[kind] += account.with_image
        repaired.update({f"{kind} {repair}": n for repair, n in account.repaired.items()})
    if reasons:
        lines = files.join(plan.output, REJECTED_FOLDER)
        say(f"rejected: {_listed(reasons)} (see {lines})")
    if +with_image:
        say(f"left out with a rejected image: {_listed(+with_image)}")
    if repaired:
        say(f"repaired: {_listed(repaired)}")
    if turned := repaired[f"{Kind.IMAGE} {Repair.IMAGE_TURNED}"]:
        by_boxes = repaired[f"{Kind.IMAGE} {Repair.FRAME_BY_BOXES}"]
        drawn_upright = f"; boxes drawn upright beside the stored size: {by_boxes:,}"
        turned_now = f"{counted(turned, 'picture')} stored rotated (EXIF), upright now"
        say(turned_now + drawn_upright * bool(by_boxes))
    for split, short in manifest.short_categories.items():
        least = ", ".join(f"{name} ({n})" for name, n in sorted(short.items(), key=_by_count)[:5])
        categories = counted(len(short), "category", "categories")
        say(f"{split}: {categories} with fewer regions than asked for, e.g. {least}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def emptied(ledger: Ledger, manifest: Manifest) -> Iterator[str]:
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
