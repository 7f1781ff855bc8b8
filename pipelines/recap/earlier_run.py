"""The run that an output holds already: captions cost calls, so none are thrown away unasked.

When a run has ended, digests of its journals and of the listing of its pictures are written down.
`--refilter` asks nobody, so it first sees that all is as it was: else it would clear shards that it
cannot rebuild. A picture that has changed and kept its size is only found out as it is read.
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

ENDED = f"{JOURNAL_FOLDER}/ended.json"
MENTIONED = 3  # of what has changed


def check_earlier_run(plan: Plan, *, refilter: bool) -> bool:
    """See that what `plan` says goes with what its output holds; nothing there is changed.

    Args:
        plan: of a run that shall not replace the captions of another.
        refilter: it shall filter anew the captions that are there.

    Returns:
        Whether all but the captions that are there gives way to the run.

    Raises:
        BuildError: it does not; says what to do instead.
    """
    if not files.exists(files.join(plan.output, IDENTITY)):
        if refilter:
            raise BuildError(
                f"{plan.output} holds no run that --refilter could filter anew. "
                "Run the same without it first, e.g. with --no-filter."
            )
        return False
    there = read_identity(plan.output)
    others = identity_differences(there and _of_captions(there), _of_captions(plan.identity))
    was, wanted = there and there.recipe.get("filter"), plan.identity.recipe["filter"]
    if refilter and others:
        raise BuildError(
            f"{plan.output} differs in {', '.join(others)}: --refilter takes all other flags as "
            "they were when its captions were made"
        )
    if refilter:
        _check_end(plan, was, begun=there == plan.identity)
    elif was != wanted and not others:
        raise BuildError(
            f"{plan.output} holds this run with another filter ({was}). "
            "To filter its captions anew, without a call, give --refilter S for --threshold S."
        )
    return there != plan.identity and not others


def forget_end(output: str) -> None:
    """Take note that a run has begun."""
    files.delete([files.join(output, ENDED)])


def remember_end(plan: Plan) -> None:
    """Take note of what a run that has ended leaves; one that ended before it is remembered."""
    path = files.join(plan.output, ENDED)
    if files.exists(files.join(plan.output, MANIFEST)) and not files.exists(path):
        files.write_whole(path, msgspec.json.encode(dict(_left(plan))))


def _check_end(plan: Plan, was: object, *, begun: bool) -> None:
    """See that a run has ended and all is as it was then, or that it is ours and only goes on."""
    path = files.join(plan.output, ENDED)
    ended = files.exists(files.join(plan.output, MANIFEST))
    if begun and not ended:
        return
    if not ended or not files.exists(path):
        raise BuildError(
            f"{plan.output} holds a run that has not ended: end it first, with the flags it was "
            f"begun with (filter: {was})"
        )
    noted, found = _noted(path), dict(_left(plan))
    changed = [name for name in {**noted, **found} if noted.get(name) != found.get(name)]
    if changed:
        raise BuildError(
            f"{plan.output} is not as its run left it ({', '.join(changed[:MENTIONED])}), and "
            f"--refilter asks nobody: run the same as it was (filter: {was}) first, which asks for "
            "what is missing"
        )


def _noted(path: str) -> dict[str, str]:
    with files.open_read(path) as file:
        content = file.read()
    try:
        return msgspec.json.decode(content, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _left(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield digests of the journals and of the listings of pictures, with what they are of."""
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
    """Return an identity without what decides no caption: the filter, and what writes shards."""
    recipe = {name: value for name, value in identity.recipe.items() if name != "filter"}
    return identity.model_copy(update={"recipe": recipe, "builder": "", "schema_version": ""})
