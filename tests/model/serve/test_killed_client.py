"""A client that is killed: nothing of its request is left, and others are answered."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.model.serve.requests import HELLO, post, served

# Sends so many bytes of a request, and waits for what never comes.
CLIENT = """
import socket, sys
port, size, body = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
lines = ["POST /v1/chat/completions HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", "", ""]
connection = socket.create_connection(("127.0.0.1", port))
connection.sendall("\\r\\n".join(lines).encode() + body[:size])
print("sent", flush=True)
while True:
    connection.recv(1 << 16)
"""
LONG = {**HELLO, "max_tokens": 2000}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def killed_client(address: str, body: dict, size: int, until) -> None:
    """Start a client, kill it once something is true, and wait for its end."""
    port = address.rpartition(":")[2]
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, port, str(size), json.dumps(body), stdout=-1
    )
    assert client.stdout
    assert await client.stdout.readline() == b"sent\n"
    while not until():
        await asyncio.sleep(0.01)
    client.kill()
    await client.wait()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_killed_client_leaves_nothing(regiongpt, slow, stream, whole):
    body = {**LONG, "stream": stream}

    async def talk(address, chat):
        assert (await post(address, HELLO))[0] == 200
        slow.clear()
        tasks, files = len(asyncio.all_tasks()), open_files()
        for _ in range(3):
            begun = len(slow)
            await killed_client(
                address,
                body,
                10_000 if whole else 30,
                lambda begun=begun: len(slow) > begun if whole else chat._open,
            )
        end = time.monotonic() + 60
        while chat._open or len(asyncio.all_tasks()) > tasks or open_files() > files:
            assert time.monotonic() < end, (chat._open, asyncio.all_tasks(), open_files(), files)
            await asyncio.sleep(0.05)
        ends = [answer.end for answer in slow]
        return ends, (await post(address, HELLO))[0]

    ends, later = served(regiongpt, talk)
    assert ends == ["cancelled"] * 3 * whole
    assert later == 200
