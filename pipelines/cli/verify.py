"""`verify`: re-read a whole build."""

from argparse import Namespace

from pipelines.cli.arguments import folder, processes
from pipelines.runner.progress import Ticker
from pipelines.verify import verify as verify_output
from pipelines.verify.report import print_report


def run(args: Namespace) -> int:
    """Verify an output; the status is 0 only if nothing is wrong."""
    with Ticker("verifying") as ticker:
        report = verify_output(
            folder(args.output),
            workers=processes(args.workers),
            image_root=args.image_root and folder(args.image_root),
            on_progress=lambda done, total: ticker.say(f"{done:,} of {total:,} records"),
        )
    print_report(report)
    return 0 if report.ok else 1
