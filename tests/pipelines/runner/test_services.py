"""Services that a runner needs are tried before a build, and their errors are one line."""

import socket
from collections.abc import Iterator

import pytest

from pipelines.runner.services import check_services
from pipelines.runner.watched_run import run_watched
from schemas.errors import BuildError, UsageError

REFUSED = """Pipeline job-1 failed in state FAILED: Traceback (most recent call last):
grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:
\tstatus = StatusCode.UNAVAILABLE
\tdetails = "ipv4:127.0.0.1:7792: Failed to connect to remote host: Connection refused"
>"""


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a socket that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def flags(endpoint: str, pool: str = "") -> list[str]:
    """The flags of a portable runner."""
    external = ["--environment_type=EXTERNAL", f"--environment_config={pool}"] if pool else []
    return [f"--job_endpoint={endpoint}", *external]


def test_services_that_answer_are_taken(listening: str) -> None:
    check_services(flags(listening, listening))
    check_services(flags(listening, f'{{"url": "{listening}"}}'))
    check_services(flags(listening, "10.1.2.3:1"))  # reached by the runner, not from here
    check_services(flags("embed"))
    check_services([])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "8099", "host:", "a b:1"])
def test_a_job_server_that_does_not_answer_is_named(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_services(flags(address))
    assert str(raised.value).startswith(f"--job_endpoint {address}: ")


@pytest.mark.parametrize("pool", ["127.0.0.1:1", '{"url": "127.0.0.1:1"}', "{", '{"a": 1}'])
def test_a_pool_that_does_not_answer_is_named(listening: str, pool: str) -> None:
    with pytest.raises(UsageError, match=r"^--environment_config .*expected"):
        check_services(flags(listening, pool))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (REFUSED, "ipv4:127.0.0.1:7792: Failed to connect to remote host: Connection refused"),
        ("Pipeline a failed in state FAILED: Traceback:\n  x\nKeyError: 'b'", "KeyError: 'b'"),
    ],
)
def test_a_failed_job_is_one_line(text: str, cause: str) -> None:
    def fail() -> None:
        raise RuntimeError(text)

    with pytest.raises(BuildError) as raised:
        run_watched(fail, "out", None, None)
    assert str(raised.value) == (
        f"the runner's job failed: {cause}. Finished shards are kept: mend it and run the same "
        "command again."
    )
