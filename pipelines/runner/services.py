"""The services that a runner is told of by its flags: a job server, a pool of workers.

Beam waits for minutes for one that is not there, and its error then names none.
"""

import json
import socket
from collections.abc import Sequence

import grpc
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from schemas.errors import UsageError

ANSWER_SECONDS = 5.0  # within which a service takes a connection
_JOB_SECONDS = 365 * 24 * 3600
_HERE = ("localhost", "127.0.0.1", "::1")


def check_services(flags: Sequence[str]) -> None:
    """Connect to the services that flags for Beam name.

    A pool of workers is reached by the runner, not from here; so it is tried only where both it and
    the job server are on this machine.

    Args:
        flags: words of a command line, e.g. `--job_endpoint=localhost:8099`.

    Raises:
        UsageError: an address is none, or nothing answers there.
    """
    options = PipelineOptions(list(flags)).view_as(PortableOptions)
    endpoint = options.job_endpoint
    if not endpoint or endpoint == "embed":
        return
    server_options(endpoint)
    if options.environment_type == "EXTERNAL" and _host(endpoint) in _HERE:
        pool = _address_of_pool(options.environment_config or "")
        if _host(pool) in _HERE:
            _connect("--environment_config", pool, "a pool of workers")


def server_options(endpoint: str) -> list[str]:
    """Return the names of the options that a job server takes beside those that Beam knows.

    Args:
        endpoint: the address of the job server, e.g. `localhost:8099`.

    Raises:
        UsageError: the address is none, or no job server of Beam answers there.
    """
    _connect("--job_endpoint", endpoint, "a job server")
    request = beam_job_api_pb2.DescribePipelineOptionsRequest()
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            described = stub.DescribePipelineOptions(request, timeout=ANSWER_SECONDS)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:  # of a server that has none
                return []
            raise UsageError(
                f"--job_endpoint {endpoint}: a job server of Beam is expected there, and what "
                f"listens does not answer as one ({error.details()})"
            ) from None
    return [option.name for option in described.options]


def options_of(flags: Sequence[str]) -> PipelineOptions:
    """Return Beam's options; a job may take as long as it takes unless a flag says else.

    Beam means `--job_server_timeout` for single requests, of which one lasts as long as the job:
    after its 300 s a job was given up.
    """
    return PipelineOptions([f"--job_server_timeout={_JOB_SECONDS}", *flags])  # the last one counts


def _address_of_pool(config: str) -> str:
    """Return the address in a pool's configuration: the address alone, or JSON with a `url`."""
    if config.lstrip().startswith("{"):
        try:
            return str(json.loads(config)["url"])
        except (ValueError, KeyError, RecursionError):
            raise UsageError(
                f"--environment_config {config}: expected HOST:PORT, or JSON with a `url`"
            ) from None
    return config


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def _connect(flag: str, address: str, service: str) -> None:
    host, port = _host(address), address.rpartition(":")[2]
    if not host or not port.isdigit():
        raise UsageError(f"{flag} {address}: expected HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{flag} {address}: {service} of Beam is expected there, and nothing answers ({error})"
        ) from None
