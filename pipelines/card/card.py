"""The dataset card: a YAML header, which the library `datasets` reads, and text for people."""

from collections import defaultdict
from typing import Any

import yaml

from pipelines.card.answers import answers_section
from pipelines.card.captioning import captioning_section
from pipelines.card.citations import citing_section
from pipelines.card.coverage import coverage, left_out
from pipelines.card.guard import guard_section
from pipelines.card.hub import hub_features, hub_metadata
from pipelines.card.markdown import code
from pipelines.card.mix import mix_section
from pipelines.card.paper import reported_section
from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan
from pipelines.recipes.recipe import BY_FLAGS
from schemas import shard
from schemas.layout import LEDGER, REJECTED_FOLDER, shard_pattern
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest, Shard
from schemas.rejection import Kind

_REPOSITORY = "USER/NAME"  # the place of a data set on the Hub
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

Splits = dict[str, list[Shard]]  # the shards of each split, of one or more sources


def card_of(plan: Plan, manifest: Manifest, ledger: Ledger) -> bytes:
    """Return the card of a finished build."""
    licences = [split.licence for split in plan.splits]
    rows, embedded = sum(item.rows for item in manifest.shards), plan.recipe.images == "embed"
    header = hub_metadata(licences, rows, embedded=embedded)
    header |= front_matter(plan.recipe.name, manifest)
    front = yaml.safe_dump(header, sort_keys=False, width=100)
    sections = [
        f"---\n{front}---",
        _title(plan),
        _loading(plan, manifest),
        _sources(plan, ledger),
        mix_section(manifest),
        answers_section(plan),
        reported_section(plan, ledger),
        captioning_section(plan, manifest),
        _captions(plan, manifest, ledger),
        _left_out(manifest, ledger),
        guard_section(plan, ledger),
        _fields(),
        _making(plan, manifest),
        citing_section(plan),
    ]
    return "\n\n".join(filter(None, sections)).encode() + b"\n"


def front_matter(recipe: str, manifest: Manifest) -> dict[str, Any]:
    """Return the card's YAML header: one config per source, and a config that unites them."""
    configs: dict[str, Splits] = defaultdict(lambda: defaultdict(list))
    filled = manifest.filled()
    for item in filled:
        configs[item.config][item.split].append(item)
    sources = list(configs)
    if len(sources) > 1 or (recipe != BY_FLAGS and recipe not in sources):
        for item in filled:
            configs[recipe][item.split].append(item)
    default = recipe if recipe in configs else next(iter(configs), None)
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


def default_config(recipe: str, manifest: Manifest) -> str:
    """Return the config that `load_dataset` opens where no config is named."""
    configs = front_matter(recipe, manifest)["configs"]
    return next((str(config["config_name"]) for config in configs if "default" in config), recipe)


def _pattern(item: Shard) -> str:
    return shard_pattern(item.config, item.split, item.of)


def _info(name: str, splits: Splits) -> dict[str, Any]:
    sizes = {split: sum(item.bytes for item in items) for split, items in splits.items()}
    return {
        "config_name": name,
        "features": hub_features(),
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
    if recipe.evaluation:
        parts = [f"{recipe.masks} masks", f"seed {recipe.seed}"]
    if recipe.merge:
        parts.append("the tasks of an image merged")
    caps = plan.resolved.caps
    for source, per_category in caps.per_category.items():
        parts.append(f"{per_category} regions per category of `{source}`")
    for source, per_image in caps.per_image.items():
        cap = f"at most {per_image} regions per image of `{source}`, by kind of label"
        usual = source in plan.resolved.papers_caps()
        parts.append(f"{cap} (the papers' cap)" if usual else cap)
    if recipe.limit is not None:
        parts.append(f"limited to {recipe.limit} images per split")
    return (
        f"# Region-level instruction data: {recipe.name}\n\n"
        + (f"{recipe.about}\n\n" if recipe.about else "")
        + "Conversations about regions of images. Each record is one conversation about one image; "
        "`<image>` stands for the image and `<regionK>` for `regions[K - 1]`.\n\n"
        f"Built with {', '.join(parts)}." + "".join(f"\n\n{note}" for note in recipe.notes)
    )


def _loading(plan: Plan, manifest: Manifest) -> str:
    config = default_config(plan.recipe.name, manifest)
    referring = plan.recipe.images == "reference"
    example = _REFERRING if referring else _EMBEDDING
    shown = example.format(repository=_REPOSITORY, config=config, split=_first_split(manifest))
    return f"## Loading\n\n```python\n{shown}```" + (f"\n\n{_UNOPENED}" if referring else "")


def _first_split(manifest: Manifest) -> str:
    return min((item.split for item in manifest.filled()), default="train")


def _sources(plan: Plan, ledger: Ledger) -> str:
    users_own = {source.name for source in plan.recipe.sources if source.annotations is not None}
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
        owner = split.owner or split.source
        title = "a user's own file" if owner in users_own else dataset(owner).title
        cells = [f"`{split.source}` ({title})", split.split, *map(str, kept), split.licence]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Images keep their own licences, which each record's `licence` names where the owner does.",
    ]
    return "\n".join(lines)


def _captions(plan: Plan, manifest: Manifest, ledger: Ledger) -> str:
    """Return the section on captions: RegionGPT's Table 2 for this build, and the coverage."""
    table = ["| split | images | regions | average words |", "|---|---:|---:|---:|"]
    splits: Splits = defaultdict(list)
    for item in manifest.shards:
        if item.captions:
            splits[f"{item.config}/{item.split}"].append(item)
    for name, items in sorted(splits.items()):
        key = items[0].config, items[0].split
        images = ledger.account(*key, Stage.WRITE, Kind.IMAGE).kept
        captions = sum(item.captions for item in items)
        average = sum(item.caption_words for item in items) / captions
        table.append(f"| {name} | {images} | {captions} | {average:.2f} |")
    notes = [f"- {line}" for line in coverage(plan, manifest, ledger)]
    notes += [f"- `{name}`: detailed captions are left out" for name in left_out(plan.recipe)]
    parts = [part for part in (table if splits else [], notes) if part]
    return "\n\n".join(["## Captions", *map("\n".join, parts)]) if parts else ""


def _left_out(manifest: Manifest, ledger: Ledger) -> str:
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


def _fields() -> str:
    rows = [f"| `{field.name}` | {field.type} | {field.holds} |" for field in shard.fields()]
    return "\n".join(["## Fields", "", "| field | type | what it holds |", "|---|---|---|", *rows])


def _making(plan: Plan, manifest: Manifest) -> str:
    inputs = [
        f"- {code(item.name)} ({item.source}, {item.split}): {item.bytes} bytes, "
        f"SHA-256 `{item.sha256}`"
        for item in manifest.identity.inputs
    ]
    builder = manifest.identity.builder
    note = "A folder's SHA-256 is of the names and sizes of its files, not of what is in them."
    return "\n".join(["## How it was made", "", f"By {builder}, from:", "", *inputs, "", note])
