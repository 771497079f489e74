"""Posting bytes without the client library's machinery for requests that may be anything.

A delivery is a POST with a body in memory: no cookies, no redirects, nothing to compress, no form.
Connections, their pool, TLS and the parser of answers are aiohttp's; making its request and its
response took half of what a whole delivery costs this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from yarl import URL

_MOST_TARGETS: Final = 1024
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL: Final = 200


class PlainResponse:
    """The head of an answer; ``content`` gives its body, in the bytes that were sent."""

    def __init__(
        self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self._connection = connection
        self.status = message.code
        self.headers = message.headers
        self.content = content

    def close(self) -> None:
        """Keep the connection for the next call if the whole answer has come, or else end it."""
        if self.content.is_eof():
            self._connection.release()
        else:
            self._connection.close()


class PlainPoster:
    """Posts over the connections of ``session``."""

    def __init__(self, session: aiohttp.ClientSession, *, read_buffer: int) -> None:
        self._session = session
        self._read_buffer = read_buffer
        self._targets: dict[URL, aiohttp.ClientRequest] = {}

    async def post(
        self, url: URL, body: bytes, headers: Mapping[str, str], *, patience: aiohttp.ClientTimeout
    ) -> PlainResponse:
        """Send ``body`` once, and give the answer when its head has come.

        Raises what aiohttp raises: ``ClientError`` or ``OSError``; and ``ValueError`` for headers
        that cannot be sent.
        """
        head = _head(url, len(body), headers)
        connector = self._session.connector
        if connector is None:
            raise RuntimeError("the session is closed")
        connection = await connector.connect(self._target(url), [], patience)
        try:
            protocol, transport = _still_open(connection)
            protocol.set_response_params(
                read_until_eof=True, auto_decompress=False, read_bufsize=self._read_buffer
            )
            transport.write(head + body)
            return PlainResponse(connection, *await _final_answer(protocol))
        except BaseException:
            connection.close()
            raise

    def _target(self, url: URL) -> aiohttp.ClientRequest:
        """Give what tells the connector where to connect: nothing of it is sent."""
        target = self._targets.get(url)
        if target is None:
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            target = aiohttp.ClientRequest(
                "POST", url, loop=asyncio.get_running_loop(), session=self._session
            )
            self._targets[url] = target
        return target


def _still_open(connection: Connection) -> tuple[ResponseHandler, asyncio.Transport]:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ServerDisconnectedError
    return protocol, transport


async def _final_answer(
    protocol: ResponseHandler,
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    while True:
        try:
            message, content = await protocol.read()
        except HttpProcessingError as error:
            raise aiohttp.ClientPayloadError("the answer is not HTTP") from error
        # Others below 200 only announce the answer.
        if message.code >= _FIRST_FINAL or message.code == _SWITCHING_PROTOCOLS:
            return message, content


def _head(url: URL, length: int, headers: Mapping[str, str]) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    # A value with a line end would begin a header, or a request, of its own.
    if fields.count("\r") != len(headers) or fields.count("\n") != len(headers) or "\0" in fields:
        raise ValueError("a header contains a line end or a zero byte")
    return (
        f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n"
        f"Accept: */*\r\nContent-Length: {length}\r\n{fields}\r\n"
    ).encode()
