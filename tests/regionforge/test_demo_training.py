"""The demonstration's training: what is said without its extra, and where a command fails."""

import io
import sys

import pytest

from regionforge import demo_training
from regionforge.demo_training import train_and_ask
from schemas.console import Console
from schemas.interruption import Terminated


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    shown = io.StringIO()
    assert train_and_ask(Console(file=shown, width=200), tmp_path, None)
    assert shown.getvalue() == "left out: training needs: pip install 'regionforge[train]'\n"
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_a_failure(tmp_path, capfd):
    shown = io.StringIO()
    nowhere = str(tmp_path / "nowhere")
    words = ["evaluate", "--config", "eval_v3det", "--shards", nowhere, "--checkpoint", nowhere]
    assert not demo_training._run(Console(file=shown, width=400), words)
    assert shown.getvalue() == f"$ regionforge {' '.join(words)}\n"
    assert nowhere in capfd.readouterr().err


@pytest.mark.parametrize(("status", "signalled"), [(130, KeyboardInterrupt), (143, Terminated)])
def test_a_signal_ends_the_demonstration(monkeypatch, status, signalled):
    monkeypatch.setattr("train.cli.run", lambda words: status)
    with pytest.raises(KeyboardInterrupt) as ended:
        demo_training._run(Console(file=io.StringIO()), ["train"])
    assert type(ended.value) is signalled
