"""The check of an output before a build writes there: is it ours, and which sources may stay?

A source stays as long as nothing has changed that decides its shards. Where something has, the
build is refused; the message names the source, the change, and the flag that replaces the source.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pipelines.output.identity import common_differences, source_differences
from pipelines.output.reader import config_with, names_in, read_identity, read_manifest
from pipelines.storage import files
from schemas.errors import BuildError, InputFileError, OtherSchemaError
from schemas.layout import IDENTITY, MANIFEST
from schemas.manifest import BuildIdentity, SourceIdentity

# Whether a build replaces all that is in its output, or the sources that it replaces.
Rebuild = bool | frozenset[str]

HALF_WRITTEN = re.compile(rf"(.*/)?{re.escape(files.TEMPORARY)}[^/]+-[0-9a-f]{{32}}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The build that an output holds, and the sources of it that a new build may keep."""

    identity: BuildIdentity | None  # None: there is none, or its record is unreadable
    configs: frozenset[str]  # of the same identity as in the new build, see `check_output`
    names: Collection[str]  # of all files of the output


def check_output(
    output: str, identity: BuildIdentity, *, rebuild: Rebuild = False, update: bool | None = None
) -> Held:
    """Return what an output holds; change nothing.

    Args:
        output: the folder of the output.
        identity: the identity of the build that shall write there.
        rebuild: True: whatever a build wrote there is replaced; or the sources to replace.
        update: whether sources of which nothing but inputs and the guard's lists has changed are
            kept, to replace the shards that the changes touch; None: it cannot be chosen.

    Raises:
        BuildError: the output holds files that no build wrote; or work of a build that differs, is
            of another schema or cannot be recognized, and is not to be replaced.
    """
    names = frozenset(names_in(output))
    working = {config for name in names if (config := config_with(name)) and _is_whole(name)}
    kept = set() if rebuild is True else working - (rebuild or set())
    try:
        before = _identity_in(output, names)
    except OtherSchemaError as error:
        if kept:
            raise BuildError(f"{error}, or choose another --output.") from None
        before = None
    now = _updated(before, identity) if before and update else identity
    for problem in _problems(before, now, kept, updatable=update is not None):
        raise BuildError(f"{output} holds {problem}")
    return Held(identity=before, configs=frozenset(kept), names=names)


def check_settings(output: str, identity: BuildIdentity, *, rebuild: Rebuild) -> None:
    """Check an output as `check_output` does, as far as that goes before inputs are read.

    Args:
        output: the folder of the output.
        identity: the identity of the build, of whose inputs and guard nothing is known yet.
        rebuild: what is replaced, as in `check_output`.

    Raises:
        BuildError: as in `check_output`; changed inputs and another guard are not noticed.
    """
    try:
        before = _identity_in(output, frozenset(names_in(output)))
    except OtherSchemaError:
        before = None  # `check_output` decides
    held = before.sources if before else {}
    sources = {
        config: _with_inputs(now, held[config]) if config in held else now
        for config, now in identity.sources.items()
    }
    check_output(output, identity.model_copy(update={"sources": sources}), rebuild=rebuild)


def _with_inputs(now: SourceIdentity, held: SourceIdentity) -> SourceIdentity:
    """Return an identity with the inputs and the guard of another one."""
    settings = now.settings | {"guard": held.settings.get("guard")}
    return now.reading(held).model_copy(update={"settings": settings})


def _updated(before: BuildIdentity, now: BuildIdentity) -> BuildIdentity:
    """Return the identity of a build as if the inputs of its sources had not changed."""
    sources = {
        config: source.reading(before.sources[config]) if config in before.sources else source
        for config, source in now.sources.items()
    }
    return now.model_copy(update={"sources": sources})


def _identity_in(output: str, names: Collection[str]) -> BuildIdentity | None:
    if IDENTITY in names:
        return read_identity(output)
    if MANIFEST in names:
        try:
            return read_manifest(output).identity
        except OtherSchemaError:
            raise
        except InputFileError:
            pass
    if all(HALF_WRITTEN.fullmatch(name) for name in names):
        return None
    raise BuildError(f"{output} holds files that no build of ours wrote. Choose an empty --output.")


def _problems(
    before: BuildIdentity | None, now: BuildIdentity, kept: Collection[str], *, updatable: bool
) -> Iterator[str]:
    """Yield the reasons why the sources that shall be kept cannot be, each with the remedy."""
    if not kept:
        return
    replace = "Choose another --output, or replace everything with --rebuild."
    if before is None:
        yield f"another build, whose record is unreadable. {replace}"
        return
    if differences := common_differences(before, now):
        yield f"another build, which differs in {', '.join(differences)}. {replace}"
    if left_out := sorted(kept - now.sources.keys()):
        yield f"{' and '.join(left_out)}, which this build leaves out. {replace}"
    lines = {config: _changes(before, now, config) for config in sorted(kept)}
    if changed := {config: parts for config, parts in lines.items() if parts}:
        shown = "; ".join(f"{config}: {', '.join(parts)}" for config, parts in changed.items())
        splits = any(
            before.sources[config].settings.get("splits")
            != now.sources[config].settings.get("splits")
            for config in changed
            if config in before.sources
        )
        advice = " Splits that belong into one output are given in one command." if splits else ""
        replaced = f"replace {' and '.join(changed)} alone with --rebuild {','.join(changed)}"
        if updatable and not any(_problems(before, _updated(before, now), kept, updatable=False)):
            replaced = f"write the shards that this touches with --update, or {replaced}"
        yield (
            f"another build, which differs in {shown}. Choose another --output, or {replaced}."
            f"{advice}"
        )


def _changes(before: BuildIdentity, now: BuildIdentity, config: str) -> list[str]:
    if config not in before.sources:
        return ["everything (its record is lost)"]
    return source_differences(before.sources[config], now.sources[config])


def _is_whole(name: str) -> bool:
    return not HALF_WRITTEN.fullmatch(name)
