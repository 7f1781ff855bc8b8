"""What a system does not give a process: memory and threads. Errors of both come in many forms."""

import errno
import re

_NO_MEMORY = "out of memory"
_NO_THREADS = "no further thread or process can be started"

# Words of errors: of a library that cannot be loaded, and of an error that came as a text from
# another process, where its name begins a line.
_MEMORY_WORDS = re.compile(
    r"^(?:[\w.]+\.)?\w*MemoryError\b|failed to map segment|cannot allocate memory"
    r"|CUDA out of memory",
    re.IGNORECASE | re.MULTILINE,
)
_THREAD_WORDS = "can't start new thread"


def shortage(error: BaseException) -> str | None:
    """Return what was missing where an error was raised: "out of memory"; None: nothing was.

    >>> shortage(RuntimeError("can't start new thread"))
    'no further thread or process can be started'
    """
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or _MEMORY_WORDS.search(text):
        return _NO_MEMORY
    # A stream that would block raises EAGAIN, too, but says what it has written.
    unforked = number == errno.EAGAIN and not hasattr(error, "characters_written")
    if unforked or _THREAD_WORDS in text:
        return _NO_THREADS
    return None
