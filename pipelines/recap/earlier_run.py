"""The check of the earlier run in an output, so that no captions are lost by mistake.

At the end of a run, digests of its journals and of the listings of its pictures are written to a
file. `--refilter` makes no calls, so it first compares the digests: if a file had changed, it would
delete shards that it cannot make again. A changed picture of the same size is noticed only when the
picture is read. A run of schema 1 is compared by its own record; its captions are kept. An example
of the file:

    {"recapd/train-07-9f86d081884c7d65.jsonl": "60303a...", "the pictures of train": "fcde2b..."}
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import msgspec

from pipelines.output.identity import changed_values, identity_differences
from pipelines.output.reader import names_in, read_identity
from pipelines.plan import Plan
from pipelines.recap.deciding import as_sent_before, caption_settings, deciding
from pipelines.shards.inputs import listing_digest
from pipelines.storage import files
from prompts.recap import SETS
from prompts.recap_given import GIVEN_SETS
from prompts.recap_marked import MARKED_SETS
from schemas.console import notice
from schemas.errors import BuildError, OtherSchemaError
from schemas.json_decoding import decode
from schemas.layout import IDENTITY, JOURNAL_FOLDER, MANIFEST
from schemas.manifest import BuildIdentity

_ENDED = f"{JOURNAL_FOLDER}/ended.json"
_MAX_NAMES = 3  # maximum number of changed files in a message


def check_earlier_run(plan: Plan, *, refilter: bool) -> bool:
    """Check that a plan may replace or continue the run in its output; no file is changed.

    Args:
        plan: the plan of the new run.
        refilter: whether the new run only filters the captions of the earlier run again.

    Returns:
        Whether the new run replaces everything in the output but the captions.

    Raises:
        BuildError: the plan does not fit the earlier run; the message names the remedy.
    """
    earlier = _earlier_run(plan)
    if earlier is None:
        if refilter:
            raise BuildError(
                f"{plan.output} holds no run that --refilter could filter anew. "
                "Run the same without it first, e.g. with --no-filter."
            )
        return False
    was, wanted = earlier.filter, plan.identity.recipe["filter"]
    if refilter and earlier.differences:
        raise BuildError(
            f"{plan.output} differs in {', '.join(earlier.differences)}: --refilter takes all "
            "other flags as they were when its captions were made"
        )
    if earlier.old_schema and earlier.differences:
        raise BuildError(
            f"{plan.output} is of {earlier.old_schema}, and holds a run that differs in "
            f"{', '.join(earlier.differences)}: with the flags it was made with, its captions are "
            "kept; --rebuild replaces them"
        )
    asks = _asks_judge(was, wanted)
    if refilter:
        if asks:
            raise BuildError(
                f"{plan.output} was not judged so by {wanted['judge_model']}, and --refilter asks "
                "no judge: run the same with --threshold S or --judge-min P in its place, which "
                "asks it, and keeps the captions"
            )
        _check_end(plan, was, begun=was == wanted)
    elif was != wanted and not earlier.differences and not asks:
        raise BuildError(
            f"{plan.output} holds this run with another filter ({was}, now {wanted}). "
            "To filter its captions anew, without a call, give --refilter S for --threshold S."
        )
    if changed := earlier.old_schema or (was == wanted and ", ".join(earlier.changes)):
        notice(
            f"{changed}: shards are built again from the journal; "
            "no answer that it holds is asked for again"
        )
        return True
    return was != wanted and not earlier.differences


def _asks_judge(was: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Return whether a filter has a judge that an earlier one did not ask, or not the same."""

    def judge_of(settings: Mapping[str, Any]) -> list[Any]:
        names = ("judge_model", "judge_sentences", "judge_extra_body")
        return [settings.get(name) or None for name in names]

    return bool(wanted.get("judge_model")) and judge_of(wanted) != judge_of(was or {})


def continues_captions(plan: Plan) -> bool:
    """Return whether the output holds a run with the captions of a plan, filtered or not."""
    earlier = _earlier_run(plan)
    return earlier is not None and not earlier.differences


def continues_judging(plan: Plan) -> bool:
    """Return whether the output holds a run with the captions of a plan and the same judge."""
    earlier = _earlier_run(plan)
    if earlier is None or earlier.differences:
        return False
    return not _asks_judge(earlier.filter, plan.identity.recipe["filter"])


def forget_end(output: str) -> None:
    """Delete the digests of the last run, since a new run begins."""
    files.delete([files.join(output, _ENDED)])


def remember_end(plan: Plan) -> None:
    """Write the digests of a finished run, unless the output has digests already."""
    path = files.join(plan.output, _ENDED)
    if files.exists(files.join(plan.output, MANIFEST)) and not files.exists(path):
        files.write_whole(path, msgspec.json.encode(dict(_digests(plan))))


def _check_end(plan: Plan, was: object, *, begun: bool) -> None:
    """Check that the earlier run is finished and its files unchanged, or is the run to resume."""
    path = files.join(plan.output, _ENDED)
    ended = files.exists(files.join(plan.output, MANIFEST))
    if begun and not ended:
        return
    if not ended or not files.exists(path):
        raise BuildError(
            f"{plan.output} holds a run that has not ended: end it first, with the flags it was "
            f"begun with (filter: {was})"
        )
    before, now = _read_digests(path), dict(_digests(plan))
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        raise BuildError(
            f"{plan.output} is not as its run left it ({', '.join(changed[:_MAX_NAMES])}), and "
            f"--refilter calls no captioner: first run the same as it was (filter: {was}), which "
            "asks for what is missing"
        )


def _read_digests(path: str) -> dict[str, str]:
    with files.open_read(path) as file:
        content = file.read()
    try:
        return decode(msgspec.json.Decoder(dict[str, str]), content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _digests(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the names of the journals and of the pictures' listings, each with its digest."""
    folder = files.join(plan.output, JOURNAL_FOLDER)
    for name in sorted(name for name in names_in(folder) if name.endswith(".jsonl")):
        yield name, files.sha256_of(files.join(folder, name))[0]
    for split in plan.splits:
        yield f"the pictures of {split.split}", listing_digest(split.pictures, plan.output)


class _EarlierRun(NamedTuple):
    """The run in an output, compared with a plan."""

    filter: Any  # as in its recipe
    differences: list[str]  # from the plan in what decides captions
    old_schema: str = ""  # "schema 1" where its shards cannot be kept; empty: they are of ours
    # Differences from the plan in what decides the shards but no caption; where captions differ,
    # too, there are none.
    changes: Sequence[str] = ()


def _earlier_run(plan: Plan) -> _EarlierRun | None:
    """Return the run in the output of a plan, or None if there is none."""
    path = files.join(plan.output, IDENTITY)
    if not files.exists(path):
        return None
    try:
        held = read_identity(plan.output)
    except OtherSchemaError:
        with suppress(msgspec.DecodeError):
            old = decode(msgspec.json.Decoder(_Identity1), files.FileStore().read(path))
            if "captioning" in old.recipe:
                return _EarlierRun(old.recipe.get("filter"), _differences(old, plan), "schema 1")
        raise
    was, now = held and _of_captions(held), _of_captions(plan.identity)
    differences = identity_differences(was, now)
    if not identity_differences(was, _as_sent_before(now)):
        differences = []
    changes = [] if differences else identity_differences(held, plan.identity)
    return _EarlierRun(held and held.recipe.get("filter"), differences, changes=changes)


def _of_captions(identity: BuildIdentity) -> BuildIdentity:
    """Return an identity without settings that decide no caption, nor our wordings of dialogues.

    A recipe's own wordings count, whatever they are of: they are part of the fingerprint.
    """
    names = {
        wordings.name for wordings in (*SETS, *MARKED_SETS, *GIVEN_SETS)
    } | identity.recipe.get("wordings", {}).keys()
    sources = {
        config: source.model_copy(
            update={
                "settings": deciding(source.settings),
                "wordings": {
                    name: digest for name, digest in source.wordings.items() if name in names
                },
            }
        )
        for config, source in identity.sources.items()
    }
    return identity.model_copy(update={"sources": sources})


def _as_sent_before(identity: BuildIdentity) -> BuildIdentity:
    """Return an identity with what a program sent that sent its own defaults."""
    sources = {}
    for config, source in identity.sources.items():
        captioning = as_sent_before(source.settings["captioning"])
        settings = source.settings | {"captioning": captioning}
        sources[config] = source.model_copy(update={"settings": settings})
    return identity.model_copy(update={"sources": sources})


class _Input1(msgspec.Struct):
    name: str
    sha256: str


class _Identity1(msgspec.Struct):
    """The part of schema 1's `_state/build.json` that decides captions."""

    schema_version: Literal["1"]
    recipe: dict[str, Any]
    inputs: list[_Input1]


def _differences(old: _Identity1, plan: Plan) -> list[str]:
    """Return the differences between the captions of a run of schema 1 and those of a plan."""
    settings = caption_settings(plan.resolved.identity())
    settings["captioning"] = as_sent_before(settings["captioning"])
    lines = list(changed_values(caption_settings(old.recipe), settings))
    now = {item.sha256 for item in plan.identity.inputs}
    if now != {item.sha256 for item in old.inputs}:
        names = sorted(item.name for item in old.inputs if item.sha256 not in now)
        lines.append(f"the input files ({', '.join(names)})")
    return lines
