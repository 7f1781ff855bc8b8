"""`sample-world`: pictures of shapes, annotated in the owners' formats."""

from argparse import Namespace
from pathlib import Path

from pipelines.sample_world import write_world


def run(args: Namespace) -> int:
    """Draw the sample world."""
    write_world(Path(args.output), args.size, seed=args.seed)
    print(f"drew the {args.size} sample world in {args.output}")
    return 0
