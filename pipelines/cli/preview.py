"""`preview`: some records, in the terminal and as a page."""

from argparse import Namespace

from rich.console import Console

from pipelines.cli.arguments import folder, positive
from pipelines.preview import build_facts, choose, print_samples, write_page


def run(args: Namespace) -> int:
    """Show some records."""
    output = folder(args.output)
    count = positive("-n", args.count)
    records = choose(output, config=args.config, split=args.split, count=count)
    image_root = args.image_root and folder(args.image_root)
    print_samples(records, Console())
    if args.html:
        write_page(records, args.html, output, build_facts(output), image_root=image_root)
        print(f"wrote {args.html}")
    return 0
