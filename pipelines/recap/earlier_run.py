"""The check of the earlier run in an output, so that no captions are lost by mistake.

At the end of a run, digests of its journals and of the listings of its pictures are written to a
file. `--refilter` makes no calls, so it first compares the digests: if a file had changed, it would
delete shards that it cannot make again. A changed picture of the same size is noticed only when the
picture is read. An example of the file:

    {"recapd/train-07-9f86d081884c7d65.jsonl": "60303a...", "the pictures of train": "fcde2b..."}
"""

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from pipelines.output.identity import identity_differences
from pipelines.output.reader import names_in, read_identity
from pipelines.plan import Plan
from pipelines.storage import files
from schemas.errors import BuildError
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
    if not files.exists(files.join(plan.output, IDENTITY)):
        if refilter:
            raise BuildError(
                f"{plan.output} holds no run that --refilter could filter anew. "
                "Run the same without it first, e.g. with --no-filter."
            )
        return False
    earlier = read_identity(plan.output)
    others = identity_differences(earlier and _of_captions(earlier), _of_captions(plan.identity))
    was, wanted = earlier and earlier.recipe.get("filter"), plan.identity.recipe["filter"]
    if refilter and others:
        raise BuildError(
            f"{plan.output} differs in {', '.join(others)}: --refilter takes all other flags as "
            "they were when its captions were made"
        )
    if refilter:
        _check_end(plan, was, begun=was == wanted)
    elif was != wanted and not others:
        raise BuildError(
            f"{plan.output} holds this run with another filter ({was}). "
            "To filter its captions anew, without a call, give --refilter S for --threshold S."
        )
    return was != wanted and not others


def continues_captions(plan: Plan) -> bool:
    """Return whether the output holds a run with the captions of a plan, filtered or not."""
    if not files.exists(files.join(plan.output, IDENTITY)):
        return False
    earlier = read_identity(plan.output)
    return not identity_differences(earlier and _of_captions(earlier), _of_captions(plan.identity))


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
        return msgspec.json.decode(content, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _digests(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield the names of the journals and of the pictures' listings, each with its digest."""
    folder = files.join(plan.output, JOURNAL_FOLDER)
    for name in sorted(name for name in names_in(folder) if name.endswith(".jsonl")):
        yield name, files.sha256_of(files.join(folder, name))[0]
    for split in plan.splits:
        listing = [
            f"{name}\n{size}\n"
            for name, size in files.walk(split.pictures)
            if not files.join(split.pictures, name).startswith(f"{plan.output}/")
        ]
        lines = "".join(sorted(listing)).encode("utf-8", "surrogateescape")
        yield f"the pictures of {split.split}", sha256(lines).hexdigest()


def _of_captions(identity: BuildIdentity) -> BuildIdentity:
    """Return an identity without the filter, which decides no caption."""
    sources = {
        config: source.model_copy(
            update={
                "settings": {
                    name: value for name, value in source.settings.items() if name != "filter"
                }
            }
        )
        for config, source in identity.sources.items()
    }
    return identity.model_copy(update={"sources": sources})
