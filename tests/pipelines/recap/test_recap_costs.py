"""What a dry run says of a run, option by option, beside what the server counts in that run."""

import re
from collections import Counter
from typing import Any

import pytest

from bench.stub_model import IMAGE_TOKENS
from pipelines.recap.captioning import workload

LINE = re.compile(
    r"(?:(?P<stage>[a-z ]+): )?(?P<calls>[\d,]+) calls, (?P<read>[\d,]+) tokens read "
    r"\((?P<cached>\d+) % of them from the server's cache\) and (?P<written>[\d,]+) written, "
    r".+ at the rate measured"
)
# Some first answers are no captions, and are asked for again.
REFUSED = {"match": "/region/[^/]*[05]/(sample/1/)?0$", "answer": "I cannot see it."}
PAPER = ["--recipe", "recap_paper"]
MODERN = ["--recipe", "recap_modern", "--samples", "2", "--temperature", "0.7"]


def counts_in(printed: str) -> dict[str, dict[str, int]]:
    """The numbers that a dry run prints, by stage; all calls under "all"."""
    numbers = ("calls", "read", "cached", "written")
    return {
        match["stage"] or "all": {name: int(match[name].replace(",", "")) for name in numbers}
        for match in map(LINE.match, printed.splitlines())
        if match
    }


def counted(log: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """What a server was asked and read, by stage; without the checks of servers."""
    stages: dict[str, Counter[str]] = {}
    seen = set()
    for line in sorted(log, key=lambda line: line["began"]):
        if line["id"].startswith("canary"):
            continue
        of_region = "regions" if "/region/" in line["id"] else "pictures"
        name = "answers of the judge" if "/judge/" in line["id"] else f"captions of {of_region}"
        first = line["pictures"][0]
        for stage in (name, "all"):
            count = stages.setdefault(stage, Counter())
            count["calls"] += 1
            count["read"] += len(line["prompt"].split()) + IMAGE_TOKENS * len(line["pictures"])
            count["cached"] += IMAGE_TOKENS * (first in seen)
        seen.add(first)
    return stages


@pytest.mark.parametrize("options", [PAPER, MODERN])
def test_a_dry_run_tells_what_a_server_counts(
    serve, recap_words, tmp_path, monkeypatch, options
) -> None:
    monkeypatch.setattr(workload, "token_hex", lambda _: "the same images in each run")
    server = serve(REFUSED, caches=True)
    judge = ["--judge-endpoint", server.url, "--judge-model", "judge", "--judge-min", "0.1"]
    words = ["--endpoint", server.url, "--model", "stub", "--no-canary", *options]
    words += judge if options is MODERN else ["--no-filter"]
    status, printed = recap_words(tmp_path / "out", *words, "--dry-run")
    assert status == 0, printed
    estimate = counts_in(printed)
    server.stop()
    server.start()
    server.forget()
    status, printed = recap_words(tmp_path / "out", *words)
    assert status == 0, printed
    count = counted(server.log())
    assert estimate.keys() == count.keys()
    for stage, numbers in estimate.items():
        assert numbers["calls"] == pytest.approx(count[stage]["calls"], rel=0.05), stage
        assert numbers["read"] == pytest.approx(count[stage]["read"], rel=0.05), stage
        share = 100 * count[stage]["cached"] / count[stage]["read"]
        assert numbers["cached"] == pytest.approx(share, abs=4), stage


def test_each_dry_run_asks_about_other_images(serve, recap_words, tmp_path) -> None:
    asked = []
    server = serve()
    words = ["--endpoint", server.url, "--model", "stub", "--no-canary", "--no-filter"]
    for _ in range(2):
        status, printed = recap_words(tmp_path / "out", *words, "--dry-run")
        assert status == 0, printed
        asked.append({line["id"].split("/")[2] for line in server.log()})
        server.forget()
    assert [len(images) for images in asked] == [4, 4]
    assert asked[0] != asked[1]
