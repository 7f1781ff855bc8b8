"""The flags of `build` about the categories of a source that are not its owner's."""

from pipelines.cli.command import Group


def add_category_flags(group: Group) -> None:
    """Declare the flags."""
    group.add_argument(
        "--label-set",
        action="append",
        default=[],
        metavar="[SOURCE=]NAME",
        help="the name of a source's categories as a set, if not the name its owner gives them "
        "(of your own file: Custom-N, of N categories)",
    )
    group.add_argument(
        "--complete",
        action="append",
        default=[],
        metavar="SOURCE",
        help="every object of its categories is annotated, though they are not its owner's: for "
        "tasks that count objects or say what a region is not",
    )
