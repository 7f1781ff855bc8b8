"""The line of progress: numbers of images per stage, and the share of packed images written."""

import logging

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
