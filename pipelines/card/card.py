"""The dataset card: a YAML header, which the library `datasets` reads, and text for people."""

from collections import defaultdict
from functools import cache
from textwrap import indent
from typing import Any

import yaml

from pipelines.card.answers import answers_section
from pipelines.card.captioning import captioning_section
from pipelines.card.citations import citing_section
from pipelines.card.coverage import coverage, left_out
from pipelines.card.guard import guard_section
from pipelines.card.hub import hub_features, hub_metadata
from pipelines.card.mix import mix_section
from pipelines.card.paper import reported_section
from pipelines.card.sections import (
    OWN_FILE,
    SourceLine,
    captions_section,
    fields_section,
    left_out_section,
    loading_section,
    making_section,
    sources_section,
)
from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan
from pipelines.recipes.recipe import BY_FLAGS
from schemas.counted import counted
from schemas.layout import shard_pattern
from schemas.ledger import Ledger
from schemas.manifest import Manifest, Shard
from schemas.sample import Task

Splits = dict[str, list[Shard]]  # the shards of each split, of one or more sources


def card_of(plan: Plan, manifest: Manifest, ledger: Ledger) -> bytes:
    """Return the card of a finished build."""
    licences = [split.licence for split in plan.splits]
    rows, embedded = sum(item.rows for item in manifest.shards), plan.recipe.images == "embed"
    header = hub_metadata(licences, rows, embedded=embedded)
    header |= front_matter(plan.recipe.name, manifest)
    sections = [
        header_text(header),
        _title(plan),
        loading_section(default_config(plan.recipe.name, manifest), manifest),
        _sources(plan, ledger),
        mix_section(manifest),
        answers_section(_tasks(plan), evaluation=plan.recipe.evaluation),
        reported_section(plan, ledger),
        captioning_section(manifest),
        _captions(plan, manifest, ledger),
        left_out_section(manifest, ledger),
        guard_section(ledger, unguarded=not plan.recipe.guard and not plan.recipe.evaluation),
        fields_section(),
        making_section(manifest),
        citing_section(_owners(plan), [plan.recipe.style]),
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


def header_text(header: dict[str, Any]) -> str:
    """Return a card's header, with the lines around it.

    Its features, the same ones in every config, are most of it: their lines are made once.
    """
    infos = [info | {"features": None} for info in header["dataset_info"]]
    text = yaml.safe_dump(header | {"dataset_info": infos}, sort_keys=False, width=100)
    return f"---\n{text}---".replace("  features: null\n", _features_text())


@cache
def _features_text() -> str:
    return indent(yaml.safe_dump({"features": hub_features()}, sort_keys=False, width=98), "  ")


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


def _tasks(plan: Plan) -> set[Task]:
    return set().union(*plan.resolved.tasks.values())


def _owners(plan: Plan) -> list[str]:
    """Return the names of the data sets of a build, without a user's own."""
    return [source.name for source in plan.recipe.sources if source.annotations is None]


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
        parts.append(f"limited to {counted(recipe.limit, 'image')} per split")
    return (
        f"# Region-level instruction data: {recipe.name}\n\n"
        + (f"{recipe.about}\n\n" if recipe.about else "")
        + "Conversations about regions of images. Each record is one conversation about one image; "
        "`<image>` stands for the image and `<regionK>` for `regions[K - 1]`.\n\n"
        f"Built with {', '.join(parts)}." + "".join(f"\n\n{note}" for note in recipe.notes)
    )


def _sources(plan: Plan, ledger: Ledger) -> str:
    users_own = {source.name for source in plan.recipe.sources if source.annotations is not None}
    rows = []
    for split in plan.splits:
        owner = split.owner or split.source
        title = OWN_FILE if owner in users_own else dataset(owner).title
        rows.append(SourceLine(split.source, split.split, title, split.licence))
    return sources_section(rows, ledger)


def _captions(plan: Plan, manifest: Manifest, ledger: Ledger) -> str:
    """Return the section on captions: RegionGPT's Table 2 for this build, and the coverage."""
    notes = [f"- {line}" for line in coverage(plan, manifest, ledger)]
    notes += [f"- `{name}`: detailed captions are left out" for name in left_out(plan.recipe)]
    return captions_section(manifest, ledger, notes)
