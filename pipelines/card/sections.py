"""The sections of a card that a finished output states by itself, whatever made it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.card.markdown import code
from schemas import shard
from schemas.layout import LEDGER, REJECTED_FOLDER
from schemas.ledger import Ledger
from schemas.manifest import Manifest, Shard
from schemas.rejection import Kind

OWN_FILE = "a user's own file"  # the title of a source that no owner has published

REPOSITORY = "USER/NAME"  # the place of a data set on the Hub
_EMBEDDING = """from datasets import load_dataset

data = load_dataset("{repository}", "{config}")  # or the folder of this card
"""
_REFERRING = """from pathlib import Path

import PIL.Image
from datasets import Image, load_dataset

root = Path("/data")  # that the pictures lie below

data = load_dataset("{repository}", "{config}")  # or the folder of this card
data = data.cast_column("image", Image(decode=False))
record = next(row for row in data["{split}"] if row["image"])
picture = PIL.Image.open(root / record["image"]["path"])
"""
_UNOPENED = (
    "The images are not in the shards: `image.path` names each file below the data root (below the "
    "folder of images, where one was named or the file is of your own). They were not opened "
    "either: `width` and `height` are the annotated ones, in the frame that was annotated, usually "
    "that before any EXIF rotation. Where the owner states no size, the image was opened, and they "
    "are those of the upright one. `regionforge verify --image-root DIR` checks them."
)


class SourceLine(NamedTuple):
    """A split of a source in the table of sources."""

    source: str  # the name of its config
    split: str
    title: str
    licence: str  # of the annotations


def loading_section(config: str, manifest: Manifest) -> str:
    """Return the section on loading a config, which `load_dataset` opens by itself."""
    referring = manifest.identity.recipe.get("images") == "reference"
    example = _REFERRING if referring else _EMBEDDING
    split = min((item.split for item in manifest.filled()), default="train")
    shown = example.format(repository=REPOSITORY, config=config, split=split)
    return f"## Loading\n\n```python\n{shown}```" + (f"\n\n{_UNOPENED}" if referring else "")


def sources_section(splits: Iterable[SourceLine], ledger: Ledger) -> str:
    """Return the section on sources: what is stored of each split, and its licence."""
    lines = [
        "## Sources",
        "",
        "| source | split | images | regions | conversations | licence of the annotations |",
        "|---|---|---:|---:|---:|---|",
    ]
    for line in splits:
        kept = [
            ledger.stored(line.source, line.split, kind)
            for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CONVERSATION)
        ]
        cells = [f"`{line.source}` ({line.title})", line.split, *map(str, kept), line.licence]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Images keep their own licences, which each record's `licence` names where the owner does.",
    ]
    return "\n".join(lines)


def captions_section(manifest: Manifest, ledger: Ledger, notes: Sequence[str] = ()) -> str:
    """Return the section on captions, by split as in RegionGPT's Table 2; empty without any."""
    table = ["| split | images | regions | average words |", "|---|---:|---:|---:|"]
    splits: dict[tuple[str, str], list[Shard]] = defaultdict(list)
    for item in manifest.shards:
        if item.captions:
            splits[item.config, item.split].append(item)
    for (source, split), items in sorted(splits.items()):
        images = ledger.stored(source, split, Kind.IMAGE)
        captions = sum(item.captions for item in items)
        average = sum(item.caption_words for item in items) / captions
        table.append(f"| {source}/{split} | {images} | {captions} | {average:.2f} |")
    parts = [part for part in (table if splits else [], notes) if part]
    return "\n\n".join(["## Captions", *map("\n".join, parts)]) if parts else ""


def left_out_section(manifest: Manifest, ledger: Ledger) -> str:
    """Return the section on items that were left out; empty where none was."""
    reasons: dict[str, int] = defaultdict(int)
    for (*_, kind), account in ledger.accounts():
        for reason, number in account.rejected.items():
            reasons[f"{kind}: {reason}"] += number
        for outcome, number in (
            ("left out with a rejected image", account.with_image),
            ("sampled out", account.sampled_out),
        ):
            if number:
                reasons[f"{kind}: {outcome}"] += number
    if not reasons and not manifest.short_categories:
        return ""
    lines = [
        "## Left out",
        "",
        f"`{LEDGER}` accounts for every item; `{REJECTED_FOLDER}/` lists those that were rejected.",
    ]
    common = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    lines += ["", *(f"- {name}: {number}" for name, number in common)]
    for split, short in manifest.short_categories.items():
        lines.append(f"- {split}: {len(short)} categories have fewer regions than asked for")
    return "\n".join(lines)


def fields_section() -> str:
    """Return the section on the fields of a record."""
    rows = [f"| `{field.name}` | {field.type} | {field.holds} |" for field in shard.fields()]
    return "\n".join(["## Fields", "", "| field | type | what it holds |", "|---|---|---|", *rows])


def making_section(manifest: Manifest) -> str:
    """Return the section on the builder and the owners' files that it read."""
    inputs = [
        f"- {code(item.name)} ({item.source}, {item.split}): {item.bytes} bytes, "
        f"SHA-256 `{item.sha256}`"
        for item in manifest.identity.inputs
    ]
    builder = manifest.identity.builder
    note = "A folder's SHA-256 is of the names and sizes of its files, not of what is in them."
    return "\n".join(["## How it was made", "", f"By {builder}, from:", "", *inputs, "", note])
