"""The differences between two builds' identities, in words for the user."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from schemas.manifest import BuildIdentity, InputFile, SourceIdentity


def identity_differences(before: BuildIdentity | None, now: BuildIdentity) -> list[str]:
    """Return the differences of two builds, e.g. `["coco: seed (0, now 5)"]`; empty for the same.

    Args:
        before: the build in the output; None: the output's identity file is unreadable.
        now: the build to run.
    """
    if before is None:
        return ["everything (its record is unreadable)"]
    lines = common_differences(before, now)
    for config in dict.fromkeys((*before.sources, *now.sources)):
        if config not in now.sources:
            lines.append(f"{config} (left out now)")
        elif config not in before.sources:
            lines.append(f"{config} (new)")
        else:
            differences = source_differences(before.sources[config], now.sources[config])
            lines += [f"{config}: {line}" for line in differences]
    return lines


def common_differences(before: BuildIdentity, now: BuildIdentity) -> list[str]:
    """Return the differences in settings of the whole output."""
    return list(changed_values(before.common, now.common))


def source_differences(before: SourceIdentity, now: SourceIdentity) -> list[str]:
    """Return the differences of a source in two builds, e.g. `["per_category (none, now 5)"]`.

    The builder is none of them.
    """
    lines = list(changed_values(before.settings, now.settings))
    if before.version != now.version:
        lines.append(f"the version of its code ({before.version}, now {now.version})")
    if before.inputs != now.inputs:
        names = _changed_names(before.inputs, now.inputs)
        lines.append(f"the input files ({names})")
    if changed := _changed_keys(before.wordings, now.wordings):
        lines.append(f"the wordings ({', '.join(changed)})")
    if changed := _changed_keys(before.guard, now.guard):
        lines.append(f"the pictures of evaluations in the guard ({', '.join(changed)})")
    return lines


def changed_values(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys whose values differ, each with both values."""
    for key in _changed_keys(before, now):
        yield f"{key} ({_shown(before.get(key))}, now {_shown(now.get(key))})"


def _changed_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _changed_names(before: Collection[InputFile], now: Collection[InputFile]) -> str:
    """Return the names of the files that only one of two builds reads, or all where none is."""
    names = {item.name for item in (*before, *now)}
    same = {item.name for item in before if item in now}
    return ", ".join(sorted(names - same or names))


def _shown(value: object) -> str:
    """Return a value of a setting in words: "limit 3; tasks 'a', 'b'"."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_shown(part)}" for key, part in value.items() if part is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return repr(value)
