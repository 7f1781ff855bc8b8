"""Whole runs of `recap --serve`, with a stand-in for vLLM that fails on order."""

import os
import re
import signal
import time
from collections.abc import Callable

import pytest

from pipelines.verify import verify

MODEL = "org/model"
FEW = ["--no-filter", "--limit", 3, "--concurrency", 4]


def words(fake, *more: object) -> list[object]:
    return ["--serve", MODEL, "--vllm", fake.path, *FEW, *more]


def until(done: Callable[[], object], seconds: float = 40.0) -> bool:
    """Wait until something holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def calm(serve, recap_words, recap_output, tmp_path):
    """The run that all others must equal: of the same model, on a server that is there."""
    server = serve()
    flags = ["--endpoint", server.url, "--model", MODEL, *FEW]
    status, printed = recap_words(tmp_path / "calm", *flags)
    assert status == 0, printed
    return recap_output(tmp_path / "calm")


def test_a_run_and_its_rerun(fake_vllm, calm, recap_words, recap_output, tmp_path) -> None:
    fake, out = fake_vllm(), tmp_path / "out"
    status, printed = recap_words(out, *words(fake, "--serve-args", "--max-model-len 1024"))
    assert status == 0, printed
    captioned = recap_output(out)
    assert captioned.output.digests() == calm.output.digests()
    assert verify(str(out)).problems == []
    (life,) = fake.lives()
    port = life["arguments"][life["arguments"].index("--port") + 1]
    assert life["arguments"] == [
        *("serve", MODEL, "--host", "127.0.0.1", "--port", port, "--served-model-name", MODEL),
        *("--limit-mm-per-prompt", '{"image":1}', "--disable-uvicorn-access-log"),
        *("--max-model-len", "1024"),
    ]
    assert re.search(r"server: up after [\d.]+ s", printed)
    assert fake.left() == []
    assert "VLLM_API_KEY" not in os.environ

    # All is known already: nobody is asked, and no server is started, or even looked for.
    answered = len(fake.log())
    status, printed = recap_words(out, *words(fake))
    assert (status, len(fake.lives()), len(fake.log())) == (0, 1, answered), printed
    status, printed = recap_words(out, "--serve", MODEL, *FEW, "--dry-run", "--vllm", "nowhere")
    assert (status, len(fake.lives())) == (0, 1)
    assert f"{len(calm.noted())} calls" in printed


def test_a_python_and_a_model_of_our_own(fake_vllm, recap_words, recap_output, tmp_path) -> None:
    fake, folder = fake_vllm("python3"), tmp_path / "somewhere" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    out = tmp_path / "out"
    status, printed = recap_words(out, "--serve", folder, "--vllm", fake.path, *FEW)
    assert status == 0, printed
    (life,) = fake.lives()
    assert life["arguments"][:3] == ["-m", "vllm.entrypoints.openai.api_server", "--model"]
    assert life["arguments"][3] == str(folder)
    rows = recap_output(out).output.rows()
    (model,) = {row["provenance"]["captioner_model"] for row in rows}
    assert re.fullmatch(r"tiny@[0-9a-f]{12}", model)


def test_a_server_killed_in_the_middle(
    fake_vllm, calm, recap_words, recap_output, tmp_path
) -> None:
    fake, out = fake_vllm(dies_at=[20, 5], child=True), tmp_path / "out"
    status, printed = recap_words(out, *words(fake))
    assert status == 0, printed
    assert printed.count("it was ended by SIGKILL; starting it again") == 2
    assert len({tuple(life["arguments"]) for life in fake.lives()}) == 1  # one port for all
    assert len(fake.lives()) == 3
    assert recap_output(out).output.digests() == calm.output.digests()
    assert recap_output(out).noted() == calm.noted()
    assert fake.left() == []


def test_a_server_that_ends_at_once(fake_vllm, calm, recap_words, recap_output, tmp_path) -> None:
    lines = [*(f"loading {n}" for n in range(50)), "ValueError: no room for the cache"]
    fake, out = fake_vllm(says=lines, exits=[3]), tmp_path / "out"
    began = time.monotonic()
    status, printed = recap_words(out, *words(fake))
    assert (status, len(fake.lives())) == (1, 1)
    assert time.monotonic() - began < 15
    assert "error: the server did not come up: it ended with status 3" in printed
    assert "loading 49\nValueError: no room for the cache" in printed
    assert "loading 1\n" not in printed
    assert "run the same command again to go on" in printed
    log = out / "_state" / "server.log"
    assert str(log) in printed
    assert log.read_text(encoding="utf-8").startswith("loading 0\n")
    assert "Traceback" not in printed

    status, printed = recap_words(out, *words(fake))  # its second life is a good one
    assert status == 0, printed
    assert recap_output(out).output.digests() == calm.output.digests()
    assert verify(str(out)).problems == []


def test_a_server_that_never_comes_up(fake_vllm, recap_words, tmp_path) -> None:
    fake, out = fake_vllm(hangs=True, says=["loading"]), tmp_path / "out"
    began = time.monotonic()
    status, printed = recap_words(out, *words(fake, "--patience", 2))
    assert time.monotonic() - began < 15
    assert status == 1
    assert "the server did not come up: it is not up after 2 s" in printed
    assert "server.log:\nloading" in printed
    assert fake.left() == []


def test_a_server_that_is_blind(fake_vllm, recap_words, tmp_path) -> None:
    fake = fake_vllm(blind=True)
    status, printed = recap_words(tmp_path / "out", *words(fake))
    assert status == 1
    assert "What it says of pictures would be made up" in printed
    assert fake.left() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_we_are_killed(fake_vllm, sample_world, forked, recap_words, tmp_path, number) -> None:
    """Nothing of the server is left, not even what it started in a session of its own."""
    fake, out = fake_vllm(delay=0.2, child=True), tmp_path / "out"
    where = ["--source", "v3det", "--data-root", sample_world, "--output", out]
    ours = forked("recap", *where, *words(fake))
    journals = out / "_state" / "captions"
    assert until(lambda: any(file.stat().st_size > 500 for file in journals.rglob("*.jsonl")))
    assert len(fake.left()) == 2
    os.kill(ours.pid, number)
    began = time.monotonic()
    assert ours.wait().returncode == (130 if number == signal.SIGINT else -number)
    assert time.monotonic() - began < 15
    assert until(lambda: not fake.left())
    status, printed = recap_words(out, *words(fake))
    assert status == 0, printed
    answers = [line["id"] for line in fake.log() if line["status"] == 200]
    again = len(answers) - len(set(answers))
    assert again <= 4 + 9 + 1, "what was in flight, the canary's questions and their probe"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--serve", MODEL, "--endpoint", "http://gpu/v1"], "give one"),
        (["--serve", MODEL, "--captioner", "builtin"], "leave out --serve"),
        (["--serve", ""], "--serve MODEL: a local folder, or a name on the Hub"),
        (["--serve", "./nowhere"], "--serve ./nowhere: nothing is there"),
        (["--serve", MODEL, "--vllm", "/nowhere/vllm"], "--vllm /nowhere/vllm: there is no such"),
        (["--serve", MODEL, "--serve-args=--port 8000"], "--port is not for you to choose"),
        (["--serve", MODEL, "--serve-args='"], "--serve-args: No closing quotation"),
        (["--serve", MODEL, "--patience", "0"], "--patience 0: expected more than 0"),
        (["--endpoint", "http://gpu/v1", "--vllm", "x"], "go with --serve MODEL"),
    ],
)
def test_flags_that_do_not_go_together(fake_vllm, recap_words, tmp_path, flags, message) -> None:
    usable = [] if "--vllm" in flags else ["--vllm", fake_vllm().path]
    if "--serve" not in flags:
        usable = ["--model", MODEL]
    status, printed = recap_words(tmp_path / "out", *flags, *usable, "--no-filter")
    assert status == 2
    assert message in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "out").exists()


def test_no_vllm_at_all(recap_words, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, printed = recap_words(tmp_path / "out", "--serve", MODEL, *FEW)
    assert status == 2
    assert "--serve needs vLLM, which takes an environment of its own" in printed
