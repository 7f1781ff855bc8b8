"""The run that an output holds already: captions cost calls, so none are thrown away unasked."""

from pipelines import files
from pipelines.outcome import IDENTITY, differences_of, read_identity
from pipelines.plan import Plan
from pipelines.publish import MANIFEST
from schemas.errors import BuildError
from schemas.manifest import BuildIdentity


def check_earlier_run(plan: Plan, *, refilter: bool) -> None:
    """See that what `plan` says goes with what its output holds; nothing there is changed.

    Args:
        plan: of a run that shall not replace the captions of another.
        refilter: it shall filter anew the captions that are there.

    Raises:
        BuildError: it does not; says what to do instead.
    """
    path = files.join(plan.output, IDENTITY)
    if not files.exists(path):
        if refilter:
            raise BuildError(
                f"{plan.output} holds no run that --refilter could filter anew. "
                "Run the same without it first, e.g. with --no-filter."
            )
        return
    there = read_identity(path)
    if there == plan.identity:
        return
    others = differences_of(there and _unfiltered(there), _unfiltered(plan.identity))
    was = there.recipe.get("filter") if there else None
    if refilter and others:
        raise BuildError(
            f"{plan.output} differs in {', '.join(others)}: --refilter takes all other flags as "
            "they were when its captions were made"
        )
    if refilter and not files.exists(files.join(plan.output, MANIFEST)):
        raise BuildError(
            f"{plan.output} holds a run that has not ended: end it first, with the flags it was "
            f"begun with (filter: {was})"
        )
    if not refilter and not others:
        raise BuildError(
            f"{plan.output} holds this run with another filter ({was}). "
            "To filter its captions anew, without a call, give --refilter S for --threshold S."
        )


def _unfiltered(identity: BuildIdentity) -> BuildIdentity:
    recipe = {name: value for name, value in identity.recipe.items() if name != "filter"}
    return identity.model_copy(update={"recipe": recipe})
