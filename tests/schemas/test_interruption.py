"""SIGTERM as an interrupt: raised once, and only where somebody handles it."""

import os
import signal
import threading

import pytest

from schemas.interruption import Terminated, ending, exit_status, sigterm_as_interrupt


@pytest.fixture(autouse=True)
def handler():
    before = signal.getsignal(signal.SIGTERM)
    yield before
    signal.signal(signal.SIGTERM, before)


def test_sigterm_interrupts_once(handler) -> None:
    with pytest.raises(Terminated) as raised, sigterm_as_interrupt():  # noqa: PT012
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # does not disturb the end
    assert (exit_status(raised.value), ending(raised.value)) == (143, "ended by SIGTERM")
    assert signal.getsignal(signal.SIGTERM) == handler


def test_an_interrupt_is_another_end() -> None:
    assert (exit_status(KeyboardInterrupt()), ending(KeyboardInterrupt())) == (130, "interrupted")


def test_who_ignores_it_goes_on() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with sigterm_as_interrupt():
        os.kill(os.getpid(), signal.SIGTERM)


def test_another_thread_leaves_signals_alone() -> None:
    changed: list[object] = []

    def work() -> None:
        with sigterm_as_interrupt():
            changed.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert changed == [signal.getsignal(signal.SIGTERM)]
