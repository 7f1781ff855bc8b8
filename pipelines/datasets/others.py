"""Data sets that others declare: in installed distributions, and in modules that a user names.

A distribution names its declarations by entry points of the group `regionforge.sources`:

    [project.entry-points."regionforge.sources"]
    birds = "my_package.birds:SPEC"

A module, or a file of Python, is named by `--source-module`, which sets the environment variable
`REGIONFORGE_SOURCE_MODULES` for worker processes; or by that variable itself. It has a `SPEC`, or
several `SPECS`. Nothing of it runs until the first look at the table of data sets.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from pipelines.datasets.spec import DatasetSpec
from schemas.errors import InputFileError, RegionForgeError, UsageError
from schemas.shortage import shortage
from schemas.source import Entry, SplitInput, Store

Parse: TypeAlias = Callable[[SplitInput, Store], Iterator[Entry]]

VARIABLE = "REGIONFORGE_SOURCE_MODULES"
GROUP = "regionforge.sources"


def name_modules(names: Sequence[str]) -> None:
    """Name modules, or files of Python, that declare data sets, for this process and its workers.

    Raises:
        UsageError: a file is not there.
    """
    whole = [_whole(name) for name in names]
    before = os.environ.get(VARIABLE, "").split(os.pathsep)
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(filter(None, [*before, *whole])))


@contextmanager
def named_modules(names: Sequence[str]) -> Iterator[None]:
    """Name modules, as `name_modules` does, for the length of a block."""
    before = os.environ.get(VARIABLE)
    try:
        if names:
            name_modules(names)
        yield
    finally:
        if before is not None:
            os.environ[VARIABLE] = before
        else:
            os.environ.pop(VARIABLE, None)


def module_words() -> list[str]:
    """Return the words of a command line that name the modules that are named now."""
    names = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    return [word for name in names for word in ("--source-module", name)]


def _whole(name: str) -> str:
    if not name.endswith(".py"):
        return name
    if not Path(name).is_file():
        raise UsageError(f"--source-module {name}: there is no such file")
    return str(Path(name).resolve())


def others_specs() -> Iterator[DatasetSpec]:
    """Yield the declarations of others, those of installed distributions first.

    Raises:
        UsageError: a module cannot be imported, or declares no data set.
    """
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            target = entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            raise UsageError(f"the entry point {entry.name} = {entry.value}: {error}") from None
        yield from _declared(target, f"the entry point {entry.name} = {entry.value}")
    for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        yield from declared_by(name)


def declared_by(name: str) -> list[DatasetSpec]:
    """Return the declarations of a module, by its name or the path of its file.

    Raises:
        UsageError: it cannot be imported, or declares no data set.
    """
    name = _whole(name)
    return _declared(load_module(name), f"the source module {name}")


def load_module(name: str) -> ModuleType:
    """Return a module by its name, or by the path of its file.

    Raises:
        UsageError: it cannot be imported.
    """
    try:
        return _from_file(Path(name)) if name.endswith(".py") else import_module(name)
    except (ModuleNotFoundError, OSError) as error:
        raise UsageError(
            f"the source module {name} cannot be imported: {error}; expected a module that is "
            "installed or on PYTHONPATH, or the path of a .py file"
        ) from None
    except SyntaxError as error:
        fault = f"{error.filename}, line {error.lineno}: {error.msg}"
        raise UsageError(f"the source module {name} cannot be imported: {fault}") from None
    except Exception as error:  # noqa: BLE001 - the code is not ours
        raise UsageError(f"the source module {name} cannot be imported: {_fault(error)}") from None


def _from_file(path: Path) -> ModuleType:
    name = f"regionforge_source_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("no file of Python")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _declared(target: object, where: str) -> list[DatasetSpec]:
    specs = target
    if isinstance(target, ModuleType):
        specs = getattr(target, "SPECS", None) or getattr(target, "SPEC", None)
    listed = list(specs) if isinstance(specs, list | tuple) else [specs]
    if not all(isinstance(spec, DatasetSpec) for spec in listed):
        raise UsageError(f"{where} declares no data set: expected SPEC = DatasetSpec(...)")
    return [
        replace(spec, parse=partial(_entries, spec.name, spec.parse))
        for spec in listed
        if isinstance(spec, DatasetSpec)
    ]


def _entries(name: str, parse: Parse, split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield what a source's `parse` does; an error in its code names the line, without ours.

    Raises:
        InputFileError: the code fails.
    """
    try:
        yield from parse(split, store)
    except (RegionForgeError, OSError):
        raise
    except Exception as error:
        if shortage(error):
            raise
        raise InputFileError(f"source {name} fails on {split.split}: {_fault(error)}") from error


def _fault(error: Exception) -> str:
    """Return where an error was raised, and what it says: "/birds.py, line 7: KeyError: 'x'"."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{where.filename}, line {where.lineno}: {type(error).__name__}: {error}"
