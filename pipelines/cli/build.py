"""The command `build`, which turns data sets' files into shards, or estimates such a build."""

import argparse
import time
from argparse import Namespace

from pipelines.cli.category_flags import add_category_flags
from pipelines.cli.command import (
    Commands,
    Group,
    add_command,
    add_engine_flags,
    add_guard_flags,
    add_input_flags,
    add_shard_flags,
)
from pipelines.cli.own_files import add_own_file_flags
from pipelines.recipes import recipe_names
from prompts.cutting import MAX_WORDS
from prompts.instruction import (
    MAX_REC_NEGATIVES,
    NO_BOX_SHARE,
    REC_NEGATIVES,
    InstructionMode,
)
from schemas.console import result, write_json
from schemas.style import Style


class _Help(argparse.RawDescriptionHelpFormatter):
    """The help with the papers' caps, which are looked up only where it is shown."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = super()._get_help_string(action)
        return f"{text} (default: {_papers_caps()})" if action.dest == "image_caps" else text


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "build",
        "Build instruction shards. Flags not listed here go to Beam.",
        "build --sources coco --data-root /data --output /shards --workers 4",
        "build --recipe regiongpt_finetune --data-root /data --output /mix --recapd /recapd "
        "--workers 4",
        json=True,
        takes_others=True,
    )
    parser.formatter_class = _Help
    inputs = parser.add_argument_group("inputs")
    _add_mix(inputs)
    add_input_flags(inputs)
    _add_detections(inputs)
    _add_captions(inputs)
    add_guard_flags(inputs)
    _add_coco(inputs)
    records = parser.add_argument_group("records")
    _add_records(records)
    _add_regions(records)
    _add_wordings(records)
    _add_output(parser.add_argument_group("output and run"))


def run(args: Namespace) -> int:
    """Build shards, or print the estimate of a dry run; return the exit status."""
    from pipelines.card.coverage import print_coverage
    from pipelines.card.guard import print_guard
    from pipelines.card.summary import print_summary
    from pipelines.card.summary_json import summary_json
    from pipelines.cli.arguments import existing_folder, output_folder
    from pipelines.cli.before_build import check_guard_flags, launch_options, print_warnings
    from pipelines.cli.build_recipe import rebuild_of, recipe_of
    from pipelines.cli.dry_run import print_dry_run
    from pipelines.guard import check_guard
    from pipelines.output.check import check_output
    from pipelines.output.reader import read_ledger
    from pipelines.plan import make_plan
    from pipelines.runner.launch import launch, write_template
    from pipelines.runner.progress import QUIET_SECONDS, Ticker
    from pipelines.storage.file_digests import FileDigests

    recipe = recipe_of(args)
    rebuild = rebuild_of(args, recipe)
    options = launch_options(args, rebuild)
    check_guard_flags(args, recipe)
    with Ticker("looking at the inputs", patience=QUIET_SECONDS):
        digests = FileDigests() if rebuild else None  # then every input is read again
        root, output = existing_folder(args.data_root, "--data-root"), output_folder(args.output)
        plan = make_plan(recipe, root, output, digests=digests, rebuild=rebuild)
    print_guard(plan)
    if args.require_guard:
        check_guard(plan.guard, plan.recipe)
    if args.dry_run:
        check_output(plan.output, plan.identity, rebuild=rebuild, update=args.update)
        print_dry_run(plan, options, as_json=args.json)
        print_warnings(plan, options)
        return 0
    print_warnings(plan, options)
    if options.template:
        write_template(plan, options)
        result(
            f"The template is {options.template}. Once a job of it has ended, this command without "
            "--template_location checks what it wrote."
        )
        return 0
    started = time.monotonic()
    manifest = launch(plan, options)
    seconds = time.monotonic() - started
    if args.json:
        write_json(summary_json(plan, manifest, seconds))
        return 0
    print_summary(plan, manifest, seconds)
    print_coverage(plan, manifest, read_ledger(plan.output))
    return 0


def _add_mix(group: "argparse._ArgumentGroup") -> None:
    mix = group.add_mutually_exclusive_group(required=True)
    mix.add_argument(
        "--sources",
        dest="source_names",
        metavar="A,B",
        help="names of sources, see `regionforge sources`",
    )
    mix.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"a mix or an evaluation: {', '.join(recipe_names())}; or a .yaml file of your own. "
        "Flags overrule what it says",
    )


def _add_detections(group: Group) -> None:
    group.add_argument(
        "--detections",
        action="append",
        default=[],
        metavar="SOURCE=FILE",
        help="boxes of a detector for a source, in COCO's format of results; may be repeated",
    )
    group.add_argument(
        "--detection-names",
        metavar="coco|lvis|FILE",
        help="the names of their categories; FILE has a name per line, or JSON categories",
    )


def _add_captions(group: Group) -> None:
    group.add_argument(
        "--recapd",
        metavar="DIR",
        help="an output of `regionforge recap`: its captions go with their regions",
    )
    group.add_argument(
        "--no-recapd",
        action="store_true",
        default=None,
        help="leave out the detailed captions that a recipe asks for",
    )


def _add_coco(group: Group) -> None:
    group.add_argument(
        "--coco-year", type=int, choices=(2014, 2017), help="release of COCO (default: 2017)"
    )
    add_own_file_flags(group)
    add_category_flags(group)
    group.add_argument(
        "--edition",
        action="append",
        default=[],
        metavar="[SOURCE=]NAME",
        help="which of a source's files, e.g. mix665k (default: the one that is there)",
    )
    group.add_argument(
        "--limit", type=int, metavar="N", help="take N images of each split, by hash"
    )


def _add_records(group: Group) -> None:
    group.add_argument(
        "--style",
        choices=[style.value for style in Style],
        help=f"style of the conversations (default: {Style.REGIONGPT})",
    )
    group.add_argument(
        "--mode",
        choices=[mode.value for mode in InstructionMode],
        help="how the regions of a classification spread over turns (default: "
        f"{InstructionMode.MULTI_TURN_ALL}; in an evaluation: {InstructionMode.ONE_TURN_ONE})",
    )
    group.add_argument(
        "--merge",
        action=argparse.BooleanOptionalAction,
        help="an image's tasks of one source share conversations (default: off)",
    )
    group.add_argument(
        "--max-words",
        type=int,
        metavar="N",
        help=f"cut conversations of more than N words between turns (default: {MAX_WORDS})",
    )


def _add_regions(group: Group) -> None:
    group.add_argument(
        "--per-category",
        dest="category_caps",
        action="append",
        default=[],
        metavar="[SOURCE=]N|all",
        help="take N regions of each category, by hash; may be repeated",
    )
    group.add_argument(
        "--per-image",
        dest="image_caps",
        action="append",
        default=[],
        metavar="[SOURCE=]N|all",
        help="take at most N regions of an image for phrases about them, and N for relationships, "
        "by hash; may be repeated",  # `_Help` adds the caps of the papers
    )
    group.add_argument(
        "--min-words",
        type=int,
        metavar="N",
        help="leave out phrases about regions of fewer than N words",
    )
    group.add_argument(
        "--rec-negatives",
        type=float,
        metavar="SHARE",
        help="share of questions about referring expressions that no candidate fits, 0 to "
        f"{MAX_REC_NEGATIVES}; they ask for expressions of other images (default: {REC_NEGATIVES})",
    )
    group.add_argument(
        "--no-box-share",
        type=float,
        metavar="SHARE",
        help=f"share of image conversations that declare no regions (default: {NO_BOX_SHARE})",
    )


def _add_wordings(group: Group) -> None:
    group.add_argument(
        "--plain-captions",
        action="store_true",
        default=None,
        help="image captions follow the image alone, without a request",
    )
    group.add_argument(
        "--wordings", metavar="FILE", help="sets of wordings of your own, as YAML or JSON"
    )
    group.add_argument("--seed", type=int, help="number that varies the choices (default: 0)")


def _add_output(group: Group) -> None:
    group.add_argument("--output", required=True, metavar="DIR", help="the folder to write into")
    group.add_argument(
        "--images",
        choices=("embed", "reference"),
        help="store pictures, or their paths (default: embed)",
    )
    add_engine_flags(group)
    add_shard_flags(group)
    group.add_argument(
        "--rebuild",
        nargs="?",
        const=True,
        default=False,
        metavar="A,B",
        help="replace the shards of these sources alone; without names, all that the output holds",
    )
    group.add_argument(
        "--update",
        action="store_true",
        help="where nothing but the owners' files has changed, replace only the shards that this "
        "touches",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="only say what would be read and written"
    )


def _papers_caps() -> str:
    from pipelines.datasets.catalog import papers_caps  # imports all sources

    caps = {style: papers_caps(style) for style in Style}
    by_style = (
        f"{style}: {', '.join(f'{name}={cap}' for name, cap in caps[style].items())}"
        for style in Style
        if caps[style]
    )
    listed = "; in style ".join(by_style)
    return f"the papers' caps, in style {listed}; all of other sources, and in evaluations"
