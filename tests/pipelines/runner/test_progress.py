"""The line of progress: numbers of images per stage, and the share of packed images written."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.runner.progress import StageProgress, Ticker


def test_the_percentage_is_of_the_images_that_are_packed():
    ticker = Ticker("images:")
    progress = StageProgress(ticker)

    def log(line: str) -> None:
        progress.emit(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    for line in ("progress read +300", "progress packed +150", "progress packed +50"):
        log(line)
    assert ticker.line() == "0:00  images: read 300"
    log("progress write +50")
    assert ticker.line() == "0:00  images: read 300 · write 50 · 25%"
    log("nothing to count")
    log("progress write +150")
    assert ticker.line() == "0:00  images: read 300 · write 200 · 100%"


def test_a_log_on_a_full_disk_ends_no_work(monkeypatch):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        with pytest.raises(RuntimeError, match="the error of the work"), Ticker("images:"):
            raise RuntimeError("the error of the work")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
