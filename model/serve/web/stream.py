"""An answer that is handed over word by word, as a generator."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event


class _ClosedError(Exception):
    """Nobody waits for the answer any more."""


def growing(answer: Callable[[Callable[[str], None]], str]) -> Generator[str, None, None]:
    """Yield what there is of an answer after each new part, and at last the whole.

    The answer is made in another thread; where the generator is closed before its end, so is the
    making of the answer, at its next part.

    Args:
        answer: makes it, is given a function for each new part, and returns the whole.

    Raises:
        Exception: what `answer` raises.
    """
    parts, closed = SimpleQueue[str | None](), Event()

    def take(part: str) -> None:
        if closed.is_set():
            raise _ClosedError
        parts.put(part)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(answer, take)
        future.add_done_callback(lambda _: parts.put(None))
        text = ""
        try:
            while (part := parts.get()) is not None:
                text += part
                yield text
        finally:
            closed.set()
    yield future.result()
