"""The time that a browser takes for the pages of a report, and that the report takes to be written.

The report shows 1,000 photographs with 7.3 regions each. A page's time is that of its processors,
as other work on the machine changes the wall time.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.chromium import chromium, find_chromium
from bench.training_data import photo_build

TARGET_SECONDS = 2.0  # of a page


def measure_report(data: Path) -> None:
    """Write a report, open its pages, and print the times; without Chromium, say so."""
    if find_chromium() is None:
        print("\nreport: no chromium is installed")
        return
    shards = photo_build(data).folder
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report")
        command = [sys.executable, "-m", "pipelines", "report", str(shards), "--to", str(report)]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"\nreport of 1,000 photographs: written in {time.perf_counter() - started:.1f} s")
        pages = [report / "index.html", *sorted(report.glob("records-*.html"))[:2]]
        for page in pages:
            with chromium(Path(scratch, f"profile-{page.stem}")) as tab:
                tab.open(page)
                seconds = tab.processor_seconds()
            missed = " MISSED" if seconds > TARGET_SECONDS else ""
            print(f"  {page.name}: opened in {seconds:.2f} s, target {TARGET_SECONDS}{missed}")
