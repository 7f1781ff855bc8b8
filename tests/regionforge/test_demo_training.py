"""The demonstration's training: what is said without its extra, and where a command fails."""

import io
import sys

from regionforge import demo_training
from regionforge.demo_training import train_and_ask
from schemas.console import Console


def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    shown = io.StringIO()
    assert train_and_ask(Console(file=shown, width=200), tmp_path, None)
    assert shown.getvalue() == "left out: training needs: pip install 'regionforge[train]'\n"
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_is_a_failure(tmp_path, capfd):
    shown = io.StringIO()
    nowhere = str(tmp_path / "nowhere")
    assert not demo_training._run(Console(file=shown, width=200), ["verify", nowhere])
    assert shown.getvalue() == f"$ regionforge verify {nowhere}\n"
    assert nowhere in capfd.readouterr().err
