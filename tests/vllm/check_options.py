"""The options of `recap` beyond the paper, with a real vLLM: views, answers in parts, a judge.

Run by `make test-vllm`, beside `check_serve.py`. One server of a tiny model, which takes two
pictures, captions and judges for all tests; its own counters tell what it was asked. The model has
learnt neither JSON nor yes and no: a schema and a list of two words hold its answers to a form, and
a bias of two tokens has it end its texts. What it answers so means nothing, which filters take as
any answer.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.against_vllm import MODEL, served
from pipelines.recap.serving.server import Server
from pipelines.sample_world import write_world

VLLM = Path(os.environ["REGIONFORGE_VLLM"])
FLAGS = (
    "--enforce-eager --enable-prefix-caching --block-size 32 --enable-prompt-tokens-details "
    """--structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}'"""
)
CONCURRENCY = 8
KILLED_AFTER = 30  # answers
MODERN = (
    *("--recipe", "recap_modern", "--views", "both-masked", "--samples", "2"),
    *("--temperature", "0.4", "--region-tokens", "250"),
)
EVERYTHING = (*MODERN, *("--judge-min", "0.5", "--max-opening", "0.99", "--max-alike", "0.99"))
YES_OR_NO = json.dumps({"structured_outputs": {"choice": ["Yes", "No"]}})
_COUNTER = re.compile(r"^vllm:(\w+?)(?:_total)?\{[^}]*\} ([\d.e+]+)$", re.MULTILINE)
_ESTIMATE = re.compile(r"^([\d,]+) calls, ([\d,]+) tokens read \((\d+) %", re.MULTILINE)

pytestmark = pytest.mark.timeout(1200)


class Counts(NamedTuple):
    """What the server counts of all that it was asked."""

    calls: float
    read: float  # tokens
    cached: float  # of these

    @classmethod
    def of(cls, server: Server) -> "Counts":
        url = f"{server.url.removesuffix('/v1')}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            text = answer.read().decode()
        sums: dict[str, float] = defaultdict(float)
        for name, value in _COUNTER.findall(text):
            sums[name] += float(value)
        names = ("request_success", "prompt_tokens", "prefix_cache_hits")
        return cls(*(sums[name] for name in names))

    def since(self, before: "Counts") -> "Counts":
        return Counts(*(now - then for now, then in zip(self, before, strict=True)))


class Recap:
    """Runs of `recap` in processes of their own, all into one output."""

    def __init__(self, server: Server, world: Path, output: Path) -> None:
        self.output = output
        self._log = output.with_suffix(".log")
        self._command = [
            *(sys.executable, "-m", "pipelines", "recap", "--source", "coco"),
            *("--label-set", "Shapes-15", "--data-root", str(world), "--output", str(output)),
            *("--endpoint", server.url, "--model", MODEL, "--concurrency", str(CONCURRENCY)),
        ]
        self.judge = (
            *("--judge-endpoint", server.url, "--judge-model", MODEL),
            *("--judge-extra-body", YES_OR_NO),
        )

    def start(self, *more: str) -> "subprocess.Popen[bytes]":
        with self._log.open("wb") as log:
            return subprocess.Popen([*self._command, *more], stdout=log, stderr=log)

    def run(self, *more: str) -> str:
        """What a run prints that succeeds."""
        status = self.start(*more).wait()
        assert status == 0, self.printed()
        return self.printed()

    def printed(self) -> str:
        """What the last run has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def answers(self) -> Counter[str]:
        """How often each id is in a journal."""
        paths = self.output.glob("_state/captions/**/*.jsonl")
        lines = [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]
        return Counter(json.loads(line)["id"] for line in lines if line.endswith(b"\n"))

    def regions(self) -> list[dict[str, Any]]:
        """The regions of all records in the shards."""
        import pyarrow as pa

        rows: list[dict[str, Any]] = []
        for path in sorted(self.output.glob("recapd/*.arrow")):
            with pa.memory_map(str(path)) as shard:
                rows += pa.ipc.open_stream(shard).read_all().to_pylist()
        return [region for row in rows for region in row["regions"]]

    def rejected(self) -> Counter[str]:
        """How many regions were left out, by reason."""
        ledger = json.loads((self.output / "ledger.json").read_text(encoding="utf-8"))
        reasons: Counter[str] = Counter()
        for split in ledger["sources"]["recapd"].values():
            for stage in split.values():
                reasons.update(stage.get("annotation", {}).get("rejected", {}))
        return reasons

    def verify(self) -> None:
        words = [sys.executable, "-m", "pipelines", "verify", str(self.output)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A vLLM that captions and judges."""
    with served(VLLM, VLLM / "llava", tmp_path_factory.mktemp("server"), FLAGS, 2) as started:
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world."""
    root = tmp_path_factory.mktemp("world")
    write_world(root, "small")
    return root


@pytest.fixture(scope="module")
def in_json(server: Server) -> tuple[str, ...]:
    """Flags by which the model ends the texts and the lists of an answer in JSON."""
    bias = {token_of(server, '"'): 8, token_of(server, "]"): 7}
    return "--extra-body", json.dumps({"logit_bias": bias})


def token_of(server: Server, text: str) -> str:
    """The number of the token that a short text is."""
    body = json.dumps({"model": MODEL, "prompt": text, "add_special_tokens": False}).encode()
    key = os.environ["OPENAI_API_KEY"]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    url = f"{server.url.removesuffix('/v1')}/tokenize"
    request = urllib.request.Request(url, body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        [token] = json.load(answer)["tokens"]
    return str(token)


@pytest.fixture
def recap(server: Server, world: Path, tmp_path: Path) -> Recap:
    return Recap(server, world, tmp_path / "recapd")


def wait_for(true: Callable[[], bool], seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not so after {seconds:g} s"
        time.sleep(0.05)


def test_all_options_at_once_killed_and_resumed(
    server: Server, recap: Recap, in_json: tuple[str, ...]
) -> None:
    words = (*EVERYTHING, *in_json, *recap.judge, "--limit", "6", "--no-canary")
    before = Counts.of(server)
    process = recap.start(*words)
    wait_for(lambda: recap.answers().total() >= KILLED_AFTER or process.poll() is not None)
    assert process.poll() is None, "it was too fast to be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    answered = recap.answers()

    recap.run(*words)
    recap.verify()
    asked = recap.answers()
    assert set(asked.values()) == {1}, "an answer was asked for again"
    assert answered.keys() <= asked.keys()
    kinds = Counter(name for key in asked for name in ("/sample/", "/judge/") if name in key)
    assert min(kinds["/sample/"], kinds["/judge/"]) > 5  # as many as the checks leave
    calls = Counts.of(server).since(before)
    assert 0 <= calls.calls - len(asked) <= 2 * CONCURRENCY, "more than were in flight"
    assert calls.cached > 0.2 * calls.read, "calls about a picture begin with the same bytes"

    captioned = recap.regions()
    assert captioned
    assert any(len(region["captions"]) == 3 for region in captioned)
    assert any(each["name"] == "colour" for region in captioned for each in region["attributes"])
    judged = {caption["judge"] for region in captioned for caption in region["captions"]}
    assert judged <= {0.0, 1.0}, "its yes and no are of several tokens each"
    assert recap.rejected()["region_small"] > 0

    counts = Counts.of(server)
    recap.run(*words)
    assert Counts.of(server) == counts, "all is there"


@pytest.mark.parametrize(
    "options",
    [
        ("--views", "whole", "--neighbours", "--temperature", "0"),
        ("--views", "both", "--context", "1", "--samples", "2", "--temperature", "0.3"),
    ],
)
def test_a_dry_run_tells_what_the_server_counts(
    server: Server, recap: Recap, options: tuple[str, ...]
) -> None:
    words = (*options, "--no-filter", "--min-words", "0", "--no-global-caption")
    estimate = _ESTIMATE.findall(recap.run(*words, "--dry-run"))[-1]
    calls, read, share = (int(number.replace(",", "")) for number in estimate)
    before = Counts.of(server)
    recap.run(*words, "--no-canary")
    recap.verify()
    counted = Counts.of(server).since(before)
    assert counted.calls == len(recap.answers())
    assert calls == pytest.approx(counted.calls, rel=0.2)
    assert read == pytest.approx(counted.read, rel=0.2)
    assert share == pytest.approx(100 * counted.cached / counted.read, abs=20)


def test_a_calibrated_judge_filters_without_a_call(
    server: Server, recap: Recap, tmp_path: Path
) -> None:
    even = json.loads(YES_OR_NO) | {"logit_bias": {token_of(server, "N"): 0.08}}
    judge = (*recap.judge[:-1], json.dumps(even))  # which says both, the one as often as the other
    words = (
        *("--views", "both", "--no-global-caption", "--region-tokens", "24", "--min-words", "0"),
        *("--temperature", "0.4", *judge, "--limit", "6", "--no-canary"),
    )
    recap.run(*words, "--no-filter")
    unfiltered = [region["captions"][0]["judge"] for region in recap.regions()]
    assert set(unfiltered) == {0.0, 1.0}

    before, to = Counts.of(server), tmp_path / "judge.json"
    command = [sys.executable, "-m", "pipelines", "calibrate", str(recap.output), *judge]
    command += ["--no-canary", "--to", str(to), "--pairs", "20", "--force"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        replies = (tmp_path / "judge.json.replies/replies.jsonl").read_bytes().splitlines()
        ids = Counter(json.loads(line)["id"] for line in replies)
        asked = Counts.of(server).since(before).calls
        assert asked == len(ids) == ids.total() > 40, "no answer is asked for again"
    threshold = json.loads(to.read_text(encoding="utf-8"))["threshold"]
    assert threshold <= 1

    before = Counts.of(server)
    for least in (str(to), "0.5"):
        recap.run(*words, "--refilter", "--judge-min", least)
        recap.verify()
        limit = threshold if least == str(to) else 0.5
        kept = [yes for yes in unfiltered if yes >= limit]
        assert [region["captions"][0]["judge"] for region in recap.regions()] == kept
        assert recap.rejected()["caption_judged_false"] == len(unfiltered) - len(kept)
    assert Counts.of(server) == before, "answers are in the journal"


def test_a_judge_that_cannot_judge_is_found_out(server: Server, recap: Recap) -> None:
    words = ("--no-filter", "--no-global-caption", *recap.judge, "--limit", "3")
    assert recap.start(*words).wait() == 1
    printed = recap.printed()
    assert f"the judge: {server.url} says rightly of " in printed
    assert not recap.answers()
