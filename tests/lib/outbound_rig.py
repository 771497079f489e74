"""Public names and addresses for tests that never leave the machine.

``FakeNames`` answers look-ups; ``Sockets`` records every socket that is made and dials the
loopback server of the test in place of the public address. ``receiver`` runs a raw TCP server.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PUBLIC = "93.184.215.14"
OK_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class FakeNames(AbstractResolver):
    """Answers each look-up of a name with the next list of addresses; the last one stays."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self.answers = {name: list(rounds) for name, rounds in answers.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        rounds = self.answers.get(host)
        if not rounds:
            raise socket.gaierror(socket.EAI_NONAME, f"no such name, family {family}")
        addresses = rounds.pop(0) if len(rounds) > 1 else rounds[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Hold nothing, so close nothing."""


class _Detour(socket.socket):
    target: tuple[str, int]

    def connect(self, _address: object) -> None:
        super().connect(self.target)


class Sockets:
    """Makes sockets that connect to ``ports[<port asked for>]`` on loopback instead."""

    def __init__(self, ports: Mapping[int, int] | None = None) -> None:
        self.ports = dict(ports or {})
        self.dialled: list[str] = []

    def __call__(self, addr_info: AddrInfoType) -> socket.socket:
        address, port = addr_info[4][:2]
        self.dialled.append(address)
        made = _Detour(socket.AF_INET, socket.SOCK_STREAM)
        made.target = ("127.0.0.1", self.ports.get(port, 1))
        return made


@asynccontextmanager
async def receiver(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve ``script(request_head, writer)`` on loopback; give the port; end all at exit."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            # Cancelled only by the end of this block, which a script may wait for.
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
            ):
                await script(await reader.readuntil(b"\r\n\r\n"), writer)
        finally:
            talks.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


def trickling(pause_seconds: float, *, length: int = 1000) -> Script:
    """Give a script that answers one byte at a time."""

    async def trickle(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return trickle


async def answer_ok(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK_ANSWER)
    await writer.drain()


def certificate(host: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for ``host``; give the server's context and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    file = folder / "server.pem"
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=pem.decode())
