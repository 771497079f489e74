"""A bucket that speaks S3 over real HTTP: moto's server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from uuid import uuid4

import pytest

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "a secret/of+this=test"
# It says where it listens, and ends when nobody holds the other end of its input any more.
_PROGRAM = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def s3_endpoint() -> Iterator[str]:
    """Run the server; give its address."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.communicate("")


def make_bucket(endpoint: str) -> str:
    """Make an empty bucket; give its name."""
    name = f"media-{uuid4().hex}"
    connection = HTTPConnection(endpoint.removeprefix("http://"))
    connection.request("PUT", f"/{name}")
    assert connection.getresponse().status == 200
    connection.close()
    return name


def use_s3(environment: pytest.MonkeyPatch, endpoint: str) -> None:
    """Set the usual variables, as an operator would."""
    environment.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    environment.setenv("AWS_REGION", "eu-central-1")
    environment.setenv("AWS_ENDPOINT_URL", endpoint)
