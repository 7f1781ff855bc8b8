"""Beam's job service, under a name by which other machines reach this one.

    python tests/engines/job_service_at.py HOST --port PORT

It tells workers of a pool to come to this machine's full name, which is `localhost` where a machine
has no other.
"""

import socket
import sys

from apache_beam.runners.portability.local_job_service_main import run

if __name__ == "__main__":
    setattr(socket, "getfqdn", lambda name="": sys.argv[1])  # noqa: B010 - mypy holds it for wrong
    run(sys.argv[2:])
