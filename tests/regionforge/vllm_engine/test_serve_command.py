"""`regionforge serve --engine vllm` as a process: its beginning, its end, and mistakes."""

import json
import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from regionforge.serving import main
from tests.forks import Order
from train.cli import run


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_it(number, forks, program, folder, tmp_path):
    command = ["serve", "--checkpoint", str(folder), "--port", "0", "--device", "cpu"]
    command += ["--engine", "vllm", "--vllm", str(program)]
    command += ["--vllm-args", f"--record {tmp_path}/lines"]
    (tmp_path / "tmp").mkdir()
    order = Order(
        call="regionforge.__main__:main",
        given=[command],
        folder=os.getcwd(),
        environment={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "OMP_NUM_THREADS": "1"},
        needed=["regionforge.serving", "train.serve.opening"],
    )
    reader, writer = os.pipe()
    with open(os.devnull, "r+b") as nothing:
        server = forks.start(order, [nothing.fileno(), writer, nothing.fileno()])
    os.close(writer)
    with open(reader, encoding="utf-8") as lines:
        assert re.match(r"serving regiongpt at http://127\.0\.0\.1:\d+/v1\n", lines.readline())
        process = json.loads((tmp_path / "lines").read_text(encoding="utf-8"))["pid"]
        assert runs(process)
        os.kill(server.pid, number)
        status = server.wait(60)
    end = time.monotonic() + 60
    while runs(process):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert status == (143 if number == signal.SIGTERM else -number)
    if number == signal.SIGTERM:
        assert list((tmp_path / "tmp").glob("regionforge-*")) == []


def runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def test_without_a_vllm_it_says_so_before_the_model_is_opened(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os._exit", sys.exit)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--checkpoint", str(tmp_path), "--engine", "vllm"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --engine vllm needs vLLM, which takes an environment of its own")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--vllm", "x"], "--vllm: it is for --engine vllm: leave it out"),
        (["--vllm-args", ""], "--vllm-args: it is for --engine vllm: leave it out"),
        (["--engine", "vllm"], "--engine vllm is one of `regionforge serve` alone"),
    ],
)
def test_flags_that_do_not_go_together(words, message, folder, capsys):
    assert run(["serve", "--checkpoint", str(folder), *words]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
