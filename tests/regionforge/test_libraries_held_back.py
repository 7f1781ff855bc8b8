"""What libraries print is held back while a command runs, and no longer."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from regionforge import __main__ as front_door
from schemas.console.libraries import libraries_held_back

_PROGRAM = """
import logging
from tqdm import tqdm
for _ in tqdm(range(3)): pass
import huggingface_hub.utils.logging
logging.getLogger("huggingface_hub.utils").warning("retrying")
import transformers
transformers.utils.logging.get_logger("transformers").warning("advice")
transformers.utils.logging.get_logger("transformers").warning_advice("advice")
"""


def said() -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def test_bars_retries_and_advice_are_held_back(monkeypatch):
    for name in ("TQDM_DISABLE", "HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
        monkeypatch.delenv(name, raising=False)
    shown = said()
    assert all(word in shown for word in ("3/3", "retrying", "advice"))
    with libraries_held_back():
        assert said() == ""


def test_variables_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.delenv("GRPC_VERBOSITY", raising=False)
    with libraries_held_back():
        assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"
        assert os.environ["GRPC_VERBOSITY"] == "NONE"
    assert "GRPC_VERBOSITY" not in os.environ


def test_every_command_holds_libraries_back(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    seen = []
    command = SimpleNamespace(main=lambda words: seen.append(os.environ.get("TQDM_DISABLE")))
    monkeypatch.setitem(sys.modules, "spy", command)
    monkeypatch.setitem(front_door.COMMANDS, "spy", front_door.Command("spy:main", "Spies."))
    for words in (["spy"], ["spy", "--verbose"]):
        with pytest.raises(SystemExit):
            front_door.main(words)
    assert seen == ["1", None]
