"""The dataset card: what `datasets` reads to open a build, and what a person should know of it."""

from collections import defaultdict
from typing import Any

import yaml

from pipelines import files
from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan
from schemas import shard
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest, Shard
from schemas.rejection import Kind

CARD = "README.md"
MOST_REASONS = 12

Splits = dict[str, list[Shard]]  # split to its shards, over one or more sources


def write_card(plan: Plan, manifest: Manifest, ledger: Ledger) -> None:
    """Write the card of a finished build."""
    front = yaml.safe_dump(front_matter(plan.recipe.name, manifest), sort_keys=False, width=100)
    sections = [
        f"---\n{front}---",
        _title(plan),
        _loading(plan, manifest),
        _sources(plan, ledger),
        _captions(manifest, ledger),
        _left_out(manifest, ledger),
        _fields(),
        _making(plan, manifest),
    ]
    path = files.join(plan.output, CARD)
    files.write_whole(path, "\n\n".join(filter(None, sections)).encode() + b"\n")


def front_matter(recipe: str, manifest: Manifest) -> dict[str, Any]:
    """Return the card's YAML header: one config per source, and one that unites them."""
    configs: dict[str, Splits] = defaultdict(lambda: defaultdict(list))
    filled = manifest.filled()
    for item in filled:
        configs[item.config][item.split].append(item)
    if len(configs) > 1:
        for item in filled:
            configs[recipe][item.split].append(item)
    default = recipe if len(configs) > 1 else next(iter(configs), None)
    return {
        "pretty_name": f"RegionForge {recipe}",
        "tags": ["regionforge", "region-level instructions"],
        "configs": [
            {
                "config_name": name,
                "data_files": [
                    {"split": split, "path": sorted({_pattern(item) for item in items})}
                    for split, items in sorted(splits.items())
                ],
                **({"default": True} if name == default else {}),
            }
            for name, splits in configs.items()
        ],
        "dataset_info": [_info(name, splits) for name, splits in configs.items()],
    }


def _pattern(item: Shard) -> str:
    return f"{item.config}/{item.split}-*-of-{item.of:05d}.arrow"


def _info(name: str, splits: Splits) -> dict[str, Any]:
    sizes = {split: sum(item.bytes for item in items) for split, items in splits.items()}
    return {
        "config_name": name,
        "splits": [
            {
                "name": split,
                "num_bytes": sizes[split],
                "num_examples": sum(item.rows for item in items),
            }
            for split, items in sorted(splits.items())
        ],
        "download_size": sum(sizes.values()),
        "dataset_size": sum(sizes.values()),
    }


def _title(plan: Plan) -> str:
    recipe = plan.recipe
    parts = [f"style `{recipe.style}`", f"mode `{recipe.mode}`", f"seed {recipe.seed}"]
    if recipe.per_category is not None:
        parts.append(f"{recipe.per_category} regions per category")
    for source, per_image in recipe.caps().per_image.items():
        parts.append(f"at most {per_image} regions per image of `{source}`")
    if recipe.limit is not None:
        parts.append(f"limited to {recipe.limit} images per split")
    return (
        f"# Region-level instruction data: {recipe.name}\n\n"
        "Conversations about regions of images. Each record is one conversation about one image; "
        "`<image>` stands for the image and `<regionK>` for `regions[K - 1]`.\n\n"
        f"Built with {', '.join(parts)}."
    )


def _loading(plan: Plan, manifest: Manifest) -> str:
    config = next((item.config for item in manifest.filled()), plan.recipe.name)
    lines = [
        "## Loading",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'data = load_dataset("{plan.output}", "{config}")',
        "```",
    ]
    if plan.recipe.images == "reference":
        lines += [
            "",
            "The images are not in the shards: `image.path` names each file below the data root "
            "(below the image folder, for a file of your own). They were not opened either: "
            "`width` and `height` are the annotated ones, in the frame that was annotated, "
            "usually that before any EXIF rotation. Where the owner states no size, the image "
            "was opened, and they are those of the upright one. `verify --image-root DIR` checks "
            "them.",
        ]
    return "\n".join(lines)


def _sources(plan: Plan, ledger: Ledger) -> str:
    lines = [
        "## Sources",
        "",
        "| source | split | images | regions | conversations | licence of the annotations |",
        "|---|---|---:|---:|---:|---|",
    ]
    for split in plan.splits:
        kept = [
            ledger.account(split.source, split.split, Stage.WRITE, kind).kept
            for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.CONVERSATION)
        ]
        title = dataset(split.owner or split.source).title if split.folder else "a user's own file"
        cells = [f"`{split.source}` ({title})", split.split, *map(str, kept), split.licence]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Images keep their own licences, which each record's `licence` names where the owner does.",
        "Please cite the owners of the sources you use.",
    ]
    return "\n".join(lines)


def _captions(manifest: Manifest, ledger: Ledger) -> str:
    """Return the statistics of RegionGPT's Table 2, where regions have captions."""
    lines = [
        "## Captions",
        "",
        "| split | images | regions | average words |",
        "|---|---:|---:|---:|",
    ]
    splits: Splits = defaultdict(list)
    for item in manifest.shards:
        if item.captions:
            splits[f"{item.config}/{item.split}"].append(item)
    for name, items in sorted(splits.items()):
        at = items[0].config, items[0].split
        images = ledger.account(*at, Stage.WRITE, Kind.IMAGE).kept
        captions = sum(item.captions for item in items)
        average = sum(item.caption_words for item in items) / captions
        lines.append(f"| {name} | {images} | {captions} | {average:.2f} |")
    return "\n".join(lines) if splits else ""


def _left_out(manifest: Manifest, ledger: Ledger) -> str:
    reasons: dict[str, int] = defaultdict(int)
    for splits in ledger.sources.values():
        for stages in splits.values():
            for accounts in stages.values():
                for kind, account in accounts.items():
                    for reason, number in account.rejected.items():
                        reasons[f"{kind}: {reason}"] += number
    if not reasons and not manifest.short_categories:
        return ""
    lines = ["## Left out", "", "`ledger.json` accounts for every item; `_rejected/` lists them."]
    common = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    lines += ["", *(f"- {name}: {number}" for name, number in common[:MOST_REASONS])]
    for split, short in manifest.short_categories.items():
        lines.append(f"- {split}: {len(short)} categories have fewer regions than asked for")
    return "\n".join(lines)


def _fields() -> str:
    rows = [f"| `{field.name}` | `{field.type}` |" for field in shard.SCHEMA]
    note = "Boxes are xyxy in pixels of the stored image; masks are COCO compressed run lengths."
    return "\n".join(["## Fields", "", note, "", "| field | Arrow type |", "|---|---|", *rows])


def _making(plan: Plan, manifest: Manifest) -> str:
    inputs = [
        f"- `{item.name}` ({item.source}, {item.split}): {item.bytes} bytes, "
        f"SHA-256 `{item.sha256}`"
        for item in manifest.identity.inputs
    ]
    builder = manifest.identity.builder
    return "\n".join(["## How it was made", "", f"By {builder}, from:", "", *inputs])
