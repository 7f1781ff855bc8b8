"""`sample-world`: pictures of shapes, annotated in the owners' formats."""

from argparse import Namespace

from pipelines.cli.scratch_folder import check_own, local_folder, mark_own
from pipelines.sample_world import write_world

MARKER = ".regionforge-world"


def run(args: Namespace) -> int:
    """Draw the sample world, where no owner's files are that it would replace."""
    world = local_folder(args.output)
    check_own(world, MARKER)
    mark_own(world, MARKER)
    write_world(world, args.size, seed=args.seed)
    print(f"drew the {args.size} sample world in {world}")
    return 0
