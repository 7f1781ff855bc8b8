"""The command line of training and evaluation: `regionforge train`, or `python -m train train`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from schemas import console
from schemas.errors import RegionForgeError, UsageError
from schemas.interruption import EXIT_TERMINATED, ending, exit_status, sigterm_as_interrupt
from schemas.process import run_process
from train import flags
from train.bench import flags as bench_flags
from train.bench.flags import check_bench
from train.evaluation import flags as evaluation_flags
from train.flag_checks import TOWERS, check_image_root, check_train
from train.libraries import hold_transformers_back, import_libraries, require_libraries
from train.serve import flag_checks as serve_checks
from train.serve import flags as serve_flags

if TYPE_CHECKING:
    from train.plan import Plan
    from train.serve.serving import EngineMaker
    from train.start import Start

_OFTOWERS = console.OUTPUT_FLAGS | {
    *("command", "recipe", "shards", "output", "model", "split", "seed", "max_steps")
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, from the command's name on, and exit."""
    words = sys.argv[1:] if argv is None else argv
    run_process(lambda: run(words))


def run(argv: Sequence[str], engines: "Mapping[str, EngineMaker] | None" = None) -> int:
    """Run a command and return its exit status; errors of the user are a line on stderr.

    Args:
        argv: the words of the command line, from the command's name on.
        engines: those of `serve --engine` beside its own, by name.
    """
    try:
        args = make_parser().parse_args(argv)
        # In a step of training, SIGTERM has that done first.
        with console.output_as(args, argv), sigterm_as_interrupt():
            require_libraries(args.command)
            _CHECKS[args.command](args)  # before torch is imported, which takes seconds
            import_libraries(args.command)
            if args.command in _ASKING:
                return _ask(args, engines or {})
            return _RUN[args.command](args)
    except (RegionForgeError, OSError) as error:
        return console.failure(error)
    except KeyboardInterrupt as interrupt:
        goes_on = "; run the same command again to go on" if argv[0] in _RESUMED else ""
        console.error(f"{ending(interrupt)}{goes_on}")
        return exit_status(interrupt)


def make_parser() -> console.Parser:
    """Return the parser of all commands of training."""
    parser = console.Parser(
        prog="regionforge", description="Training and evaluation of region models."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, line, examples, add in (
        ("train", flags.LINE, flags.EXAMPLES, flags.add_flags),
        ("evaluate", evaluation_flags.LINE, evaluation_flags.EXAMPLES, evaluation_flags.add_flags),
        ("train-bench", bench_flags.LINE, bench_flags.EXAMPLES, bench_flags.add_flags),
        *serve_flags.COMMANDS,
    ):
        command = commands.add_parser(
            name,
            help=line,
            description=line,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[console.output_flags()],
        )
        command.set_defaults(command=name)
        add(command)
    return parser


def _check_evaluate(args: argparse.Namespace) -> None:
    from train.evaluation.flag_checks import check_evaluate

    check_evaluate(args)


def _evaluate(args: argparse.Namespace) -> int:
    from train.evaluation.command import run_command

    hold_transformers_back()
    return run_command(args)


def _bench(args: argparse.Namespace) -> int:
    from train.bench.command import run_command

    hold_transformers_back()
    return run_command(args)


def _ask(args: argparse.Namespace, engines: "Mapping[str, EngineMaker]") -> int:
    from train.serve.command import RUN, serve

    hold_transformers_back()
    return serve(args, engines) if args.command == "serve" else RUN[args.command](args)


def _train(args: argparse.Namespace) -> int:
    from train.dry_run import dry_run
    from train.launch import Terminated, launch
    from train.processes import Processes
    from train.run import check_output

    hold_transformers_back()
    if args.recipe == TOWERS:
        return _make_towers(args)
    plan = make_plan(args)
    check_output(plan)
    if args.dry_run:
        console.result(dry_run(plan, rate=args.rate).removesuffix("\n"))
        return 0
    processes = Processes.join(plan.device)
    try:
        final = launch(plan, processes)
    except Terminated as error:
        if processes.leads:
            console.error(str(error))
        return EXIT_TERMINATED
    finally:
        processes.leave()
    if processes.leads:
        console.result(f"wrote {final}")
    return 0


def _make_towers(args: argparse.Namespace) -> int:
    """Train tiny towers, see `train.stage0`."""
    import torch

    from train.data.build import Build
    from train.stage0.command import shorter, write_towers
    from train.stage0.towers import tiny_towers
    from train.start import preset_named

    usual = vars(
        make_parser().parse_args(["train", "--recipe", "", "--shards", "", "--output", ""])
    )
    for name, value in vars(args).items():
        if name not in _OFTOWERS and value != usual[name]:
            raise UsageError(f"--recipe {TOWERS} takes no --{name.replace('_', '-')}")
    if len(args.shards) > 1:
        raise UsageError(f"--recipe {TOWERS} takes one --shards")
    seed = args.seed or 0
    torch.manual_seed(seed)
    config = preset_named(args.model or "proof_regiongpt")
    write_towers(
        config,
        Build.open(Path(args.shards[0])),
        Path(args.output),
        shorter(tiny_towers(config, seed), args.max_steps),
        split=args.split,
        on_step=lambda tower, step, loss: (
            None if step % 50 else console.notice(f"{tower}: step {step}, loss {loss:.3f}")
        ),
    )
    console.result(f"wrote {args.output}/vision and {args.output}/language")
    return 0


def make_plan(args: argparse.Namespace) -> "Plan":
    """Return the plan that a command line states.

    Raises:
        RegionForgeError: it cannot be run; the message names the flag or the file.
    """
    from train import plan as plans
    from train.layers import missing_compiler
    from train.recipes import recipe_named
    from train.seen import check_tracker
    from train.start import preset_for, read_config

    device = plans.device_named(args.device)
    recipe = replace(recipe_named(args.recipe), **_changes(args, device.type))
    start = _start(args, preset_for(recipe))
    read_config(start)
    if args.copy_per_host:
        plans.check_copies(recipe, device, sharded=args.sharded)
    if args.compile and (missing := missing_compiler(device)):
        raise UsageError(f"--compile needs {missing}, which is not here: leave it out")
    builds = plans.open_builds(args.shards)
    check_image_root(args.image_root, builds)
    plans.check_captions(builds, recipe, args.split, waived=args.no_recapd)
    rows = plans.open_rows(builds, args.split, args.limit, recipe.seed)
    weights = dict(args.weights)
    plans.check_weights(rows, weights)
    if args.track:
        check_tracker(args.track)
    return plans.Plan(
        recipe=recipe,
        start=start,
        builds=builds,
        rows=rows,
        output=Path(args.output),
        device=device,
        split=args.split,
        limit=args.limit,
        weights=weights,
        image_root=None if args.image_root is None else Path(args.image_root),
        micro_batch=args.micro_batch,
        workers=args.workers,
        sharded=args.sharded,
        copy_per_host=args.copy_per_host,
        recompute=args.recompute,
        compiled=args.compile,
        max_steps=args.max_steps,
        checkpoint_every=args.checkpoint_every,
        keep=args.keep,
        validate_every=args.validate_every or 0,
        validation=_validation(args, builds) if args.validate_every else None,
        spike=args.spike,
        tracker=args.track,
    )


def _start(args: argparse.Namespace, usual: str) -> "Start":
    """Return what the run starts from; `usual` is the name of the recipe's model."""
    from train.start import Start

    return Start(
        model=None if args.checkpoint else args.model or usual,
        vision=args.vision,
        language=args.language,
        init=args.init,
        checkpoint=args.checkpoint,
        lora=args.lora,
        quantized=args.qlora,
    )


def _changes(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """Return the fields of the recipe that the command line decides."""
    changes = {
        "batch": args.batch,
        "learning_rate": args.learning_rate,
        "epochs": args.epochs,
        "seed": args.seed,
        "max_length": args.max_length,
        "precision": args.precision,
        "calibrate": args.calibrate_connector,
    }
    if device == "cpu":
        if args.precision == "bfloat16":
            raise UsageError("--precision bfloat16 needs a GPU: a CPU computes in float32")
        changes["precision"] = "float32"
    trained = args.checkpoint is not None or args.init is not None  # its connector
    if trained and args.calibrate_connector is None:
        changes["calibrate"] = False
    return {key: value for key, value in changes.items() if value is not None}


def _validation(args: argparse.Namespace, builds: Any) -> Any:
    """Return the rows that are held out."""
    from train.plan import open_builds, open_rows

    if args.validate_on is not None:
        builds = open_builds([args.validate_on])
    held_out = [b for b in builds if any(s.split == "val" for s in b.manifest.shards)]
    if not held_out:
        raise UsageError(
            "--validate-every needs rows of a split val: name a build by --validate-on"
        )
    return open_rows(held_out, "val", None, 0)


_CHECKS = {
    "train": check_train,
    "evaluate": _check_evaluate,
    "train-bench": check_bench,
    "chat": serve_checks.check_chat,
    "answer": serve_checks.check_answer,
    "serve": serve_checks.check_serve,
}
_RUN = {"train": _train, "evaluate": _evaluate, "train-bench": _bench}
_ASKING = ("chat", "answer", "serve")
_RESUMED = ("train", "evaluate", "answer")
