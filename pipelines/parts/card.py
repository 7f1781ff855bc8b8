"""The card of an output that was united from others, or taken out of one."""

from collections.abc import Iterator, Mapping, Sequence

from pipelines.card.answers import answers_section
from pipelines.card.captioning import captioning_section
from pipelines.card.card import default_config, front_matter, header_text
from pipelines.card.citations import citing_section
from pipelines.card.guard import guard_section
from pipelines.card.hub import hub_metadata
from pipelines.card.mix import mix_section
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
from pipelines.datasets.catalog import CATALOG
from pipelines.parts.part import SplitKey
from schemas.ledger import Ledger
from schemas.manifest import Manifest, SourceIdentity
from schemas.style import Style


def card_of_parts(
    manifest: Manifest, ledger: Ledger, licences: Mapping[SplitKey, Sequence[str]], origin: str
) -> bytes:
    """Return the card.

    Args:
        manifest: the manifest of the output.
        ledger: its ledger.
        licences: the licences of the annotations of each split.
        origin: a sentence on the outputs that its records come from.
    """
    identity = manifest.identity
    name, evaluation = str(identity.recipe.get("name")), bool(identity.recipe.get("evaluation"))
    rows = sum(shard.rows for shard in manifest.shards)
    stated = [licence for of_split in licences.values() for licence in of_split]
    header = hub_metadata(stated, rows, embedded=identity.recipe.get("images") != "reference")
    header |= front_matter(name, manifest)
    tasks = {task for shard in manifest.shards for task in shard.turns}
    owners = dict.fromkeys(map(_owner, identity.sources, identity.sources.values()))
    styles = {source.settings.get("style") for source in identity.sources.values()}
    sections = [
        header_text(header),
        _title(name, manifest, origin),
        loading_section(default_config(name, manifest), manifest),
        sources_section(_lines(manifest, licences), ledger),
        mix_section(manifest),
        answers_section(tasks, evaluation=evaluation),
        captioning_section(manifest),
        captions_section(manifest, ledger),
        left_out_section(manifest, ledger),
        guard_section(ledger, unguarded=not evaluation and identity.recipe.get("guard") is False),
        fields_section(),
        making_section(manifest),
        citing_section(
            [owner for owner in owners if owner is not None],
            [style for style in Style if style in styles],
        ),
    ]
    return "\n\n".join(filter(None, sections)).encode() + b"\n"


def _title(name: str, manifest: Manifest, origin: str) -> str:
    lines = [
        f"# Region-level instruction data: {name}",
        "",
        "Conversations about regions of images. Each record is one conversation about one image; "
        "`<image>` stands for the image and `<regionK>` for `regions[K - 1]`.",
        "",
        origin,
        "",
    ]
    for config, source in manifest.identity.sources.items():
        recipe = manifest.identity.recipe_of(config)
        parts = [f"recipe `{recipe['name']}`", f"seed {recipe['seed']}"]
        parts += [
            f"{key} `{source.settings[key]}`" for key in ("style", "mode") if key in source.settings
        ]
        lines.append(f"- `{config}`: {', '.join(parts)}{_selected(source)}")
    return "\n".join(lines)


def _selected(source: SourceIdentity) -> str:
    """Return what was selected of a source's records, in words."""
    words = []
    for selection in source.settings.get("subset", ()):
        if selection["tasks"]:
            words.append(f"records of {', '.join(selection['tasks'])} alone")
        if selection["ids"]:
            words.append("records named by their ids")
        if selection["limit"]:
            words.append(f"at most {selection['limit']} images of a split")
    return f"; {'; '.join(words)}" if words else ""


def _lines(manifest: Manifest, licences: Mapping[SplitKey, Sequence[str]]) -> Iterator[SourceLine]:
    for (config, split), stated in licences.items():
        owner = _owner(config, manifest.identity.sources[config])
        title = OWN_FILE if owner is None else CATALOG[owner].title
        yield SourceLine(config, split, title, " / ".join(stated))


def _owner(config: str, source: SourceIdentity) -> str | None:
    """Return the name of the data set that a config was made of; None of a user's own file."""
    name = next((item.source for item in source.inputs), config)
    spec = CATALOG.get(name)
    own = spec is None or (spec.own_file and source.settings.get("year") is None)
    return None if own else name
