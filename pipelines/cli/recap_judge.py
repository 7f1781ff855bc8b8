"""The judge of a `recap` run, made from flags."""

import asyncio
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.cli.arguments import folder, from_flags
from pipelines.cli.judge import servers_of
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.client.parameters import parse_extra_body
from pipelines.recap.clip.calibrate import load_calibration
from pipelines.recipes.recap import Filter
from pipelines.recipes.recap_judge import JudgeModel
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pipelines.recap.client.checked import CheckedCaptioner
    from pipelines.recap.client.endpoints import Servers
    from pipelines.recap.flow import CaptionTools

_WITH_MODEL = ("min", "sentences", "endpoint", "api_key_env", "extra_body")


def check_judge_flags(args: Namespace) -> None:
    """Check that the flags of a judge fit together.

    Raises:
        UsageError: the message names the flags that do not fit.
    """
    if not args.judge_model:
        for name in _WITH_MODEL:
            value = getattr(args, f"judge_{name}", None)
            if value not in (None, [], ""):
                flag = f"--{'no-' * (value is False)}judge-{name.replace('_', '-')}"
                raise UsageError(
                    f"{flag} goes with --judge-model NAME: what the server at --judge-endpoint "
                    "calls the model that shall judge"
                )
        return
    if not args.judge_endpoint and getattr(args, "refilter", None) is None:
        raise UsageError(
            "--judge-endpoint URL: where the server of --judge-model is, e.g. http://gpu:8001/v1"
        )


def judge_fields(args: Namespace) -> dict[str, Any]:
    """Return the fields of the filter about the judge; empty without one.

    Raises:
        UsageError: a value cannot be used, or a calibration is of another judge.
    """
    if not args.judge_model:
        return {}
    values: dict[str, Any] = {
        "judge_model": args.judge_model,
        "judge_sentences": bool(args.judge_sentences),
    }
    least = getattr(args, "judge_min", None)  # which `calibrate` has not, as it finds it
    if args.judge_extra_body:
        values["judge_extra_body"] = parse_extra_body(args.judge_extra_body, "--judge-extra-body")
    if least is not None:
        judged_by = from_flags(Filter, values).judged_by
        values["judge_min"] = _least(least, judged_by or "")
    return values


def _least(given: str | float, judged_by: str) -> float:
    """Return the probability of `--judge-min P|FILE`."""
    with suppress(ValueError):
        return float(given)
    calibration = load_calibration(folder(str(given)), "--judge-min")
    if calibration.scorer != judged_by:
        raise UsageError(
            f"--judge-min {given}: the calibration is for {calibration.scorer!r}, this run is "
            f"judged by {judged_by!r}: calibrate anew, or give the same --judge-model, "
            "--judge-sentences and --judge-extra-body"
        )
    return calibration.threshold


def with_judge(tools: "CaptionTools", args: Namespace, model: JudgeModel | None) -> "CaptionTools":
    """Return the tools of a run with the judge, if there is one; errors as in `judge_servers`."""
    if model is None:
        return tools
    if args.refilter is not None:
        return replace(tools, judge=ReplayOnlyCaptioner)
    checked = not args.no_canary
    return replace(tools, judge=partial(make_judge, judge_servers(args), model, checked=checked))


def make_judge(servers: "Servers", model: JudgeModel, *, checked: bool) -> "CheckedCaptioner":
    """Return a judge that is checked before its first answer, if at all; nothing is sent yet."""
    from pipelines.recap.client.captioner import OpenAICaptioner
    from pipelines.recap.client.checked import CheckedCaptioner
    from pipelines.recap.client.judge_canary import check_judge

    return CheckedCaptioner(OpenAICaptioner(servers, model), check_judge if checked else _no_check)


def check_judge_now(tools: "CaptionTools") -> None:
    """Check the servers of a judge at once, if there is one; raise `BuildError` if one is unfit."""
    if tools.judge is not None:
        asyncio.run(_check(tools.judge))


async def _check(make: Callable[[], Captioner]) -> None:
    from pipelines.recap.client.checked import CheckedCaptioner

    judge = make()
    assert isinstance(judge, CheckedCaptioner), "only servers are checked"
    try:
        await judge.check()
    finally:
        await judge.close()


async def _no_check(judge: object) -> None:
    """Do nothing: the server is known."""


def judge_servers(args: Namespace) -> "Servers":
    """Return the servers of the judge; raise `UsageError` where a flag about them is invalid."""
    where = Namespace(
        endpoint=args.judge_endpoint,
        api_key_env=args.judge_api_key_env,
        concurrency=getattr(args, "concurrency", None),
        timeout=getattr(args, "timeout", None),
        patience=getattr(args, "patience", None),
    )
    try:
        return servers_of(where)
    except UsageError as error:
        raise UsageError(str(error).replace("--endpoint", "--judge-endpoint")) from None
