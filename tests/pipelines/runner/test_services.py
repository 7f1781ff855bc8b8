"""Services that a runner needs are tried before a build, and their errors are one line."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.abstract_job_service import AbstractJobServiceServicer

from pipelines.runner import services
from pipelines.runner.beam_flags import check_beam_flags
from pipelines.runner.services import check_services, options_of
from pipelines.runner.watched_run import run_watched
from schemas.errors import BuildError, UsageError

REFUSED = """Pipeline job-1 failed in state FAILED: Traceback (most recent call last):
grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:
\tstatus = StatusCode.UNAVAILABLE
\tdetails = "ipv4:127.0.0.1:7792: Failed to connect to remote host: Connection refused"
>"""


class _JobService(AbstractJobServiceServicer):
    """A job server with an option of its own, and one that Beam has, too."""

    def DescribePipelineOptions(  # noqa: N802 - Beam's name
        self, request: Any, context: Any = None, timeout: Any = None
    ) -> Any:
        made = beam_job_api_pb2.DescribePipelineOptionsResponse()
        for name in ("parallelism_of_its_own", "job_name"):
            made.options.add(name=name)
        return made


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a job server, which takes connections as a pool does."""
    server = grpc.server(ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_JobService(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a socket that takes connections and says nothing."""
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


def test_what_is_no_job_server_is_named(mute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "ANSWER_SECONDS", 0.5)
    with pytest.raises(UsageError, match=r"^--job_endpoint .* does not answer as one \(.+\)$"):
        check_services(flags(mute))


def test_options_of_the_job_server_are_flags(listening: str) -> None:
    def check(*more: str) -> None:
        check_beam_flags([*flags(listening), *more], "no {}".format)

    check("--parallelism_of_its_own=4")
    check("--parallelism_of_its_own", "4", "--job_name", "a")
    for misspelt in ("--paralelism_of_its_own=4", "--worker_machine_typo=n1"):
        with pytest.raises(UsageError, match=f"^no {misspelt} Beam has none"):
            check(misspelt)
    with pytest.raises(UsageError, match=r"^unexpected 'stray'"):
        check("stray")
    with pytest.raises(UsageError, match=r"^no --parallelism_of_its_own=4 Beam has"):
        check_beam_flags(["--parallelism_of_its_own=4"], "no {}".format)


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


def test_a_job_server_that_ends_is_one_line() -> None:
    class Ended(grpc.RpcError):  # type: ignore[misc] # it has no types
        def __str__(self) -> str:
            return REFUSED

    def fail() -> None:
        raise Ended

    with pytest.raises(BuildError, match=r"^the job server answers no more: ipv4.* refused\. Fin"):
        run_watched(fail, "out", None, None)


@pytest.mark.parametrize("seconds", [20, 300])  # 300 is Beam's own
@pytest.mark.parametrize("flag", ["--job_server_timeout {}", "--job_server_timeout={}"])
def test_a_job_may_take_longer_than_a_request_unless_a_flag_says_else(flag, seconds):
    def limit(*flags):
        return options_of(flags).view_as(PortableOptions).job_server_timeout

    assert limit() > 7 * 24 * 3600
    assert limit(*flag.format(seconds).split()) == seconds
