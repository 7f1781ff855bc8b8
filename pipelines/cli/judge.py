"""The command `judge`, which has a model rate another model's answers about regions."""

import os
from argparse import Namespace
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.command import Commands, Group, add_command, add_request_flags
from schemas.console import result, say
from schemas.counted import counted
from schemas.duration import duration
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pipelines.judge.run import JudgeJob, Result
    from pipelines.judge.settings import Judge
    from pipelines.recap.client.endpoints import Servers

PATIENCE = 600.0  # seconds
_NAMES = {"dlc": "DLC-Bench", "gar": "GAR-Bench"}


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "judge",
        "Have a model judge answers about regions, for the benchmarks that need it.",
        "judge runs/a/evaluation/eval_dlc/predictions.jsonl --shards /eval_dlc "
        "--bench dlc --questions /data/dlc_bench/qa.json "
        "--endpoint http://gpu:8000/v1 --model NAME --revision REVISION",
    )
    parser.add_argument(
        "predictions",
        metavar="PREDICTIONS",
        help="predictions of `regionforge evaluate`; or an object of captions by item, or a list "
        "of records with `model_output`, as the owners of the benchmarks ship them",
    )
    _add_questions(parser.add_argument_group("what is judged"))
    _add_judge(parser.add_argument_group("judge"))
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="the judged file to write, for `regionforge evaluate --judged`; replies are kept "
        "beside it (default: judged-BENCH.jsonl beside PREDICTIONS)",
    )


def _add_questions(group: Group) -> None:
    benches = ", ".join(f"{key}: {name}" for key, name in _NAMES.items())
    group.add_argument("--bench", required=True, choices=tuple(_NAMES), help=benches)
    group.add_argument(
        "--questions",
        required=True,
        action="append",
        metavar="FILE",
        help="dlc: qa.json, with class_names.json beside it; gar: the file of simple or of "
        "detailed captions; may be repeated",
    )
    group.add_argument(
        "--shards",
        metavar="DIR",
        help="the build that was evaluated; our own predictions and --with-picture need it",
    )
    group.add_argument(
        "--with-picture",
        action="store_true",
        help="send the regions' pictures too, from --shards; other numbers than without",
    )
    group.add_argument(
        "--image-root", metavar="DIR", help="the folder of pictures that --shards refers to"
    )


def _add_judge(group: Group) -> None:
    group.add_argument(
        "--endpoint",
        action="append",
        required=True,
        metavar="URL",
        help="base URL of a server of the OpenAI protocol; may be repeated",
    )
    group.add_argument(
        "--model", required=True, metavar="NAME", help="the server's name for the model"
    )
    group.add_argument(
        "--revision",
        default="",
        metavar="TEXT",
        help="the revision of its weights, to be named with the numbers",
    )
    group.add_argument(
        "--temperature",
        metavar="T",
        help="sampling temperature (default: 0); none: send none, for servers that refuse it",
    )
    group.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="tokens of a reply, at most (default: 300 for dlc, 1000 for gar)",
    )
    add_request_flags(group)
    group.add_argument(
        "--patience",
        type=float,
        metavar="SECONDS",
        help="how long to wait for a server that does not answer (default: 600; 10 for one that "
        "was never reached)",
    )


def run(args: Namespace) -> int:
    """Judge answers and write the judged file; return the exit status."""
    from pipelines.storage.extras import require

    require("serve", "regionforge judge")
    from pipelines.judge.run import check_output, judge
    from pipelines.runner.progress import QUIET_SECONDS, Ticker

    job = _job(args)
    check_output(job)
    _print_beginning(job)
    with Ticker("judging", patience=QUIET_SECONDS) as ticker:
        result = judge(job, ticker.say)
    _print_end(job, result)
    return 0


def _job(args: Namespace) -> "JudgeJob":
    from pipelines.cli.arguments import existing_folder
    from pipelines.cli.image_root import image_root_of
    from pipelines.judge.answers import read_answers
    from pipelines.judge.build import read_build
    from pipelines.judge.pictures import item_pictures
    from pipelines.judge.questions import read_questions
    from pipelines.judge.run import JudgeJob

    if args.with_picture and not args.shards:
        raise UsageError("--with-picture sends pictures of a build: name it by --shards DIR")
    if args.image_root and not args.with_picture:
        raise UsageError("--image-root goes with --with-picture")
    judge, servers, output = _judge(args), servers_of(args), _output(args)
    questions = read_questions(
        args.bench, [_existing_file("--questions", x) for x in args.questions]
    )
    build = read_build(existing_folder(args.shards)) if args.shards else None
    answers = read_answers(_existing_file("PREDICTIONS", args.predictions), args.bench, build)
    if not set(questions.items) & set(answers.texts):
        raise UsageError(
            f"{args.predictions} answers none of {counted(len(questions.items), 'item')} that "
            f"{' '.join(args.questions)} asks about, e.g. {questions.items[0]!r}"
        )
    root = image_root_of(args.image_root, args.shards)
    send = partial(item_pictures, args.bench, build, image_root=root) if build else None
    return JudgeJob(
        judge=judge,
        servers=servers,
        questions=questions,
        answers=answers,
        pictures=send if args.with_picture else None,
        output=output,
        checked=not args.no_canary,
    )


def _judge(args: Namespace) -> "Judge":
    from pipelines.cli.arguments import from_flags
    from pipelines.judge.settings import MAX_TOKENS, Judge
    from pipelines.recap.client.parameters import parse_extra_body

    limit = MAX_TOKENS[args.bench] if args.max_tokens is None else args.max_tokens
    values = {
        "model": args.model,
        "revision": args.revision,
        "temperature": args.temperature,
        "max_tokens": limit,
        "extra_body": parse_extra_body(args.extra_body) if args.extra_body else None,
    }
    sent_none = {"temperature": None} if args.temperature == "none" else {}
    return from_flags(Judge, _stated(values) | sent_none)


def servers_of(args: Namespace) -> "Servers":
    """Return the judge's servers; raise `UsageError` where a flag about them is invalid."""
    from pipelines.cli.arguments import from_flags
    from pipelines.recap.client.endpoints import Servers

    values = {
        "endpoints": args.endpoint,
        "api_key_env": args.api_key_env,
        "concurrency": args.concurrency,
        "time_limit": args.timeout,
        "patience": PATIENCE if args.patience is None else args.patience,
        "first_patience": args.patience,
    }
    return from_flags(Servers, _stated(values), {"time_limit": "--timeout"})


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _output(args: Namespace) -> str:
    if args.output:
        return _local_file("--output", args.output)
    beside = os.path.dirname(_existing_file("PREDICTIONS", args.predictions))
    return os.path.join(beside, f"judged-{args.bench}.jsonl")


def _local_file(flag: str, path: str) -> str:
    from pipelines.cli.arguments import folder
    from pipelines.storage import files

    if not files.is_local(path):
        raise UsageError(f"{flag} {path}: expected a file of this machine")
    return folder(path)


def _existing_file(flag: str, path: str) -> str:
    path = _local_file(flag, path)
    if not Path(path).exists():
        raise UsageError(f"{flag} {path}: no such file")
    return path


def _print_beginning(job: "JudgeJob") -> None:
    items = job.questions.items
    missing = len(set(items) - set(job.answers.texts))
    others = len(set(job.answers.texts) - set(items))
    say(f"{_NAMES[job.questions.bench]}: {job.run().title()}")
    say(f"{counted(len(job.questions.asked), 'question')} about {counted(len(items), 'item')}")
    if missing:
        say(f"without an answer, which wins no points: {counted(missing, 'item')}")
    if others:
        say(f"answers that no question is about: {others:,}")


def _print_end(job: "JudgeJob", judged: "Result") -> None:
    kinds = Counter(verdict.outcome for verdict in judged.verdicts)
    rate = judged.calls / max(judged.seconds, 1e-9)
    result(
        f"judged {counted(len(judged.verdicts), 'question')} in {duration(judged.seconds)}, "
        f"by {counted(judged.calls, 'call')} ({rate:.1f} per second)"
    )
    result("replies " + ", ".join(f"{name}: {kinds[name]:,}" for name in sorted(kinds)))
    if kinds["refused"]:
        say("run the same again to ask anew what was refused")
    result(f"wrote {job.output}")
