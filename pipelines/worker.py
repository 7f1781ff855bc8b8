"""A local worker process: Beam's own worker, which ends when the launcher that started it does.

Its log goes to the launcher over Beam's logging service; standard error stays for what the
interpreter itself has to say.
"""

import logging
import os
import threading
import time

from apache_beam.runners.worker import sdk_worker_main

LAUNCHER = "REGIONFORGE_LAUNCHER"
POLL_SECONDS = 1.0


def _end_with(launcher: int) -> None:
    while True:
        try:
            os.kill(launcher, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Watch the launcher, then serve it."""
    launcher = int(os.environ[LAUNCHER])
    threading.Thread(target=_end_with, args=(launcher,), daemon=True).start()
    logging.getLogger().addHandler(logging.NullHandler())
    sdk_worker_main.main([])


if __name__ == "__main__":
    main()
