"""The command `calibrate`, which finds the score that separates true captions from others."""

from argparse import Namespace
from typing import TYPE_CHECKING

from pipelines.cli.arguments import existing_folder, folder, positive
from pipelines.cli.command import (
    USUAL_CLIP,
    Commands,
    add_canary_flag,
    add_clip_flags,
    add_command,
    add_judge_flags,
    check_alpha,
)
from pipelines.storage.extras import require
from schemas.console import error, notice, result, say
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pipelines.recap.clip.calibrate import CalibrationRun
    from schemas.manifest import Manifest

_PAIRS = 2000  # of each kind, at most, where no number is given
# Kinds of hard pairs, as they are printed.
_HARD = {
    "same_image": "other regions of the same image",
    "same_class": "other images' regions of the same class",
}


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "calibrate",
        "Find the CLIP similarity that tells captions of a crop from captions of another one.",
        "calibrate /recapd --clip-model ViT-L-14 --clip-weights openai --to calibration.json",
        "calibrate /recapd --marks marks.json --to calibration.json",
        "calibrate /recapd --judge-endpoint http://gpu:8001/v1 --judge-model NAME --to judge.json",
    )
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        help="an output of `regionforge recap`, best made with --no-filter",
    )
    parser.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help="JSON for `regionforge recap --calibration`; a .png beside",
    )
    parser.add_argument(
        "--marks",
        action="append",
        default=[],
        metavar="FILE",
        help="choose by captions that people marked as good or bad in the output's report, and "
        "score nothing; may be repeated",
    )
    parser.add_argument(
        "--false-accept",
        type=float,
        metavar="SHARE",
        help="share of foreign, or bad, captions that may pass; default: the fewest errors of both "
        "kinds",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=_PAIRS,
        metavar="N",
        help="pairs of each kind, at most (default: %(default)s)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="write a threshold even where the scorer hardly tells captions apart",
    )
    add_clip_flags(parser)
    add_judge_flags(parser)
    add_canary_flag(parser)
    parser.add_argument(
        "--seed", type=int, default=0, help="number that varies the pairs (default: %(default)s)"
    )


def run(args: Namespace) -> int:
    """Score pairs, print the error rates, and write the threshold and its curve."""
    from pipelines.cli.recap_judge import check_judge_flags
    from pipelines.output.reader import read_manifest
    from pipelines.recap.clip.calibrate import CalibrationOptions, calibrate, sample_captions
    from pipelines.recap.clip.files import SUFFIX
    from pipelines.runner.progress import Ticker

    if args.false_accept is not None and not 0 <= args.false_accept < 1:
        raise UsageError(f"--false-accept {args.false_accept}: expected a share such as 0.05")
    if not args.to.endswith(SUFFIX):
        raise UsageError(f"--to {args.to!r}: expected a file such as calibration{SUFFIX}")
    output = existing_folder(args.output)
    check_judge_flags(args)
    if args.no_canary and not args.judge_model:
        raise UsageError("--no-canary goes with --judge-model: nothing else asks a server")
    if args.judge_model:
        return _write(_by_judge(args, output), args)
    if args.marks:
        return _write(_by_marks(args, read_manifest(output)), args)
    options = CalibrationOptions(
        pairs=positive("--pairs", args.pairs),
        false_accept=args.false_accept,
        seed=args.seed,
        mask_blur=bool(args.mask_blur),
        mask_alpha=bool(args.clip_alpha),
    )
    check_alpha(args)
    read_manifest(output)
    require("clip", "regionforge calibrate")
    from pipelines.recap.clip.open_clip import ClipScorer

    with Ticker("calibrating:") as ticker:
        ticker.say("choosing pairs")
        sampled = sample_captions(output, options)
        ticker.say("loading CLIP")
        scorer = ClipScorer(args.clip_model, args.clip_weights, args.device, args.clip_alpha)
        calibration_run = calibrate(
            sampled,
            scorer,
            options,
            lambda done, total: ticker.say(f"{done:,} of {total:,} pairs"),
        )
    return _write(calibration_run, args, scorer.probability(calibration_run.calibration.threshold))


def _by_judge(args: Namespace, output: str) -> "CalibrationRun":
    """Return the calibration of a judge."""
    from functools import partial

    from pipelines.cli.recap_judge import judge_fields, judge_servers, make_judge
    from pipelines.recap.clip.calibrate import CalibrationOptions
    from pipelines.recap.judge_calibration import JudgeToCalibrate, calibrate_judge
    from pipelines.recipes.recap import Captioning, Filter
    from pipelines.runner.progress import Ticker
    from pipelines.storage import files

    usual: dict[str, object] = {"marks": [], **USUAL_CLIP}
    for name, value in usual.items():
        if getattr(args, name) != value:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: --judge-model asks a judge, and scores nothing by CLIP")
    if not files.is_local(args.to):
        raise UsageError(f"--to {args.to}: answers of a judge are kept beside a local file alone")
    require("serve", "regionforge calibrate --judge-model")
    options = CalibrationOptions(
        pairs=positive("--pairs", args.pairs), false_accept=args.false_accept, seed=args.seed
    )
    kept = Filter.model_validate(judge_fields(args))
    model = kept.judge(Captioning.model_fields["max_pixels"].default)
    assert model is not None, "named by its flag"
    make = partial(make_judge, judge_servers(args), model, checked=not args.no_canary)
    judge = JudgeToCalibrate(make=make, kept=kept, model=model, answers=f"{args.to}.replies")
    with Ticker("calibrating:") as ticker:
        return calibrate_judge(
            output, judge, options, lambda done, total: ticker.say(f"{done:,} of {total:,} regions")
        )


def _by_marks(args: Namespace, manifest: "Manifest") -> "CalibrationRun":
    """Return the calibration by marks of captions of an output."""
    from pipelines.recap.clip.marks import calibrate_by_marks, load_marks
    from pipelines.recipes.recap import Filter

    usual: dict[str, object] = {"pairs": _PAIRS, "seed": 0, **USUAL_CLIP}
    for name, value in usual.items():
        if getattr(args, name) != value:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: --marks is about captions that are scored, and scores none")
    marks = load_marks([folder(path) for path in args.marks])
    scorer = Filter.model_validate(manifest.identity.recipe.get("filter") or {}).scored_by
    if marks.scorer != (scorer or ""):
        raise UsageError(
            f"--marks: the marks are of captions scored by {marks.scorer or 'nothing'!r}, "
            f"{args.output} is scored by {scorer or 'nothing'!r}: write its report, and mark there"
        )
    return calibrate_by_marks(marks, args.false_accept)


def _write(
    calibration_run: "CalibrationRun", args: Namespace, probability: float | None = None
) -> int:
    from pipelines.recap.clip.files import picture_of, write_calibration

    if not report_calibration(calibration_run, probability) and not args.force:
        error("no threshold is written; --force writes it all the same")
        return 1
    write_calibration(calibration_run, args.to)
    result(f"wrote {args.to} and {picture_of(args.to)};")
    if args.judge_model:
        result(f"for `regionforge recap`: --judge-min {args.to}, beside the judge's other flags")
        return 0
    result(
        f"for `regionforge recap`: --refilter {args.to} for these captions, "
        f"--calibration {args.to} for a new run"
    )
    return 0


def report_calibration(calibration_run: "CalibrationRun", probability: float | None = None) -> bool:
    """Print the error rates of a calibration; warn and return False if its threshold is no use.

    Args:
        calibration_run: the calibration.
        probability: the scorer's own probability of a match at the threshold, if it has one.
    """
    from pipelines.recap.clip.calibrate import LEAST_AREA

    calibration = calibration_run.calibration
    _print(calibration_run, probability)
    told_apart = "captions of one image from those of another"
    if calibration.marks:
        told_apart = "good captions from bad ones"
    if not calibration.separates:
        notice(
            f"warning: a ROC area of {calibration.roc_area:.4f} is below {LEAST_AREA}: the scorer "
            f"hardly tells {told_apart}"
        )
    return calibration.separates


def _print(calibration_run: "CalibrationRun", probability: float | None) -> None:
    calibration, sharp = calibration_run.calibration, calibration_run.sharp_area
    blurred = "" if sharp is None else f", and {sharp:.4f} without --mask-blur"
    likely = "" if probability is None else f", by its scale and bias {probability:.2%} likely"
    say(f"scorer          {calibration.scorer}")
    if marks := calibration.marks:
        say(f"marked          {marks.good:,} good, {marks.bad:,} bad")
    else:
        say(f"pairs           {calibration.pairs:,} matched, {calibration.pairs:,} shuffled")
    say(f"ROC area        {calibration.roc_area:.4f}{blurred}")
    say(f"threshold       {calibration.threshold:.5f}{likely}")
    names = ("good captions", "bad captions") if marks else ("matched pairs", "shuffled pairs")
    say(f"false accepts   {calibration.false_accept:.2%} of {names[1]}")
    for kind, words in ({} if marks else _HARD).items():
        if (hard := calibration.hard.get(kind)) is None:
            say(f"                no pairs of {words}")
        else:
            say(
                f"                {hard.false_accept:.2%} of {hard.pairs:,} pairs of {words}; "
                f"ROC area {hard.roc_area:.4f}"
            )
    say(f"false rejects   {calibration.false_reject:.2%} of {names[0]}")
    if calibration_run.filtered:
        say(
            "note: captions that scored badly had been left out of this output; for false rejects "
            "as they are, calibrate on one made with --no-filter"
        )
