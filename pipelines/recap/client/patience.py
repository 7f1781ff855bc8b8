"""The patience of a run: how long it waits for servers that do not answer.

A server that has been reached may be loading or restarting, and is waited for long. Where no
connection could ever be opened, the server was probably not started, or its URL is wrong.
"""

import time
from collections.abc import Sequence

from pipelines.recap.client.connection import Connection
from pipelines.recap.client.endpoints import Servers
from schemas.duration import duration
from schemas.errors import BuildError


def longest_wait(route: Sequence[Connection], servers: Servers) -> float:
    """Return the seconds without any answer after which a run ends."""
    if any(connection.breaker.is_reached for connection in route):
        return servers.patience
    return min(servers.first_patience, servers.patience)


def seconds_left(
    route: Sequence[Connection], servers: Servers, since: float, wait: float = 0.0
) -> float:
    """Return the seconds for which a call still waits for its servers.

    Args:
        route: the servers of the call.
        servers: the limits of the run.
        since: time of the call's first failure, in seconds of the monotonic clock.
        wait: seconds that a server asks to wait now.

    Raises:
        BuildError: no time is left for the wait.
    """
    now = time.monotonic()
    quiet_from = max(since, *(connection.breaker.last_answer for connection in route))
    left = quiet_from + longest_wait(route, servers) - now
    if wait <= left:
        return left
    seen = "; ".join(f"{each.url}: {each.breaker.last_trouble}" for each in route)
    quiet = duration(now - quiet_from)
    if not any(connection.breaker.is_reached for connection in route):
        raise BuildError(
            f"no connection to a server for {quiet} ({seen}). Start one, e.g. with `vllm serve "
            "MODEL` (`recap --serve MODEL`, without --endpoint, does so by itself); --patience "
            "SECONDS waits longer for one that is starting"
        )
    asks = f", and asks to wait {duration(wait)}" if wait else ""
    raise BuildError(
        f"no answer for {quiet}{asks} ({seen}). What was answered is kept: mend the server, and "
        "run the same command again to go on"
    )
