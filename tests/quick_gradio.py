"""Gradio without the stubs that it writes beside its sources, half of the time of its import."""

import inspect
from unittest import mock

import pytest


def import_gradio() -> None:
    """Import gradio, or skip what needs it.

    It leaves alone the classes that are in no file, which all of them seem to be meanwhile.
    """
    with mock.patch.object(inspect, "getfile", side_effect=OSError("in no file")):
        pytest.importorskip("gradio", reason="gradio (the extra demo) is not installed")
