"""The recipe of a `recap` run, made from flags, and the scorer for the recipe's filter."""

from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from pipelines.cli.arguments import check_flags, folder, from_flags, parse_paths, stated_fields
from pipelines.cli.command import USUAL_CLIP, check_alpha
from pipelines.cli.own_files import OWN_FILE_FLAGS, own_file_fields
from pipelines.cli.recap_judge import check_judge_flags, judge_fields
from pipelines.cli.recap_tools import in_this_process
from pipelines.datasets.spec import SourceRequest
from pipelines.guard.lists import GUARDED
from pipelines.recap.client.parameters import parse_extra_body
from pipelines.recap.clip.calibrate import load_calibration
from pipelines.recap.clip.marks import calibrate_by_marks, load_marks
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.serving.command import model_name
from pipelines.recipes.load import load_wordings
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.recipes.recap_presets import OF_JUDGE, PRESETS
from pipelines.storage.extras import require
from prompts.catalog import WORDINGS_OF
from schemas.console import say
from schemas.errors import UsageError
from schemas.sample import Task

# The flags that are not fields of a recipe, of its captioning or of its filter.
OTHER_FLAGS = frozenset(
    {
        *("source", "recipe", "data_root", "path", "label_set", "require_guard", *OWN_FILE_FLAGS),
        *("endpoint", "serve", "vllm", "serve_args", "api_key_env"),
        *("concurrency", "timeout", "patience", "no_canary"),
        *(
            "calibration",
            "no_filter",
            "refilter",
            "marks",
            "clip_model",
            "clip_weights",
            "clip_alpha",
            "device",
        ),
        *("judge_endpoint", "judge_api_key_env"),
        *("output", "workers", "runner", "rebuild", "dry_run", "source_module"),
    }
)


def recipe_of(args: Namespace) -> tuple[RecapRecipe, Callable[[], Scorer] | None]:
    """Return the recipe, and a function that makes the scorer, or None without scores.

    Raises:
        UsageError: a flag cannot be used; the message names it.
    """
    check_flags(args, [RecapRecipe, Captioning, Filter], OTHER_FLAGS)
    _fill_in(args)
    captioning = stated_fields(args, Captioning)
    if args.extra_body:
        captioning["extra_body"] = parse_extra_body(args.extra_body)
    if not args.model and args.serve:
        captioning["model"] = model_name(args.serve)
    asked = from_flags(Captioning, captioning)
    guard_paths = parse_paths(args.path, [args.source, *GUARDED])
    paths = guard_paths.pop(args.source, {})
    own = own_file_fields(args)
    if own and args.source != "coco":
        raise UsageError("--coco-annotations and the flags beside it go with --source coco")
    values = stated_fields(args, RecapRecipe)
    if args.wordings:
        values["wordings"] = load_wordings(folder(args.wordings))
        sets = (*asked.request_sets, *WORDINGS_OF[Task.REGION_DETAILED_CAPTION])
        used = sorted({wordings.name for wordings in sets})
        if not values["wordings"].keys() & used:
            raise UsageError(f"--wordings: `recap` uses none of its sets, but: {', '.join(used)}")
    kept, scorer = _filter(args)
    recipe = from_flags(
        RecapRecipe,
        values
        | {
            "sources": (
                SourceRequest(name=args.source, label_set=args.label_set, paths=paths, **own),
            ),
            "captioning": asked,
            "filter": kept,
            "guard_paths": guard_paths,
        },
    )
    return recipe, scorer


def _fill_in(args: Namespace) -> None:
    """Fill in what the recipe that is named sets, and no flag states."""
    if args.views in {"whole", "region"} and args.context is not None:
        raise UsageError(f"--context: --views {args.views} sends no crop")
    if args.views == "region" and args.serve is not None:
        raise UsageError(
            "--views region: --serve starts vLLM, which takes no regions; start `regionforge "
            "serve`, and give its --endpoint"
        )
    if (args.samples or 1) > 1 and not args.temperature:
        raise UsageError("--samples takes --temperature above 0, e.g. 0.7: at 0 all are alike")
    check_judge_flags(args)
    left_out = () if args.judge_model else OF_JUDGE
    if args.no_filter:
        left_out = ("judge_min", "measured_checks", "max_alike", "max_opening", *left_out)
    for name, value in PRESETS[args.recipe].items():
        if getattr(args, name) is None and name not in left_out:
            setattr(args, name, value)


def _filter(args: Namespace) -> tuple[Filter, Callable[[], Scorer] | None]:
    """Return the filter and a function that makes the scorer; load a scorer once for its name."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("threshold", "calibration", "no_filter", "refilter")
        if _is_given(getattr(args, name))
    ]
    number = len(given)
    if number > 1:
        raise UsageError(
            f"which captions shall be kept? {' and '.join(given)} each say so: give one of them"
        )
    if number == 0 and not _filters_unscored(args):
        raise UsageError(
            "which captions shall be kept? Give one of --threshold S, --calibration FILE (which "
            "`regionforge calibrate` writes), --no-filter, or --refilter S|FILE for a run that is "
            "there; --measured-checks, --max-alike S, --max-opening S, or --judge-min P beside "
            "--judge-model M, will do alone"
        )
    _check_marks(args)
    others = judge_fields(args) | _unscored_fields(args)
    if args.no_filter:
        _check_unscored(args, "--no-filter keeps all captions, and scores none")
        if args.judge_min is not None:
            raise UsageError("--judge-min: --no-filter keeps all captions: leave out one of them")
        for name in _unscored_fields(args):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: --no-filter keeps all captions: leave out one")
        return from_flags(Filter, others), None
    if args.refilter is not None and args.dry_run:
        raise UsageError("--dry-run says what calls would take, and --refilter makes no calls")
    if number == 0 or (args.refilter == "" and not args.marks):
        _check_unscored(args, "nothing is scored without --threshold S or --calibration FILE")
        return from_flags(Filter, others), None
    require("clip", "regionforge recap")
    from pipelines.recap.clip.open_clip import ClipScorer, worker_scorer

    check_alpha(args)
    model = (args.clip_model, args.clip_weights, args.device, args.clip_alpha)
    of_scorer = {"scorer": ClipScorer(*model).identity, "mask_alpha": bool(args.clip_alpha)}
    values = stated_fields(args, Filter) | of_scorer | others
    if args.threshold is None:
        values["threshold"] = _calibrated(args, Filter.model_validate(values).scored_by or "")
    flags = {"threshold": "--threshold" if args.refilter is None else "--refilter"}
    make = ClipScorer if in_this_process(args) else worker_scorer
    return from_flags(Filter, values, flags), partial(make, *model)


def _check_marks(args: Namespace) -> None:
    """Raise `UsageError` where `--marks` and `--refilter` do not fit together."""
    if args.marks and args.refilter != "":
        raise UsageError("--marks goes with --refilter, which takes no other threshold beside it")
    compares = args.max_alike is not None or args.max_opening is not None
    if args.refilter == "" and not args.marks and args.judge_min is None and not compares:
        raise UsageError(
            "--refilter: at which threshold? Give S, FILE, or --marks FILE, --judge-min P, "
            "--max-alike S or --max-opening S beside it"
        )


def _unscored_fields(args: Namespace) -> dict[str, Any]:
    """Return the settings of checks that need neither scorer nor judge, where they are set."""
    names = ("measured_checks", "max_alike", "max_opening")
    return {name: value for name in names if _is_given(value := getattr(args, name))}


def _is_given(value: object) -> bool:
    """Return whether a flag is given; 0 is a value, though it equals False."""
    return value is not None and value is not False


def _filters_unscored(args: Namespace) -> bool:
    return args.judge_min is not None or bool(_unscored_fields(args))


def _check_unscored(args: Namespace, why: str) -> None:
    """Raise `UsageError` where a flag of the scorer is given, and nothing is scored."""
    for name, usual in {"threshold_min": None, **USUAL_CLIP}.items():
        if getattr(args, name) != usual:
            raise UsageError(f"--{name.replace('_', '-')}: {why}")


def _calibrated(args: Namespace, scorer: str) -> float:
    """Return the threshold of `--refilter`, with its marks, or of `--calibration FILE`."""
    if args.marks:
        marked = calibrate_by_marks(load_marks([folder(path) for path in args.marks])).calibration
        threshold = marked.check_scorer(scorer).threshold
        say(
            f"by the marks, the threshold is {threshold:.5f}: {marked.false_accept:.0%} of the bad "
            f"captions pass it, {marked.false_reject:.0%} of the good ones do not"
        )
        return threshold
    with suppress(ValueError):
        if args.refilter is not None:
            return float(args.refilter)
    flag = "--calibration" if args.refilter is None else "--refilter"
    calibration = load_calibration(folder(args.calibration or args.refilter), flag)
    return calibration.check_scorer(scorer).threshold
