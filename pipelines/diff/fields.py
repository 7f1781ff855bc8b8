"""The fields in which two records differ."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

# What every record repeats of its build is compared once, with the settings of the builds.
_OF_BUILD = frozenset({"provenance.builder", "provenance.recipe", "provenance.seed"})


def changed_fields(before: pa.RecordBatch, now: pa.RecordBatch) -> list[str]:
    """Return the full names of the fields in which two records differ, e.g. `regions.category`.

    A list whose length has changed is named itself.

    Args:
        before: a batch of one record.
        now: another one, of the same id.
    """
    if before.equals(now):
        return []
    names: dict[str, None] = {}
    for name, old, new in zip(before.schema.names, before.columns, now.columns, strict=True):
        if not old.equals(new):
            names |= dict.fromkeys(_differences(name, old[0].as_py(), new[0].as_py()))
    return [name for name in names if name not in _OF_BUILD]


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old:
            yield from _differences(f"{name}.{key}", old[key], new[key])
    elif _structs(old) and _structs(new) and len(old) == len(new):
        for before, now in zip(old, new, strict=True):
            yield from _differences(name, before, now)
    else:
        yield name


def _structs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
