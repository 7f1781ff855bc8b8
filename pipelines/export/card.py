"""The card of an export: the build's card, with the export's own loading, and what was lost.

Owners, licences and papers to cite stand in it as they stand in the build's card.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipelines.export.formats import Format
from pipelines.export.losses import Losses

_REPLACED = {"Loading", "Fields"}  # sections of a build's card about its shards
_LISTS = ("configs", "dataset_info")  # keys of the header about its shards
_HEADER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)


def export_card(
    build_card: str, form: Format, losses: Losses, configs: list[dict[str, Any]]
) -> bytes:
    """Return the card of an export.

    Args:
        build_card: the card of the build.
        form: the format of the export.
        losses: what the export does not hold.
        configs: the configs that `load_dataset` opens; empty where it cannot open the folder.
    """
    match = _HEADER.match(build_card)
    header: Mapping[str, Any] = (yaml.safe_load(match[1]) if match else None) or {}
    kept = {key: value for key, value in header.items() if key not in _LISTS}
    if configs:
        kept["configs"] = configs
    front = yaml.safe_dump(kept, sort_keys=False, width=100)
    body = build_card[match.end() if match else 0 :].strip()
    head, *sections = re.split(r"^## ", body, flags=re.MULTILINE)
    stay = [f"## {text}" for text in sections if text.partition("\n")[0] not in _REPLACED]
    parts = [f"---\n{front}---", head.strip(), _format_section(form, losses), *map(str.strip, stay)]
    return "\n\n".join(parts).encode() + b"\n"


def _format_section(form: Format, losses: Losses) -> str:
    lines = [f"- {line}" for line in losses.lines()]
    lost = "\n".join(["Not in it are:", "", *lines]) if lines else "Nothing was lost."
    return (
        f"## Format\n\nAn export of that build in the format: {form.title}. {form.about}\n\n{lost}"
    )
