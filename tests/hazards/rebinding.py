"""Calls out beside a name server that changes its mind, in a network of its own.

``python -m tests.hazards.rebinding`` wants to be root in a new network and mount namespace, where
``/etc/resolv.conf`` names 127.0.0.1 and nothing else is reachable. A name server on port 53 and web
servers on a public and on two private addresses are real sockets there. Printed is, as JSON, what
each call came to and which servers were connected to.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
from collections import Counter
from typing import Final, cast

from tokportal_server.lib.outbound import Outbound, OutboundFailure, OutboundPolicy

PUBLIC: Final = "93.184.215.14"
LOOPBACK: Final = "127.0.0.1"
METADATA: Final = "169.254.169.254"
# Each look-up of a name gets its next list of addresses; the last one stays.
ANSWERS: Final = {
    "rebind.example.com": [[PUBLIC], [LOOPBACK]],
    "metadata.example.com": [[PUBLIC], [METADATA]],
    "mixed.example.com": [[PUBLIC, LOOPBACK]],
    "mixed-other-way.example.com": [[LOOPBACK, PUBLIC]],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers A queries from ``ANSWERS`` with a time to live of nothing, others with no record."""

    def __init__(self) -> None:
        self._rounds = {name: list(lists) for name, lists in ANSWERS.items()}
        self.asked: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # Python 3.11 makes transports that are none by their class.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        question = data[12 : at + 5]
        kind = struct.unpack(">H", data[at + 1 : at + 3])[0]
        addresses = self._next(".".join(labels).lower()) if kind == 1 else []
        head = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(addresses), 0, 0)
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + bytes(map(int, address.split(".")))
            for address in addresses
        )
        self._transport.sendto(head + question + records, addr)

    def _next(self, name: str) -> list[str]:
        rounds = self._rounds.get(name, [[]])
        self.asked[name] += 1
        return rounds.pop(0) if len(rounds) > 1 else rounds[0]


async def play() -> dict[str, object]:
    """Call each name twice; give outcomes and connections."""
    connected: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected[writer.get_extra_info("sockname")[0]] += 1
        await reader.readuntil(b"\r\n\r\n")
        # Kept connections would hide the second look-up.
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    names = NameServer()
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: names, local_addr=(LOOPBACK, 53))
    for address in (PUBLIC, LOOPBACK, METADATA):
        await asyncio.start_server(serve, address, 80)
    outcomes = {}
    async with Outbound(OutboundPolicy(allow_http_hosts=frozenset(ANSWERS))) as outbound:
        for name in ANSWERS:
            told: list[str] = []
            for _ in range(2):
                try:
                    answer = await outbound.post(f"http://{name}/", b"{}", {})
                except OutboundFailure as failure:
                    told.append(failure.error_class)
                else:
                    told.append(str(answer.status))
            outcomes[name] = told
    return {"outcomes": outcomes, "connected": connected, "asked": names.asked}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(play())))
